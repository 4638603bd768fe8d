import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Member, PartitionState } from '../cluster/partition-state.ts'
import { LeaderState } from './leader-state.ts'

const self: Member = [1, 10n]
const two: Member = [2, 20n]
const three: Member = [3, 30n]

function state(isr: readonly Member[], minIsr = 1, replicas = [1, 2, 3]): PartitionState {
  return {
    leader: self,
    leaderEpoch: 4,
    partitionEpoch: 9,
    minIsr,
    replicas,
    isr,
    elr: [],
    lastKnown: [],
    adding: [],
    removing: [],
  }
}

function leading(
  committed: PartitionState,
  { epochStartOffset = 0, highWatermark = 0, usable = [two, three] } = {},
): LeaderState {
  const epochs = new Map(usable)
  return new LeaderState({
    self,
    state: committed,
    epochStartOffset,
    highWatermark,
    usable: id => epochs.get(id),
  })
}

test('alone, the watermark is the own end', () => {
  const leader = leading(state([self], 1, [1]), { epochStartOffset: 5, highWatermark: 3 })
  assert.equal(leader.isWatermarkKnown, false)
  assert.deepEqual(leader.onOwnEnd(5), { highWatermark: 5 })
  assert.equal(leader.isWatermarkKnown, true)
  assert.deepEqual(leader.onOwnEnd(5), {})
  assert.deepEqual(leader.onOwnEnd(8), { highWatermark: 8 })
})

test('the watermark is the smallest end of the ISR, and no follower counts before it fetched', () => {
  const leader = leading(state([self, two, three]))
  assert.deepEqual(leader.onOwnEnd(10), {})
  assert.deepEqual(leader.onFollowerEnd(two, 4, 9), {})
  assert.deepEqual(leader.onFollowerEnd(three, 4, 7), { highWatermark: 7 })
  assert.deepEqual(leader.onFollowerEnd(three, 4, 10), { highWatermark: 9 })
  assert.deepEqual(leader.onFollowerEnd(two, 4, 12), { highWatermark: 10 })
})

test('progress of another leadership, or another registration, counts for nothing', () => {
  const leader = leading(state([self, two]))
  leader.onOwnEnd(10)
  assert.deepEqual(leader.onFollowerEnd(two, 3, 10), {})
  assert.deepEqual(leader.onFollowerEnd([2, 21n], 4, 10), {})
  assert.deepEqual(leader.onFollowerEnd(two, 4, 10), { highWatermark: 10 })
})

test('the watermark stands still while the ISR is below minIsr, and never falls', () => {
  const leader = leading(state([self, two], 2), { usable: [] })
  leader.onOwnEnd(10)
  assert.deepEqual(leader.onFollowerEnd(two, 4, 10), { highWatermark: 10 })
  assert.deepEqual(leader.onCommitted(state([self], 2)), {})
  assert.equal(leader.hasEnoughReplicas, false)
  assert.deepEqual(leader.onOwnEnd(20), {})
  assert.deepEqual(leader.onCommitted(state([self], 1)), { highWatermark: 20 })
  assert.deepEqual(leader.onCommitted(state([self, two], 1)), {})
  assert.equal(leader.highWatermark, 20)
})

test('it waits for a caught-up follower that may join, and for none that may not', () => {
  const usable = [two]
  const leader = leading(state([self]), { usable })
  leader.onOwnEnd(5)
  assert.equal(leader.highWatermark, 5)
  leader.onFollowerEnd(two, 4, 5)
  leader.onFollowerEnd(three, 4, 5)
  assert.deepEqual(leader.onOwnEnd(9), {})
  assert.deepEqual(leader.onFollowerEnd(two, 4, 8), { highWatermark: 8 })
  const alone = leading(state([self]), { usable: [] })
  alone.onFollowerEnd(three, 4, 5)
  assert.deepEqual(alone.onOwnEnd(9), { highWatermark: 9 })
})
