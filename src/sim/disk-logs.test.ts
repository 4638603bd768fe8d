import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildBatch } from '../protocol/records/build.ts'
import { type DiskLog, DiskLogs, type StoredBatch } from './disk-logs.ts'
import { PartitionTruth } from './partition-truth.ts'
import { simulated, type World } from './world.ts'

const path = '/data/words-0/00000000000000000000.log'

function batch(baseOffset: number, leaderEpoch: number, value = 'x'): Uint8Array {
  return buildBatch({ baseOffset, leaderEpoch }, [{ key: null, value, timestamp: 0 }])
}

async function watched(world: World) {
  const told: string[] = []
  const logs = new DiskLogs('a', world.disk('a'), {
    onBatch: (_, { baseOffset, leaderEpoch }) => void told.push(`${baseOffset}/${leaderEpoch}`),
    onCut: (_, offset) => void told.push(`cut ${offset}`),
  })
  const { disk } = world.io('a')
  await disk.makeDirectory('/data')
  await disk.makeDirectory('/data/words-0')
  return { told, logs, disk, file: await disk.open(path, { create: true }) }
}

test('a log on disk is its whole batches, followed as they are written, cut and lost', () =>
  simulated().run(async world => {
    const { told, logs, disk, file } = await watched(world)
    const [first, second] = [batch(0, 1), batch(1, 2)]
    await file.write([first, second.subarray(0, 20)], 0)
    logs.refresh()
    assert.deepEqual(told.splice(0), ['0/1'])
    await file.write([second.subarray(20)], first.length + 20)
    logs.refresh()
    assert.deepEqual([told.splice(0), logs.get('words-0')?.endOffset], [['1/2'], 2])
    await file.truncate(first.length)
    await file.write([batch(1, 3)], first.length)
    logs.refresh()
    assert.deepEqual(told.splice(0), ['cut 1', '1/3'])
    await disk.rename('/data/words-0', '/data/words-0.x-delete')
    logs.refresh()
    assert.deepEqual([told, logs.get('words-0')?.endOffset], [['cut 0'], 0])
  }))

test('damage ends a log', () =>
  simulated().run(async world => {
    const { told, logs, file } = await watched(world)
    const first = batch(0, 1)
    await file.write([first, batch(1, 1)], 0)
    logs.refresh()
    world.disk('a').flip(path, first.length + 62)
    logs.refresh()
    assert.deepEqual(told, ['0/1', '1/1', 'cut 1'])
  }))

const state = {
  leader: null,
  leaderEpoch: 0,
  partitionEpoch: 0,
  minIsr: 1,
  replicas: [1, 2],
  isr: [],
  elr: [[1, 5n]],
  lastKnown: [],
  adding: [],
  removing: [],
} as const

function stored(baseOffset: number, leaderEpoch: number, crc = 1): StoredBatch {
  return { baseOffset, endOffset: baseOffset + 1, leaderEpoch, crc }
}

function log(host: string, ...batches: StoredBatch[]): DiskLog {
  return { host, batches, endOffset: batches.at(-1)?.endOffset ?? 0 } as DiskLog
}

test('what was committed must be in the log of every later leader, at its place', () => {
  const truth = new PartitionTruth('words-0', 'id', state)
  assert.equal(truth.raise(2, log('a', stored(0, 1), stored(1, 1))), undefined)
  assert.equal(truth.raise(2, log('b', stored(0, 1), stored(1, 1))), undefined)
  assert.match(
    truth.raise(3, log('c', stored(0, 1), stored(1, 2), stored(2, 2)))!,
    /LeaderComplete/,
  )
  assert.match(truth.raise(3, log('a', stored(0, 1), stored(1, 1)))!, /its log ends at 2/)
  assert.match(truth.missing(log('d', stored(0, 1)), 2)!, /holds nothing/)
})

test('an epoch has one writer, and one content at each offset; epochs of a log rise', () => {
  const truth = new PartitionTruth('words-0', 'id', state)
  assert.equal(truth.appended(3, 'a#1'), undefined)
  assert.equal(truth.appended(3, 'a#1'), undefined)
  assert.match(truth.appended(3, 'a#2')!, /EpochUnique/)
  assert.equal(truth.stored(stored(0, 3), undefined), undefined)
  assert.match(truth.stored(stored(0, 3, 2), undefined)!, /LogMatching/)
  assert.match(truth.stored(stored(1, 2), stored(0, 3))!, /EpochsGrow/)
})

test('a state in the store has the shape that elections need', () => {
  const wrong = (changes: object) => new PartitionTruth('words-0', 'id', { ...state, ...changes })
  assert.equal(wrong({}).wrongState(undefined), undefined)
  assert.match(wrong({ elr: [] }).wrongState(undefined)!, /nobody is left/)
  assert.match(wrong({ isr: [[1, 5n]] }).wrongState(undefined)!, /in the ISR and in the ELR/)
  assert.match(wrong({ isr: [[2, 6n]] }).wrongState(undefined)!, /beside a large enough ISR/)
  assert.match(wrong({ elr: [[3, 6n]] }).wrongState(undefined)!, /has no replica/)
  assert.match(wrong({ leader: [1, 5n] }).wrongState(undefined)!, /is not in the ISR/)
  assert.match(wrong({ partitionEpoch: 2 }).wrongState(state)!, /partition epoch/)
})
