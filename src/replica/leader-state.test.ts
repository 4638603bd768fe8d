import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Member, PartitionState } from '../cluster/partition-state.ts'
import { LeaderState } from './leader-state.ts'

const self: Member = [1, 10n]
const two: Member = [2, 20n]
const three: Member = [3, 30n]
const four: Member = [4, 40n]

/** Of `stateAt`; every later state is of a later revision. */
let revision = 0n

function stateAt(isr: readonly Member[], minIsr = 1, replicas = [1, 2, 3]) {
  const value: PartitionState = {
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
  return { value, modRevision: ++revision }
}

interface Options {
  readonly epochStartOffset?: number
  readonly highWatermark?: number
  /** Alive, admitted and not stopping. */
  readonly usable?: readonly Member[]
  /** Alive. */
  readonly alive?: readonly Member[]
}

/** A leadership that began at 0 ms, with replica.lag.time.max.ms = 1000. */
function leading(known: ReturnType<typeof stateAt>, options: Options = {}): LeaderState {
  const { epochStartOffset = 0, highWatermark = 0, usable = [two, three, four] } = options
  const usableEpochs = new Map(usable)
  const epochs = new Map(options.alive ?? usable)
  return new LeaderState({
    self,
    known,
    epochStartOffset,
    highWatermark,
    nowMs: 0,
    cluster: {
      usable: id => usableEpochs.get(id),
      broker: id => (epochs.has(id) ? { brokerEpoch: epochs.get(id)! } : undefined),
      lagTimeMs: () => 1000,
    },
  })
}

const idsOf = (members: readonly Member[] | undefined) => members?.map(([id]) => id)

test('alone, the watermark is the own end', () => {
  const leader = leading(stateAt([self], 1, [1]), { epochStartOffset: 5, highWatermark: 3 })
  assert.equal(leader.isWatermarkKnown, false)
  assert.deepEqual(leader.onOwnEnd(5, 0), { highWatermark: 5 })
  assert.equal(leader.isWatermarkKnown, true)
  assert.deepEqual(leader.onOwnEnd(5, 0), {})
  assert.deepEqual(leader.onOwnEnd(8, 0), { highWatermark: 8 })
})

test('the watermark is the smallest end of the ISR, and no follower counts before it fetched', () => {
  const leader = leading(stateAt([self, two, three]))
  assert.deepEqual(leader.onOwnEnd(10, 0), {})
  assert.deepEqual(leader.onFollowerEnd(two, 4, 9, 0), {})
  assert.deepEqual(leader.onFollowerEnd(three, 4, 7, 0), { highWatermark: 7 })
  assert.deepEqual(leader.onFollowerEnd(three, 4, 10, 0), { highWatermark: 9 })
  assert.deepEqual(leader.onFollowerEnd(two, 4, 12, 0), { highWatermark: 10 })
})

test('the watermark waits for the own end: only what is durable here, where the policy says so', () => {
  const leader = leading(stateAt([self, two]))
  assert.deepEqual(leader.onFollowerEnd(two, 4, 10, 0), {})
  assert.deepEqual(leader.onOwnEnd(6, 0), { highWatermark: 6 })
})

test('progress of another leadership, or another registration, counts for nothing', () => {
  const leader = leading(stateAt([self, two]), { usable: [] })
  leader.onOwnEnd(10, 0)
  assert.deepEqual(leader.onFollowerEnd(two, 3, 10, 0), {})
  assert.deepEqual(leader.onFollowerEnd(two, 5, 10, 0), {})
  assert.deepEqual(leader.onFollowerEnd([2, 21n], 4, 10, 0), {})
  assert.deepEqual(leader.onFollowerEnd(two, 4, 10, 0), { highWatermark: 10 })
})

test('the watermark stands still while the ISR is below minIsr, and never falls', () => {
  const leader = leading(stateAt([self, two], 2), { usable: [] })
  leader.onOwnEnd(10, 0)
  assert.deepEqual(leader.onFollowerEnd(two, 4, 10, 0), { highWatermark: 10 })
  assert.deepEqual(leader.onCommitted(stateAt([self], 2), 0), {})
  assert.equal(leader.hasEnoughReplicas, false)
  assert.deepEqual(leader.onOwnEnd(20, 0), {})
  assert.deepEqual(leader.onCommitted(stateAt([self], 1), 0), { highWatermark: 20 })
  assert.deepEqual(leader.onCommitted(stateAt([self, two], 1), 0), {})
  assert.equal(leader.highWatermark, 20)
})

test('that the ISR is large enough, the store says: a proposal that would make it so does not', () => {
  const leader = leading(stateAt([self], 2))
  leader.onOwnEnd(10, 0)
  const { propose, highWatermark } = leader.onFollowerEnd(two, 4, 10, 0)
  assert.deepEqual(idsOf(propose?.isr), [1, 2])
  assert.equal(highWatermark, undefined)
  assert.equal(leader.hasEnoughReplicas, false)
  assert.deepEqual(leader.onCommitted(stateAt([self, two], 2), 0), { highWatermark: 10 })
})

test('a member that is proposed counts at once, and one that is to leave still counts', () => {
  const leader = leading(stateAt([self, two]))
  leader.onOwnEnd(10, 0)
  leader.onFollowerEnd(two, 4, 10, 0)
  assert.deepEqual(idsOf(leader.onFollowerEnd(three, 4, 10, 0).propose?.added), [3])
  assert.deepEqual(leader.onOwnEnd(20, 5000), {})
  assert.deepEqual(leader.onFollowerEnd(two, 4, 20, 5000), {})
  assert.deepEqual(leader.onFollowerEnd(three, 4, 15, 5000), { highWatermark: 15 })

  const shrinking = leading(stateAt([self, two, three]))
  shrinking.onOwnEnd(10, 0)
  shrinking.onFollowerEnd(two, 4, 10, 0)
  assert.deepEqual(idsOf(shrinking.onLagCheck(1001).propose?.isr), [1, 2])
  assert.deepEqual(shrinking.onOwnEnd(11, 1001), {})
  assert.deepEqual(idsOf(shrinking.maximalIsr()), [1, 2, 3])
  assert.deepEqual(shrinking.onCommitted(stateAt([self, two]), 1001), { highWatermark: 10 })
})

test('a proposal stays pending until its outcome is certain, and there is one at a time', () => {
  const leader = leading(stateAt([self]))
  leader.onOwnEnd(10, 0)
  const { propose: first } = leader.onFollowerEnd(two, 4, 10, 0)
  assert.deepEqual(idsOf(first?.isr), [1, 2])
  assert.equal(leader.onFollowerEnd(three, 4, 10, 0).propose, undefined)
  assert.equal(leader.pending, first)
  leader.onOwnEnd(20, 1_000_000)
  assert.equal(leader.highWatermark, 10, 'however long it takes, the proposed member counts')

  assert.deepEqual(leader.onRefused(first!, 1_000_000), { highWatermark: 20 })
  assert.equal(leader.pending, undefined)
  const { propose: second } = leader.onFollowerEnd(three, 4, 20, 1_000_000)
  assert.deepEqual(idsOf(second?.isr), [1, 3])
  assert.deepEqual(leader.onRefused(first!, 1_000_000), {}, 'a late word about the first')
  assert.equal(leader.pending, second)

  const lagging = leading(stateAt([self, two]))
  lagging.onOwnEnd(10, 0)
  const { propose: third } = lagging.onFollowerEnd(three, 4, 10, 0)
  assert.equal(lagging.onLagCheck(1_000_000).propose, undefined)
  assert.equal(lagging.pending, third)
})

test('a later state resolves a proposal, an earlier one changes nothing', () => {
  const before = stateAt([self, three])
  const leader = leading(stateAt([self]))
  leader.onOwnEnd(10, 0)
  const { propose } = leader.onFollowerEnd(two, 4, 10, 0)
  assert.deepEqual(leader.onCommitted(before, 0), {})
  assert.equal(leader.pending, propose)
  assert.deepEqual(idsOf(leader.committed.isr), [1])
  leader.onCommitted(stateAt([self, two]), 0)
  assert.equal(leader.pending, undefined)
  assert.deepEqual(idsOf(leader.committed.isr), [1, 2])
})

test('a follower joins when it holds what is replicated and what this epoch began with', () => {
  const joins = (endOffset: number) => {
    const leader = leading(stateAt([self, two]), { epochStartOffset: 8, highWatermark: 5 })
    leader.onOwnEnd(20, 0)
    leader.onFollowerEnd(two, 4, 12, 0)
    assert.equal(leader.highWatermark, 12)
    return idsOf(leader.onFollowerEnd(three, 4, endOffset, 0).propose?.added)
  }
  assert.equal(joins(11), undefined, 'I1: it is below the watermark')
  assert.deepEqual(joins(12), [3])

  const lagging = leading(stateAt([self, two]), { epochStartOffset: 8, highWatermark: 5 })
  lagging.onOwnEnd(20, 0)
  assert.equal(lagging.onFollowerEnd(three, 4, 7, 0).propose, undefined, 'I2: the true one is 8')
  assert.deepEqual(idsOf(lagging.onFollowerEnd(three, 4, 8, 0).propose?.added), [3])
})

test('a follower joins only by a fetch of this epoch, with a registration that is usable', () => {
  const leader = leading(stateAt([self]), { usable: [two, four] })
  leader.onOwnEnd(10, 0)
  assert.equal(leader.onFollowerEnd(two, 3, 10, 0).propose, undefined, 'I3')
  assert.equal(leader.onFollowerEnd([2, 19n], 4, 10, 0).propose, undefined, 'I4')
  assert.equal(leader.onFollowerEnd(three, 4, 10, 0).propose, undefined, 'I4, I5')
  assert.equal(leader.onFollowerEnd(four, 4, 10, 0).propose, undefined, 'no replica')
  const { propose } = leader.onFollowerEnd(two, 4, 10, 0)
  assert.deepEqual(propose?.isr, [self, two])
  assert.deepEqual(propose?.added, [two])
})

test('a member leaves when it was not caught up for longer than the limit', () => {
  const leader = leading(stateAt([self, two, three]))
  leader.onOwnEnd(10, 0)
  leader.onFollowerEnd(two, 4, 10, 500)
  leader.onOwnEnd(20, 600)
  assert.deepEqual(leader.onLagCheck(1000), {}, 'a new leader takes the ISR for caught up')
  assert.deepEqual(leader.onLagCheck(1001).propose?.isr, [self, two])
  leader.onCommitted(stateAt([self, two]), 1001)
  assert.deepEqual(leader.onLagCheck(1500), {})
  assert.deepEqual(leader.onLagCheck(1501).propose?.isr, [self])
})

test('a member that reaches what the leader had at its previous fetch was caught up then', () => {
  const leader = leading(stateAt([self, two]))
  leader.onOwnEnd(10, 0)
  leader.onFollowerEnd(two, 4, 5, 100)
  leader.onOwnEnd(20, 200)
  leader.onFollowerEnd(two, 4, 10, 900)
  assert.deepEqual(leader.onLagCheck(1100), {}, 'it held all that there was at 100')
  assert.deepEqual(idsOf(leader.onLagCheck(1101).propose?.isr), [1])
})

test('an idle member at the end of the log stays', () => {
  const leader = leading(stateAt([self, two]))
  leader.onOwnEnd(10, 0)
  leader.onFollowerEnd(two, 4, 10, 0)
  assert.deepEqual(leader.onLagCheck(1_000_000), {})
})

test('it waits for a caught-up follower that may join, and for none that may not', () => {
  const leader = leading(stateAt([self, two]))
  leader.onOwnEnd(5, 0)
  leader.onFollowerEnd(two, 4, 5, 0)
  const { propose } = leader.onFollowerEnd(three, 4, 5, 0)
  leader.onCommitted(stateAt([self, two]), 0)
  assert.notEqual(propose, undefined)
  leader.onOwnEnd(9, 0)
  assert.deepEqual(leader.onFollowerEnd(two, 4, 9, 0), {}, 'the third may join')
  assert.deepEqual(leader.onOwnEnd(10, 1001), { highWatermark: 9 }, 'it is silent for too long')

  const idle = leading(stateAt([self, two]))
  idle.onOwnEnd(5, 0)
  idle.onFollowerEnd(two, 4, 5, 0)
  idle.onFollowerEnd(three, 4, 5, 0)
  idle.onCommitted(stateAt([self, two]), 0)
  idle.onOwnEnd(9, 0)
  idle.onFollowerEnd(two, 4, 9, 0)
  assert.deepEqual(idle.onFollowerEnd(two, 4, 9, 1001), { highWatermark: 9 }, 'the same, later')

  const alone = leading(stateAt([self]), { usable: [] })
  alone.onFollowerEnd(three, 4, 5, 0)
  assert.deepEqual(alone.onOwnEnd(9, 0), { highWatermark: 9 })
})

test('a member that left because it lags holds nobody up', () => {
  const leader = leading(stateAt([self, two]))
  leader.onOwnEnd(5, 0)
  leader.onFollowerEnd(two, 4, 5, 0)
  leader.onOwnEnd(9, 0)
  leader.onLagCheck(1001)
  assert.deepEqual(leader.onCommitted(stateAt([self]), 1001), { highWatermark: 9 })
})

test('only a replica is served as a follower, and only at its newest registration', () => {
  const leader = leading(stateAt([self, two]), { alive: [[3, 31n]] })
  const refusal = { error: 'NOT_LEADER_OR_FOLLOWER' }
  leader.refuseUnlessReplica(two)
  leader.refuseUnlessReplica([3, 31n])
  assert.throws(() => leader.refuseUnlessReplica(four), refusal)
  assert.throws(() => leader.refuseUnlessReplica([1, 10n]), refusal)
  assert.throws(() => leader.refuseUnlessReplica(three), refusal)
  leader.onFollowerEnd([2, 21n], 4, 0, 0)
  assert.throws(() => leader.refuseUnlessReplica(two), refusal)
})

test('members hold what lies between their log start and their end', () => {
  const leader = leading(stateAt([self, two, three]))
  leader.onOwnEnd(10, 0)
  leader.onFollowerEnd(two, 4, 10, 0, 4)
  const holding = (offset: number) => [...leader.membersHolding(offset)].map(end => end.brokerId)
  assert.deepEqual([holding(3), holding(4), holding(10), holding(11)], [[], [2], [2], []])
  leader.onFollowerEnd(three, 4, 7, 0)
  assert.deepEqual([holding(3), holding(7), holding(8)], [[3], [2, 3], [2]])
  leader.onCommitted(stateAt([self, two]), 0)
  assert.deepEqual(holding(7), [2], 'only those of the ISR')
})

test('a replica that left and comes back is nobody who fetched', () => {
  const leader = leading(stateAt([self, two]))
  leader.onOwnEnd(10, 0)
  leader.onFollowerEnd(two, 4, 10, 0)
  leader.onCommitted(stateAt([self], 1, [1, 3]), 0)
  leader.onCommitted(stateAt([self], 1, [1, 2, 3]), 0)
  assert.deepEqual(leader.onOwnEnd(20, 0), { highWatermark: 20 })
})

test('a leader that cannot write makes way after a while, if another member can lead', () => {
  const leader = leading(stateAt([self, two, three]), { usable: [three] })
  assert.deepEqual(leader.onFullDisk(14_999), {})
  assert.deepEqual(idsOf(leader.onFullDisk(15_000).propose?.isr), [2, 3])
  assert.deepEqual(leader.onFullDisk(15_001), {}, 'one proposal at a time')
  assert.deepEqual(leading(stateAt([self, two]), { usable: [] }).onFullDisk(15_000), {})
  assert.deepEqual(leading(stateAt([self])).onFullDisk(15_000), {})
})
