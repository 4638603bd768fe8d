import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytes, Desk, givenId, joinedOf, subscription } from './fixture.ts'

const range = { name: 'range', metadata: subscription('t') }
const sticky = { name: 'sticky', metadata: subscription('t') }

test('with no initial delay the first member is a generation at once, and leads it', () => {
  const desk = new Desk()
  const joined = joinedOf(desk.join())!
  assert.equal(joined.generationId, 1)
  assert.equal(joined.leader, joined.memberId)
  assert.equal(joined.protocolName, 'range')
  assert.equal(joined.protocolType, 'consumer')
  assert.deepEqual(joined.members, [
    { memberId: joined.memberId, groupInstanceId: null, metadata: subscription('t') },
  ])
  assert.equal(desk.phase(), 'CompletingRebalance')
  assert.deepEqual(desk.records, [])
})

test('the leader is given the members, the followers none', () => {
  const desk = new Desk()
  const [leader, follower] = desk.stable(2)
  assert.equal(leader!.members.length, 2)
  assert.equal(follower!.members.length, 0)
  assert.equal(follower!.leader, leader!.memberId)
  assert.equal(follower!.generationId, leader!.generationId)
})

test('the initial delay grows while members arrive, up to the rebalance time-out', () => {
  const desk = new Desk({ initialRebalanceDelayMs: 3000 })
  const first = desk.join({ rebalanceTimeoutMs: 7000 })
  desk.pass(2000)
  const second = desk.join({ rebalanceTimeoutMs: 7000 })
  desk.pass(1000)
  desk.pass(2000)
  const third = desk.join({ rebalanceTimeoutMs: 7000 })
  desk.pass(1000)
  assert.equal(joinedOf(first), undefined)
  desk.join({ rebalanceTimeoutMs: 7000 })
  desk.pass(1000)
  for (const told of [first, second, third]) assert.equal(joinedOf(told)?.generationId, 1)
  assert.equal(joinedOf(first)!.members.length, 4)
})

test('without newcomers the initial delay ends as it was set', () => {
  const desk = new Desk({ initialRebalanceDelayMs: 3000 })
  const told = desk.join()
  desk.pass(2999)
  assert.equal(joinedOf(told), undefined)
  desk.pass(1)
  assert.equal(joinedOf(told)?.generationId, 1)
})

test('a dynamic member is given an id first, and joins with it (KIP-394)', () => {
  const desk = new Desk()
  const memberId = givenId(desk.join({ requireKnownMemberId: true }))!
  assert.equal(desk.phase(), 'Empty')
  assert.equal(joinedOf(desk.join({ memberId, requireKnownMemberId: true }))?.memberId, memberId)
})

test('a static member needs no id first', () => {
  const desk = new Desk()
  assert.ok(joinedOf(desk.join({ requireKnownMemberId: true, groupInstanceId: 'a' })))
})

test('an id that nobody comes back with is forgotten after the session time-out, and the group', () => {
  const desk = new Desk()
  const memberId = givenId(desk.join({ requireKnownMemberId: true }))!
  desk.pass(10_000)
  assert.equal(desk.phase(), 'GROUP_ID_NOT_FOUND')
  assert.equal(desk.join({ memberId }).error, 'UNKNOWN_MEMBER_ID')
  assert.equal(desk.state.nextDeadlineMs(), Number.POSITIVE_INFINITY)
})

test('a pending member holds up the join phase until it comes or its time is over', () => {
  const desk = new Desk()
  const [first] = desk.stable(1)
  desk.join({ requireKnownMemberId: true })
  const second = desk.join()
  const again = desk.join({ memberId: first!.memberId })
  assert.equal(joinedOf(again), undefined)
  desk.pass(10_000)
  assert.equal(joinedOf(again)?.generationId, 2)
  assert.equal(joinedOf(second)?.generationId, 2)
})

test('a pending id is not for a static member', () => {
  const desk = new Desk()
  const memberId = givenId(desk.join({ requireKnownMemberId: true }))!
  assert.equal(desk.join({ memberId, groupInstanceId: 'a' }).error, 'INVALID_REQUEST')
})

test('a member id that the group does not know is refused', () => {
  const desk = new Desk()
  assert.equal(desk.join({ memberId: 'ghost' }).error, 'UNKNOWN_MEMBER_ID')
  desk.stable(1)
  assert.equal(desk.join({ memberId: 'ghost' }).error, 'UNKNOWN_MEMBER_ID')
})

test('session time-outs outside the bounds are refused', () => {
  const desk = new Desk()
  assert.equal(desk.join({ sessionTimeoutMs: 5999 }).error, 'INVALID_SESSION_TIMEOUT')
  assert.equal(desk.join({ sessionTimeoutMs: 1_800_001 }).error, 'INVALID_SESSION_TIMEOUT')
  assert.ok(joinedOf(desk.join({ sessionTimeoutMs: 6000 })))
})

test('a member has to share the protocol type and one protocol with all others', () => {
  const desk = new Desk()
  assert.equal(desk.join({ protocols: [] }).error, 'INCONSISTENT_GROUP_PROTOCOL')
  assert.equal(desk.join({ protocolType: '' }).error, 'INCONSISTENT_GROUP_PROTOCOL')
  assert.equal(desk.phase(), 'GROUP_ID_NOT_FOUND', 'a refused join leaves no group behind')
  desk.stable(1)
  assert.equal(desk.join({ protocolType: 'connect' }).error, 'INCONSISTENT_GROUP_PROTOCOL')
  assert.equal(desk.join({ protocols: [sticky] }).error, 'INCONSISTENT_GROUP_PROTOCOL')
  assert.equal(desk.join({ protocols: [sticky, range] }).error, undefined)
})

test('the protocol that most members prefer is chosen of those that all know', () => {
  const desk = new Desk({ initialRebalanceDelayMs: 3000 })
  const lonely = { name: 'lonely', metadata: bytes('') }
  const told = desk.join({ protocols: [range, sticky] })
  desk.join({ protocols: [lonely, sticky, range] })
  desk.join({ protocols: [sticky, range] })
  desk.pass(60_000)
  assert.equal(joinedOf(told)?.protocolName, 'sticky')
})

test('of two protocols of one name the first counts', () => {
  const desk = new Desk()
  const other = { name: 'range', metadata: bytes('second') }
  const joined = joinedOf(desk.join({ protocols: [range, other] }))!
  assert.deepEqual(joined.members[0]!.metadata, range.metadata)
  desk.leave(joined)
  assert.equal(joinedOf(desk.join({ protocols: [sticky] }))?.protocolName, 'sticky')
})

test('a full group takes no new member, but its own again', () => {
  const desk = new Desk({ maxSize: 2 })
  const [leader, follower] = desk.stable(2)
  assert.equal(desk.join().error, 'GROUP_MAX_SIZE_REACHED')
  const again = desk.join({ memberId: leader!.memberId })
  desk.join({ memberId: follower!.memberId })
  assert.equal(joinedOf(again)?.generationId, leader!.generationId + 1)
})

test('a full group lets a static member replace itself', () => {
  const desk = new Desk({ maxSize: 1 })
  desk.stable(1, ['a'])
  assert.equal(desk.join({ groupInstanceId: 'a' }).error, undefined)
})

test('when the bound is lowered, the members that join again last lose their place', () => {
  const desk = new Desk()
  const [leader, follower] = desk.stable(2)
  desk.state.settings = { ...desk.settings, maxSize: 1 }
  const kept = desk.join({ memberId: leader!.memberId })
  const lost = desk.join({ memberId: follower!.memberId })
  assert.equal(lost.error, 'GROUP_MAX_SIZE_REACHED')
  assert.equal(joinedOf(kept)?.members.length, 1)
})

test('a follower that says the same again is given the running generation', () => {
  const desk = new Desk()
  const [leader, follower] = desk.stable(2)
  const { memberId } = follower!
  assert.equal(joinedOf(desk.join({ memberId }))?.generationId, leader!.generationId)
  assert.equal(desk.phase(), 'Stable')
})

test('a leader that joins again, or a member that says something else, causes a rebalance', () => {
  for (const at of [0, 1]) {
    const desk = new Desk()
    const member = desk.stable(2)[at]!
    const protocols = at === 0 ? [range] : [{ ...range, metadata: subscription('u') }]
    assert.equal(joinedOf(desk.join({ memberId: member.memberId, protocols })), undefined)
    assert.equal(desk.phase(), 'PreparingRebalance')
  }
})

test('in the sync phase even the leader is given its generation again', () => {
  const desk = new Desk()
  const { memberId } = joinedOf(desk.join())!
  const again = joinedOf(desk.join({ memberId }))!
  assert.equal(again.generationId, 1)
  assert.equal(again.members.length, 1)
})

test('a join that replaces a parked one of the same member answers it', () => {
  const desk = new Desk()
  const [leader, follower] = desk.stable(2)
  const first = desk.join({ memberId: leader!.memberId })
  const second = desk.join({ memberId: leader!.memberId })
  assert.equal(first.error, 'REBALANCE_IN_PROGRESS')
  desk.join({ memberId: follower!.memberId })
  assert.equal(joinedOf(second)?.generationId, leader!.generationId + 1)
})

test('who does not join again within the rebalance time-out is removed, and not the leader', () => {
  const desk = new Desk()
  const [leader, follower] = desk.stable(2)
  const told = desk.join({ memberId: follower!.memberId, protocols: [sticky, range] })
  for (let i = 0; i < 12; i++) {
    desk.pass(5000)
    desk.heartbeat({ ...leader! })
  }
  const joined = joinedOf(told)!
  assert.equal(joined.leader, follower!.memberId)
  assert.equal(joined.members.length, 1)
  assert.equal(desk.heartbeat({ ...leader! }).error, 'UNKNOWN_MEMBER_ID')
})

test('a new member may wait for its first generation for five minutes', () => {
  const desk = new Desk()
  const [leader] = desk.stable(1)
  const told = desk.join({ rebalanceTimeoutMs: 1_000_000 })
  for (let i = 0; i < 59; i++) {
    desk.pass(5000)
    assert.equal(desk.heartbeat({ ...leader! }).error, 'REBALANCE_IN_PROGRESS')
  }
  assert.equal(told.error, undefined)
  desk.pass(5000)
  assert.equal(told.error, 'UNKNOWN_MEMBER_ID')
})

test('a group whose members left in the initial delay ends in a generation of nobody', () => {
  const desk = new Desk({ initialRebalanceDelayMs: 3000 })
  const told = desk.join()
  desk.leave({ memberId: 'm1' })
  assert.equal(told.error, 'UNKNOWN_MEMBER_ID')
  assert.equal(desk.phase(), 'PreparingRebalance')
  desk.pass(3000)
  assert.equal(desk.phase(), 'Empty')
  assert.equal(desk.records.length, 1)
})

test('the bytes of a request are copied', () => {
  const desk = new Desk()
  const metadata = Buffer.from(subscription('t'))
  const { memberId } = joinedOf(desk.join({ protocols: [{ name: 'range', metadata }] }))!
  metadata.fill(9)
  const again = joinedOf(desk.join({ memberId }))!
  assert.deepEqual(again.members[0]!.metadata, subscription('t'))
})
