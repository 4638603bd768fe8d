import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { nodeDisk } from '../io/node-disk.ts'
import { buildBatch } from '../protocol/records/build.ts'

const bin = fileURLToPath(new URL('../bin.js', import.meta.url))
const timestamp = 1_700_000_000_000

/** A data directory with one partition of two batches, as a broker leaves it that was killed. */
function dataDirectory(context: TestContext): { data: string; log: string; bytes: Buffer } {
  const data = mkdtempSync(join(tmpdir(), 'ottla-'))
  context.after(() => rmSync(data, { recursive: true }))
  const folder = join(data, 'words-0')
  mkdirSync(folder)
  const batch = (baseOffset: number) =>
    buildBatch({ baseOffset, leaderEpoch: 0 }, [{ value: 'word', timestamp }])
  const bytes = Buffer.concat([batch(0), batch(1)])
  const log = join(folder, '00000000000000000000.log')
  writeFileSync(log, bytes)
  writeFileSync(log.replace('.log', '.index'), '')
  writeFileSync(log.replace('.log', '.timeindex'), '')
  writeFileSync(join(folder, 'leader-epoch-checkpoint'), '0\n1\n0 0\n')
  const metadata = 'version: 0\ntopic_id: wAbCdEfGhIjKlMnOpQrStA\n'
  writeFileSync(join(folder, 'partition.metadata'), metadata)
  writeFileSync(join(data, '.lock'), '')
  return { data, log, bytes }
}

function verified(...args: string[]) {
  const { stdout, stderr, status } = spawnSync(process.execPath, [bin, 'log', 'verify', ...args], {
    encoding: 'utf8',
  })
  return { stdout, stderr, status }
}

test('a sound directory is shown as such, and left as it is', context => {
  const { data, log, bytes } = dataDirectory(context)
  const { stdout, stderr, status } = verified(data, '--deep')
  assert.deepEqual([stderr, status], ['', 0])
  assert.match(stdout, /words-0 +1 +2 +\d+ B +0 +2 +sound/)
  assert.deepEqual(readFileSync(log), bytes)
})

test('damage is told with file, byte and offset, and ends with code 1', context => {
  const { data, log, bytes } = dataDirectory(context)
  bytes[70]! ^= 1
  writeFileSync(log, bytes)
  const { stdout, stderr, status } = verified(join(data, 'words-0'))
  assert.equal(status, 1)
  assert.match(stdout, /damaged {2}0{20}\.log, at byte 0, offset 0: \d+ bytes are no batch/)
  assert.match(stderr, /words-0: 1 damaged; --repair keeps/)
  const lines = verified(data, '--json').stdout.trim().split('\n')
  const { kind, position, offset } = JSON.parse(lines[1]!)
  assert.deepEqual([kind, position, offset], ['damage', 0, 0])
})

test('a repair cuts an unfinished write, keeps it aside, and ends with code 0', context => {
  const { data, log, bytes } = dataDirectory(context)
  writeFileSync(log, bytes.subarray(0, -1))
  assert.equal(verified(data).status, 1)
  assert.equal(readFileSync(log).length, bytes.length - 1)
  const { stdout, stderr, status } = verified(data, '--repair')
  assert.deepEqual([stderr, status], ['', 0])
  assert.match(stdout, /torn end[\s\S]*After that[\s\S]*words-0 +1 +1 .*sound/)
  assert.equal(readFileSync(log).length, bytes.length / 2)
  const kept = readdirSync(join(data, 'words-0')).find(name => name.endsWith('.corrupt'))!
  assert.equal(readFileSync(join(data, 'words-0', kept)).length, bytes.length / 2 - 1)
})

test('what a broker holds, and what is no log, is refused', async context => {
  const { data } = dataDirectory(context)
  const lock = await nodeDisk().lock(data)
  context.after(() => lock.release())
  for (const path of [data, join(data, 'words-0')]) {
    assert.match(
      verified(path, '--repair').stderr,
      /is in use by another broker.*: stop that one first/,
    )
  }
  const empty = mkdtempSync(join(tmpdir(), 'ottla-'))
  context.after(() => rmSync(empty, { recursive: true }))
  assert.match(verified(empty).stderr, /neither a data directory nor the folder of a partition/)
  assert.match(verified(join(empty, 'absent')).stderr, /cannot read .*: there is no such file/)
})
