import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { lockDirectory } from './directory-lock.ts'
import { makeTemporaryDirectory } from './temporary-directory.ts'

function folder(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'ottla-test-'))
  context.after(() => rmSync(path, { recursive: true }))
  return path
}

/** As a killed process leaves it, so long ago. */
function leftOver(parent: string, name: string, hours: number): string {
  const path = join(parent, name)
  mkdirSync(path)
  writeFileSync(join(path, 'ottla-metadata.log'), 'x')
  const time = Date.now() / 1000 - hours * 3600
  utimesSync(path, time, time)
  return path
}

test('a temporary folder is empty, new, and gone when it is removed', async context => {
  const parent = folder(context)
  const [first, second] = [
    await makeTemporaryDirectory(parent),
    await makeTemporaryDirectory(parent),
  ]
  assert.notEqual(first.path, second.path)
  writeFileSync(join(first.path, 'f'), 'x')
  await first.remove()
  await first.remove()
  assert.deepEqual(readdirSync(parent), [second.path.slice(parent.length + 1)])
  await second.remove()
})

test('what killed processes left a day ago is removed; younger, locked and foreign folders stay', async context => {
  const parent = folder(context)
  leftOver(parent, 'ottla-temporary-old', 25)
  leftOver(parent, 'ottla-temporary-young', 23)
  leftOver(parent, 'other-old', 25)
  const inUse = leftOver(parent, 'ottla-temporary-used', 25)
  const lock = lockDirectory(inUse, new Set())
  const time = Date.now() / 1000 - 25 * 3600
  utimesSync(inUse, time, time)
  await (await makeTemporaryDirectory(parent)).remove()
  assert.deepEqual(readdirSync(parent).sort(), [
    'other-old',
    'ottla-temporary-used',
    'ottla-temporary-young',
  ])
  await lock.release()
})

test('a folder that cannot be made is a DiskError that names where', async context => {
  const parent = join(folder(context), 'absent')
  await assert.rejects(makeTemporaryDirectory(parent), {
    name: 'DiskError',
    code: 'ENOENT',
    message: /cannot make a folder in .*absent/,
  })
})
