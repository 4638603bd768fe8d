import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readBatch } from '../protocol/records/batch.ts'
import { buildBatch } from '../protocol/records/build.ts'
import {
  CleanedTransactions,
  fateOf,
  type LastOfProducer,
  TransactionScan,
} from './cleaned-transactions.ts'

const data = (producerId: number, baseOffset: number) =>
  readBatch(
    buildBatch({ baseOffset, producerId, producerEpoch: 0, baseSequence: 0, transactional: true }, [
      { key: 'a', value: 'x' },
    ]),
  )

const marker = (type: 'abort' | 'commit', producerId: number, baseOffset: number) =>
  readBatch(
    buildBatch({ baseOffset, producerId, producerEpoch: 0, transactional: true, control: true }, [
      { key: Buffer.from([0, 0, 0, type === 'abort' ? 0 : 1]), value: 'coordinator' },
    ]),
  )

const free = (baseOffset: number) => readBatch(buildBatch({ baseOffset }, [{ value: 'x' }]))

const log = [
  data(1, 0),
  data(2, 1),
  free(2),
  marker('abort', 1, 3),
  data(1, 4),
  marker('commit', 2, 5),
  marker('commit', 1, 6),
  data(2, 7),
]

function scanned(batches = log) {
  const scan = new TransactionScan()
  for (const batch of batches) scan.add(batch)
  return scan.end()
}

test('the headers of a log tell which transactions were aborted and which are open', () => {
  assert.deepEqual(scanned(), {
    aborted: [{ producerId: 1, firstOffset: 0, lastOffset: 3 }],
    openOffset: 7,
  })
  assert.equal(scanned([free(0)]).openOffset, Number.POSITIVE_INFINITY)
})

function idleOffsets(batches = log): number[] {
  const transactions = new CleanedTransactions(scanned(batches).aborted)
  return batches.filter(batch => transactions.isIdle(batch)).map(({ baseOffset }) => baseOffset)
}

test('aborted data goes; markers stay while the pass meets batches of theirs', () => {
  assert.deepEqual(idleOffsets(), [0])
})

test('a pass that begins behind a marker does not count it', () => {
  const transactions = new CleanedTransactions(scanned().aborted)
  const rest = log.filter(({ baseOffset }) => baseOffset > 3)
  assert.deepEqual(
    rest.map(batch => transactions.isIdle(batch)),
    [false, true, false, false],
  )
})

test('markers are idle once their data is gone', () => {
  assert.deepEqual(idleOffsets(log.filter(({ baseOffset }) => baseOffset > 1)), [3, 5])
})

test('a marker goes when it is idle and its horizon is over', () => {
  const producers = new Map()
  const plain = marker('commit', 2, 5)
  const late = readBatch(Uint8Array.from(plain.bytes))
  late.bytes[22]! |= 0x40 // The base timestamp is a horizon now: −1 is long over.
  const fate = (batch: typeof plain, isIdle: boolean) =>
    fateOf(batch, { isIdle, isLast: false }, producers, 1000)
  assert.deepEqual(fate(plain, true), { discards: false, keepsHeader: false, isIdleMarker: true })
  assert.deepEqual(fate(late, true), { discards: true, keepsHeader: false, isIdleMarker: true })
  assert.equal(fate(late, false).discards, false)
})

test('the last batch of a producer and the last of a segment keep their headers', () => {
  const keeps = (batch: (typeof log)[0], changes: Partial<LastOfProducer>, isLast = false) => {
    const last = { lastDataOffset: 9, stableOffset: 9, firstSequence: 5, producerEpoch: 0 }
    const known = new Map([[1, { ...last, ...changes }]])
    return fateOf(batch, { isIdle: false, isLast }, known, 0).keepsHeader
  }
  assert.equal(keeps(data(1, 9), {}), true)
  assert.equal(keeps(data(1, 4), {}), false)
  assert.equal(keeps(data(2, 9), {}), false)
  const markerOnly = { lastDataOffset: -1, stableOffset: -1, firstSequence: -1 }
  assert.equal(keeps(data(1, 4), markerOnly), false)
  assert.equal(keeps(marker('abort', 1, 4), markerOnly), true)
  assert.equal(keeps(marker('abort', 1, 4), { ...markerOnly, producerEpoch: 1 }), false)
  assert.equal(keeps(free(9), {}), false)
  assert.equal(keeps(free(4), {}, true), true)
})

test('the last batch that cannot be cut keeps its header besides', () => {
  const keeps = (batch: (typeof log)[0], stableOffset: number, firstSequence: number) => {
    const last = { lastDataOffset: 9, stableOffset, firstSequence, producerEpoch: 0 }
    return fateOf(batch, { isIdle: false, isLast: false }, new Map([[1, last]]), 0).keepsHeader
  }
  assert.equal(keeps(data(1, 4), 4, 0), true)
  assert.equal(keeps(data(1, 3), 4, 1), false)
  // None that is remembered is stable: it is the one before them, by its sequence.
  assert.equal(keeps(data(1, 4), -1, 1), true)
  assert.equal(keeps(data(1, 4), -1, 2), false)
})
