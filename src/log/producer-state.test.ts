import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Batch } from '../protocol/records/batch.ts'
import { buildBatch } from '../protocol/records/build.ts'
import { decodeSnapshot, encodeSnapshot } from './producer-snapshot.ts'
import { nextSequence, ProducerState } from './producer-state.ts'

const day = 86_400_000

/** A stored batch of `count` records. */
function batch(baseSequence: number, options: Partial<Options> = {}): Batch {
  const { producerId = 1, producerEpoch = 0, count = 1, baseOffset = 0 } = options
  const records = Array.from({ length: count }, () => ({ value: 'v' }))
  return new Batch(buildBatch({ producerId, producerEpoch, baseSequence, baseOffset }, records))
}

interface Options {
  producerId: number
  producerEpoch: number
  count: number
  baseOffset: number
}

/** What `check` answers: `new`, the offset of the original, or the error. */
function outcome(state: ProducerState, sent: Batch, nowMs = 0): string | number {
  try {
    return state.check(sent, nowMs)?.baseOffset ?? 'new'
  } catch (error) {
    return (error as { error: string }).error
  }
}

test('the last five batches are recognized, and what follows the newest is new', () => {
  const state = new ProducerState(day)
  assert.equal(outcome(state, batch(7)), 'new') // Nothing is known yet: any sequence.
  for (let index = 0; index < 8; index++) {
    const sent = batch(index * 3, { count: 3, baseOffset: 100 + index * 3 })
    assert.equal(outcome(state, sent), 'new')
    state.append(sent, 0)
  }
  const again = Array.from({ length: 8 }, (_, index) =>
    outcome(state, batch(index * 3, { count: 3 })),
  )
  const gone = 'OUT_OF_ORDER_SEQUENCE_NUMBER'
  assert.deepEqual(again, [gone, gone, gone, 109, 112, 115, 118, 121])
  assert.equal(outcome(state, batch(21, { count: 2 })), gone) // Same start, another end.
  assert.equal(outcome(state, batch(25)), gone)
  assert.equal(outcome(state, batch(24)), 'new')
  assert.equal(outcome(state, batch(24, { producerId: 2 })), 'new')
})

test('sequences go round after 2^31 - 1', () => {
  assert.equal(nextSequence(2 ** 31 - 1), 0)
  const state = new ProducerState(day)
  state.append(batch(2 ** 31 - 2, { count: 2, baseOffset: 10 }), 0)
  assert.equal(outcome(state, batch(0)), 'new')
  state.append(batch(0, { baseOffset: 12 }), 0)
  state.append(batch(1, { baseOffset: 13 }), 0)
  assert.equal(outcome(state, batch(2 ** 31 - 2, { count: 2 })), 10)

  const across = new ProducerState(day)
  across.append(batch(2 ** 31 - 2, { count: 4, baseOffset: 20 }), 0)
  assert.equal(outcome(across, batch(2)), 'new')
  const reread = decodeSnapshot(encodeSnapshot(across), day)!
  assert.equal(outcome(reread, batch(2 ** 31 - 2, { count: 4 })), 20)
})

test('an older epoch is refused, a newer one begins with 0 and forgets the old batches', () => {
  const state = new ProducerState(day)
  state.append(batch(0, { producerEpoch: 3 }), 0)
  assert.equal(outcome(state, batch(1, { producerEpoch: 2 })), 'INVALID_PRODUCER_EPOCH')
  assert.equal(outcome(state, batch(1, { producerEpoch: 4 })), 'OUT_OF_ORDER_SEQUENCE_NUMBER')
  assert.equal(outcome(state, batch(0, { producerEpoch: 4 })), 'new')
  state.append(batch(0, { producerEpoch: 4, baseOffset: 9 }), 0)
  assert.equal(outcome(state, batch(0, { producerEpoch: 4 })), 9)
  assert.equal(outcome(state, batch(1, { producerEpoch: 3 })), 'INVALID_PRODUCER_EPOCH')
})

test('undone appends leave no trace', () => {
  const state = new ProducerState(day)
  state.append(batch(0), 0)
  const undos = [state.append(batch(1), 0), state.append(batch(2), 0)]
  const first = state.append(batch(0, { producerId: 2 }), 0)
  state.undo(first)
  for (const undo of undos.reverse()) state.undo(undo)
  assert.equal(state.size, 1)
  assert.equal(outcome(state, batch(1)), 'new')
})

test('a producer not heard of for producer.id.expiration.ms is forgotten', () => {
  const state = new ProducerState(day)
  state.append(batch(5), 1000)
  assert.equal(outcome(state, batch(9), 1000 + day - 1), 'OUT_OF_ORDER_SEQUENCE_NUMBER')
  assert.equal(outcome(state, batch(9), 1000 + day), 'new')
  state.expire(1000 + day - 1)
  assert.equal(state.size, 1)
  state.expire(1000 + day)
  assert.equal(state.size, 0)
})

test('a snapshot holds all remembered batches, and a changed byte anywhere is noticed', () => {
  const state = new ProducerState(day)
  for (let index = 0; index < 7; index++) {
    state.append(batch(index, { baseOffset: 50 + index }), 77)
    state.append(batch(index * 2, { producerId: 8, count: 2, baseOffset: 80 + index * 2 }), 78)
  }
  const bytes = encodeSnapshot(state)
  const reread = decodeSnapshot(bytes, day)!
  assert.deepEqual([...reread.entries()], [...state.entries()])
  for (let at = 0; at < bytes.length; at++) {
    const changed = bytes.slice()
    changed[at]! ^= 0x10
    assert.equal(decodeSnapshot(changed, day), undefined)
    assert.equal(decodeSnapshot(bytes.subarray(0, at), day), undefined)
  }
})
