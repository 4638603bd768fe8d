import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Desk, givenId, joinedOf } from './fixture.ts'

const grace = { disconnectGraceMs: 500 }

test('a dynamic member whose connection closed is removed when the grace is over', () => {
  const desk = new Desk(grace)
  const [leader] = desk.stable(2)
  desk.disconnect(1)
  desk.pass(499)
  assert.equal(desk.phase(), 'Stable')
  desk.pass(1)
  assert.equal(desk.phase(), 'PreparingRebalance')
  assert.equal(
    joinedOf(desk.join({ memberId: leader!.memberId, connection: 0 }))?.members.length,
    1,
  )
})

test('the last member gone, the group is empty: who starts again joins at once', () => {
  const desk = new Desk(grace)
  const [member] = desk.stable(1)
  desk.disconnect(0)
  desk.pass(500)
  assert.equal(desk.phase(), 'Empty')
  assert.equal(joinedOf(desk.join())?.generationId, member!.generationId + 2)
})

test('who starts again within the grace waits for its own ghost no longer than that', () => {
  const desk = new Desk(grace)
  desk.stable(1)
  desk.disconnect(0)
  desk.pass(100)
  const told = desk.join({ connection: 7 })
  desk.pass(399)
  assert.equal(joinedOf(told), undefined)
  desk.pass(1)
  assert.equal(joinedOf(told)?.members.length, 1)
})

test('a member that is heard on another connection stays', () => {
  for (const heard of ['heartbeat', 'commit'] as const) {
    const desk = new Desk(grace)
    const { memberId, generationId } = desk.stable(1)[0]!
    desk.disconnect(0)
    desk.pass(400)
    const from = { memberId, generationId, connection: 8 }
    assert.equal(
      (heard === 'heartbeat' ? desk.heartbeat(from) : desk.commit(1, from)).error,
      undefined,
    )
    desk.pass(5000)
    assert.equal(desk.phase(), 'Stable')
    desk.disconnect(8)
    desk.pass(500)
    assert.equal(desk.phase(), 'Empty')
  }
})

test('the end of a connection that only committed says nothing of the member', () => {
  const desk = new Desk(grace)
  const { memberId, generationId } = desk.stable(1)[0]!
  desk.commit(1, { memberId, generationId, connection: 8 })
  desk.disconnect(8)
  desk.pass(5000)
  assert.equal(desk.phase(), 'Stable')
  desk.disconnect(0)
  desk.pass(500)
  assert.equal(desk.phase(), 'Empty')
})

test('static members keep their session', () => {
  const desk = new Desk(grace)
  desk.stable(1, ['a'])
  desk.disconnect(0)
  desk.pass(9999)
  assert.equal(desk.phase(), 'Stable')
  desk.pass(1)
  assert.equal(desk.phase(), 'Empty')
})

test('without a grace a closed connection changes nothing', () => {
  const desk = new Desk()
  desk.stable(1)
  desk.disconnect(0)
  desk.pass(9999)
  assert.equal(desk.phase(), 'Stable')
})

test('a first join that is parked, and an id given away, go with their connection', () => {
  const desk = new Desk(grace)
  const [leader] = desk.stable(1)
  const parked = desk.join({ connection: 5 })
  assert.ok(givenId(desk.join({ connection: 6, requireKnownMemberId: true })))
  const again = desk.join({ memberId: leader!.memberId, connection: 0 })
  desk.disconnect(5)
  desk.disconnect(6)
  desk.pass(500)
  assert.equal(parked.error, 'UNKNOWN_MEMBER_ID')
  assert.equal(joinedOf(again)?.members.length, 1)
})

test('a parked join of a member that has been in the group goes with its connection', () => {
  const desk = new Desk(grace)
  const [leader, follower] = desk.stable(2)
  const parked = desk.join({ memberId: leader!.memberId, connection: 0 })
  desk.disconnect(0)
  desk.pass(500)
  assert.equal(parked.error, 'UNKNOWN_MEMBER_ID')
  const rest = joinedOf(desk.join({ memberId: follower!.memberId, connection: 1 }))!
  assert.equal(rest.leader, follower!.memberId)
})

test('one connection may carry members of several groups', () => {
  const desk = new Desk(grace)
  for (const groupId of ['g', 'h']) desk.join({ groupId })
  desk.disconnect(1)
  desk.pass(500)
  assert.equal(desk.phase('g'), 'Empty')
  assert.equal(desk.phase('h'), 'Empty')
})

test('after a restart, members heartbeat on in their generation', () => {
  const desk = new Desk(grace)
  const [leader, follower] = desk.stable(2, ['a'])
  desk.restart()
  desk.pass(8000)
  for (const [i, { memberId, generationId }] of [leader!, follower!].entries()) {
    const groupInstanceId = i === 0 ? 'a' : null
    const beat = { memberId, generationId, groupInstanceId, connection: 20 + i }
    assert.equal(desk.heartbeat(beat).error, undefined)
    assert.ok(desk.sync(beat).response, 'the assignment is known')
  }
  desk.pass(8000)
  assert.equal(desk.phase(), 'Stable')
  desk.pass(2000)
  assert.equal(desk.phase(), 'Empty')
})

test('after a restart, a rebalance does not wait for ghosts longer than 6 s', () => {
  const desk = new Desk(grace)
  desk.join({ sessionTimeoutMs: 45_000 })
  const { memberId, generationId } = joinedOf(
    desk.join({ memberId: 'm1', sessionTimeoutMs: 45_000 }),
  )!
  desk.sync({ memberId, generationId })
  desk.restart()
  desk.pass(20_000)
  assert.equal(desk.phase(), 'Stable', 'without a rebalance it keeps its session')
  const told = desk.join({ connection: 3 })
  desk.pass(5999)
  assert.equal(joinedOf(told), undefined)
  desk.pass(1)
  assert.equal(joinedOf(told)?.members.length, 1)
})

test('after a restart, a member that was heard is no ghost, and a static one neither', () => {
  const desk = new Desk(grace)
  const [, one, heard] = desk.stable(4, ['a'])
  desk.restart()
  const { memberId, generationId } = heard!
  desk.heartbeat({ memberId, generationId, connection: 30 })
  const protocols = [{ name: 'range', metadata: new Uint8Array(9) }]
  const told = desk.join({ memberId: one!.memberId, protocols, connection: 31 })
  desk.pass(6000)
  assert.equal(joinedOf(told), undefined, 'the rebalance waits for both')
  assert.equal(desk.describe().response?.members.length, 3)
  desk.join({ memberId, connection: 30 })
  desk.pass(4000)
  assert.equal(joinedOf(told)?.members.length, 2)
})

test('without a grace a ghost has its rebalance time-out', () => {
  const desk = new Desk()
  const joined = joinedOf(desk.join({ sessionTimeoutMs: 45_000 }))!
  desk.sync({ ...joined })
  desk.restart()
  const told = desk.join({ connection: 3 })
  desk.pass(44_999)
  assert.equal(joinedOf(told), undefined)
  desk.pass(1)
  assert.equal(joinedOf(told)?.members.length, 1)
})
