import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { diskBehaviours } from './disk-conformance.ts'
import { DirectoryLockedError, DiskError } from './io.ts'
import { nodeDisk } from './node-disk.ts'

async function inFolder(check: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'ottla-disk-'))
  try {
    await check(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

for (const { name, check } of diskBehaviours) {
  test(`real disk: ${name}`, () =>
    inFolder(folder => check({ disk: nodeDisk(), other: nodeDisk(), folder })))
}

test('the lock is seen by another process and free once its holder is killed', () =>
  inFolder(async folder => {
    const script = `
      import { nodeDisk } from ${JSON.stringify(new URL('node-disk.ts', import.meta.url).href)}
      await nodeDisk().lock(process.argv[1])
      process.stdout.write('locked')
      setInterval(() => {}, 1000)`
    const holder = spawn(
      process.execPath,
      ['--input-type=module-typescript', '-e', script, folder],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    const exited = new Promise(resolve => holder.once('exit', resolve))
    await new Promise((resolve, reject) => {
      holder.stdout.once('data', resolve)
      holder.once('exit', code => reject(new Error(`exit ${code}`)))
    })
    const disk = nodeDisk()
    await assert.rejects(disk.lock(folder), DirectoryLockedError)
    holder.kill('SIGKILL')
    await exited
    await (await disk.lock(folder)).release()
  }))

test('a lock file that cannot be one is refused with its path', () =>
  inFolder(async folder => {
    await writeFile(join(folder, '.lock'), 'x'.repeat(2000))
    await assert.rejects(nodeDisk().lock(folder), (error: Error) => {
      assert.ok(error instanceof DiskError)
      assert.match(error.message, /cannot lock .*\.lock/)
      return true
    })
  }))
