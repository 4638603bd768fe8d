import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { setInt32, setInt64 } from '../base/bytes.ts'
import { encodeAborted } from '../log/transaction-index.ts'
import { buildBatch } from '../protocol/records/build.ts'

const bin = fileURLToPath(new URL('../bin.js', import.meta.url))

/** Writes a file and has the command dump it; answers the lines printed and the refusal, if any. */
function dumped(
  context: TestContext,
  name: string,
  bytes: Uint8Array,
  ...options: string[]
): { lines: string[]; refusal: string | undefined } {
  const directory = mkdtempSync(join(tmpdir(), 'ottla-'))
  context.after(() => rmSync(directory, { recursive: true }))
  const path = join(directory, name)
  writeFileSync(path, bytes)
  return dumpedFile(path, ...options)
}

function dumpedFile(path: string, ...options: string[]) {
  const args = [bin, 'log', 'dump', path, ...options]
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  assert.equal(status, stderr === '' ? 0 : 1)
  return { lines: stdout.split('\n').slice(0, -1), refusal: stderr === '' ? undefined : stderr }
}

const timestamp = 1_700_000_000_000
const first = buildBatch({ compression: 'gzip', leaderEpoch: 3 }, [
  { key: 'k', value: 'one', timestamp },
  { value: null, timestamp, headers: [{ key: 'h', value: Buffer.from('v') }] },
])
const second = buildBatch(
  { baseOffset: 2, leaderEpoch: 3, producerId: 9, producerEpoch: 1, baseSequence: 5 },
  [{ value: 'three', timestamp }],
)
const segment = Buffer.concat([first, second])
const segmentName = '00000000000000000000.log'

test('a segment is shown batch by batch, and found sound', context => {
  const { lines, refusal } = dumped(context, segmentName, segment)
  assert.equal(refusal, undefined)
  assert.equal(lines.length, 3)
  assert.match(lines[0]!, /^offsets 0–1 {2}at byte 0 .* 2 records {2}gzip {2}epoch 3 .*CRC good$/)
  assert.match(lines[1]!, new RegExp(`at byte ${first.length} .*producer 9/1 sequences 5–5`))
  assert.match(lines[2]!, /^2 batches, 3 records, .*: sound$/)
})

test('records are shown on request, as text or JSON', context => {
  const text = dumped(context, segmentName, segment, '--records')
  assert.match(text.lines[1]!, /^ {4}0 {2}2023-11-14T22:13:20.000Z {2}key=k {2}value=one/)
  const { lines } = dumped(context, segmentName, segment, '--records', '--json')
  const [batch] = lines.map(line => JSON.parse(line))
  assert.equal(lines.length, 2)
  assert.equal(batch.crcValid, true)
  assert.deepEqual(batch.records[1], {
    offset: 1,
    timestamp,
    key: null,
    value: null,
    headers: [{ key: 'h', value: 'v' }],
  })
})

test('a wrong CRC is said of its batch and in the end', context => {
  const damaged = Buffer.from(segment)
  damaged[first.length + 61]! ^= 1
  const { lines, refusal } = dumped(context, segmentName, damaged, '--records')
  assert.match(lines.at(-1)!, /CRC WRONG$/)
  assert.match(refusal!, /CRC wrong in 1 batches/)
})

test('what is no batch ends the dump with its position', context => {
  const torn = dumped(context, segmentName, segment.subarray(0, segment.length - 1))
  assert.equal(torn.lines.length, 1)
  assert.match(torn.refusal!, new RegExp(`begins at byte ${first.length} .*is damaged`))
  const zeros = dumped(context, segmentName, Buffer.concat([segment, Buffer.alloc(100)]))
  assert.match(zeros.refusal!, new RegExp(`begins at byte ${segment.length} .*is damaged`))
})

test('a batch larger than the window is read whole', context => {
  const value = Buffer.alloc(5 * 1024 * 1024, 'x')
  const large = buildBatch({ baseOffset: 3 }, [{ value, timestamp }])
  const { lines, refusal } = dumped(context, segmentName, Buffer.concat([segment, large]))
  assert.equal(refusal, undefined)
  assert.match(lines.at(-1)!, /^3 batches, 4 records, 5\.0 MiB: sound$/)
})

test('index entries are shown up to the filler behind them', context => {
  const index = new Uint8Array(8 * 4)
  setInt32(index, 0, 10)
  setInt32(index, 4, 4096)
  setInt32(index, 8, 20)
  setInt32(index, 12, 8192)
  const offsets = dumped(context, '00000000000000000100.index', index)
  assert.deepEqual(offsets.lines, ['offset 110  at byte 4096', 'offset 120  at byte 8192'])
  const times = new Uint8Array(12 * 2)
  setInt64(times, 0, timestamp)
  setInt32(times, 8, 7)
  const { lines } = dumped(context, '00000000000000000100.timeindex', times, '--json')
  assert.deepEqual(
    lines.map(line => JSON.parse(line)),
    [{ timestamp, offset: 107 }],
  )
})

test('entries of a transaction index are shown, up to the first that makes no sense', context => {
  const entry = { producerId: 7, firstOffset: 3, lastOffset: 9, lastStableOffset: 5 }
  const index = encodeAborted(entry)
  const { lines } = dumped(context, '0.txnindex', index)
  assert.deepEqual(lines, ['producer 7  offsets 3–9  last stable offset 5'])
  assert.deepEqual(JSON.parse(dumped(context, '0.txnindex', index, '--json').lines[0]!), entry)
  assert.match(dumped(context, '0.txnindex', index.subarray(1)).refusal!, /at byte 0/)
})

test('other files are refused', context => {
  assert.match(dumped(context, 'x.txt', segment).refusal!, /give a \.log/)
  assert.match(dumped(context, 'x.index', segment).refusal!, /base offset/)
  assert.match(dumped(context, '0.snapshot', segment).refusal!, /not a sound producer/)
  assert.match(dumpedFile('/does/not/exist.log').refusal!, /cannot read/)
})
