import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ListedGroup } from './commands.ts'
import { bytes, Desk, joinedOf, subscription } from './fixture.ts'

const range = { name: 'range', metadata: subscription('t') }

test('sync waits for the leader, whose assignments are stored before anybody has one', () => {
  const desk = new Desk({ initialRebalanceDelayMs: 1000 })
  const joins = [desk.join(), desk.join(), desk.join()]
  desk.pass(3000)
  const [leader, one, other] = joins.map(told => joinedOf(told)!)
  const early = desk.sync({ ...one! })
  assert.equal(early.response, undefined)
  const assignments = [
    { memberId: leader!.memberId, assignment: bytes('L') },
    { memberId: one!.memberId, assignment: bytes('1') },
    { memberId: 'stranger', assignment: bytes('?') },
  ]
  const own = desk.sync({ ...leader!, assignments })
  const about = { protocolType: 'consumer', protocolName: 'range' }
  assert.deepEqual(own.response, { ...about, assignment: bytes('L') })
  assert.deepEqual(early.response, { ...about, assignment: bytes('1') })
  assert.deepEqual(desk.sync({ ...other! }).response, { ...about, assignment: bytes('') })
  assert.equal(desk.phase(), 'Stable')
  const [record] = desk.records
  assert.equal(desk.records.length, 1)
  assert.equal(record!.kind, 'group')
  assert.equal(record!.kind === 'group' && record!.value?.members.length, 3)
})

test('sync is refused to strangers, other generations, other protocols, and in a join phase', () => {
  const desk = new Desk()
  assert.equal(desk.sync({ memberId: 'x' }).error, 'UNKNOWN_MEMBER_ID')
  const [leader, follower] = desk.stable(2)
  const { memberId, generationId } = leader!
  assert.equal(desk.sync({ memberId: 'x' }).error, 'UNKNOWN_MEMBER_ID')
  assert.equal(desk.sync({ memberId, generationId: generationId - 1 }).error, 'ILLEGAL_GENERATION')
  const own = { memberId, generationId }
  assert.equal(desk.sync({ ...own, protocolType: 'x' }).error, 'INCONSISTENT_GROUP_PROTOCOL')
  assert.equal(desk.sync({ ...own, protocolName: 'x' }).error, 'INCONSISTENT_GROUP_PROTOCOL')
  assert.deepEqual(
    desk.sync({ ...own, protocolType: 'consumer', protocolName: 'range' }).response?.assignment,
    bytes(memberId),
  )
  desk.leave(follower!)
  assert.equal(desk.sync(own).error, 'REBALANCE_IN_PROGRESS')
})

test('a rebalance in the sync phase sends those who wait for assignments back to join', () => {
  const desk = new Desk({ initialRebalanceDelayMs: 1000 })
  const joins = [desk.join(), desk.join()]
  desk.pass(3000)
  const follower = joinedOf(joins[1]!)!
  const waiting = desk.sync({ ...follower })
  desk.join()
  assert.equal(waiting.error, 'REBALANCE_IN_PROGRESS')
  assert.equal(desk.phase(), 'PreparingRebalance')
})

test('a sync that replaces a parked one of the same member answers it', () => {
  const desk = new Desk({ initialRebalanceDelayMs: 1000 })
  const joins = [desk.join(), desk.join()]
  desk.pass(3000)
  const first = desk.sync({ ...joinedOf(joins[1]!)! })
  const second = desk.sync({ ...joinedOf(joins[1]!)! })
  assert.equal(first.error, 'REBALANCE_IN_PROGRESS')
  desk.sync({ ...joinedOf(joins[0]!)! })
  assert.ok(second.response)
})

test('who does not sync within the rebalance time-out is removed, in a stable group too', () => {
  const desk = new Desk({ initialRebalanceDelayMs: 1000 })
  const joins = [desk.join(), desk.join()]
  desk.pass(3000)
  const [leader, silent] = joins.map(told => joinedOf(told)!)
  desk.sync({ ...leader! })
  assert.equal(desk.phase(), 'Stable')
  for (let i = 0; i < 12; i++) {
    desk.heartbeat({ ...leader! })
    desk.heartbeat({ ...silent! })
    desk.pass(5000)
  }
  assert.equal(desk.phase(), 'PreparingRebalance')
  assert.equal(desk.heartbeat({ ...leader! }).error, 'REBALANCE_IN_PROGRESS')
  assert.equal(desk.heartbeat({ ...silent! }).error, 'UNKNOWN_MEMBER_ID')
})

test('a leader that never brings assignments is removed with those who never asked', () => {
  const desk = new Desk({ initialRebalanceDelayMs: 1000 })
  const joins = [desk.join(), desk.join()]
  desk.pass(3000)
  const waiting = desk.sync({ ...joinedOf(joins[1]!)! })
  for (let i = 0; i < 12; i++) {
    desk.heartbeat({ ...joinedOf(joins[0]!)! })
    desk.pass(5000)
  }
  assert.equal(waiting.error, 'REBALANCE_IN_PROGRESS')
  const again = joinedOf(desk.join({ memberId: joinedOf(joins[1]!)!.memberId }))!
  assert.equal(again.leader, again.memberId)
  assert.equal(again.members.length, 1)
})

test('assignments that do not fit in a record are refused, and the group rebalances', () => {
  const desk = new Desk({ maxRecordBytes: 10_000 })
  const joined = joinedOf(desk.join())!
  const assignments = [{ memberId: joined.memberId, assignment: new Uint8Array(10_000) }]
  assert.equal(desk.sync({ ...joined, assignments }).error, 'UNKNOWN_SERVER_ERROR')
  assert.equal(desk.phase(), 'PreparingRebalance')
  assert.equal(desk.records.length, 0)
})

test('a static member that comes back with more than a record can hold causes a rebalance', () => {
  const desk = new Desk({ maxRecordBytes: 2000 })
  desk.stable(1, ['a'])
  const metadata = new Uint8Array(2000)
  metadata.set(subscription('t'))
  const protocols = [{ name: 'range', metadata }]
  const before = desk.records.length
  const joined = joinedOf(desk.join({ groupInstanceId: 'a', protocols }))!
  assert.equal(joined.generationId, 2)
  const told = desk.sync({ ...joined, groupInstanceId: 'a' })
  assert.equal(told.error, 'UNKNOWN_SERVER_ERROR')
  assert.equal(desk.records.length, before)
})

test('heartbeats keep a session alive; without them the member is removed', () => {
  const desk = new Desk()
  const [leader, follower] = desk.stable(2)
  for (let i = 0; i < 5; i++) {
    desk.pass(3000)
    assert.equal(desk.heartbeat({ ...leader! }).error, i < 3 ? undefined : 'REBALANCE_IN_PROGRESS')
  }
  assert.equal(desk.heartbeat({ ...follower! }).error, 'UNKNOWN_MEMBER_ID')
})

test('heartbeats of strangers and of other generations are refused', () => {
  const desk = new Desk()
  assert.equal(desk.heartbeat({ memberId: 'x' }).error, 'UNKNOWN_MEMBER_ID')
  const [{ memberId, generationId }] = desk.stable(1) as [ReturnType<Desk['stable']>[number]]
  assert.equal(desk.heartbeat({ memberId: 'x', generationId }).error, 'UNKNOWN_MEMBER_ID')
  assert.equal(
    desk.heartbeat({ memberId, generationId: generationId + 1 }).error,
    'ILLEGAL_GENERATION',
  )
  assert.equal(
    desk.heartbeat({ memberId, generationId, groupInstanceId: 'a' }).error,
    'UNKNOWN_MEMBER_ID',
  )
})

test('the last member that leaves ends the group in a generation of nobody', () => {
  const desk = new Desk()
  const [member] = desk.stable(1)
  assert.deepEqual(desk.leave(member!).response?.members, [
    { memberId: member!.memberId, groupInstanceId: null, error: 'NONE' },
  ])
  assert.equal(desk.phase(), 'Empty')
  const record = desk.records.at(-1)!
  assert.deepEqual(record, {
    kind: 'group',
    groupId: 'g',
    value: {
      protocolType: 'consumer',
      generationId: member!.generationId + 1,
      protocolName: null,
      leader: null,
      stateTimestampMs: desk.times.wallMs,
      members: [],
    },
  })
  assert.equal(joinedOf(desk.join())?.generationId, member!.generationId + 2)
})

test('several members leave at once, each with its own result (KIP-345)', () => {
  const desk = new Desk()
  const members = desk.stable(3, ['a', 'b'])
  const { memberId } = members[2]!
  const pendingId = 'm5'
  desk.join({ requireKnownMemberId: true, newMemberId: pendingId })
  const left = desk.leave(
    { groupInstanceId: 'a' },
    { groupInstanceId: 'b', memberId: 'other' },
    { groupInstanceId: 'c' },
    { memberId },
    { memberId },
    { memberId: pendingId },
    {},
  ).response!
  assert.deepEqual(
    left.members.map(({ error }) => error),
    [
      'NONE',
      'FENCED_INSTANCE_ID',
      'UNKNOWN_MEMBER_ID',
      'NONE',
      'UNKNOWN_MEMBER_ID',
      'NONE',
      'UNKNOWN_MEMBER_ID',
    ],
  )
  assert.equal(desk.phase(), 'PreparingRebalance')
})

test('who leaves while its join is parked is told, and the others go on', () => {
  const desk = new Desk()
  const [leader] = desk.stable(1)
  const newcomer = desk.join({ newMemberId: 'new' })
  const again = desk.join({ memberId: leader!.memberId, rebalanceTimeoutMs: 60_000 })
  assert.equal(joinedOf(again)?.members.length, 2)
  assert.ok(joinedOf(newcomer))
  const waiting = desk.join({ newMemberId: 'late' })
  desk.leave({ memberId: 'late' })
  assert.equal(waiting.error, 'UNKNOWN_MEMBER_ID')
})

test('leaving a group that is not there is refused', () => {
  assert.equal(new Desk().leave({ memberId: 'x' }).error, 'UNKNOWN_MEMBER_ID')
})

test('a restarted static member takes its place without a rebalance, and the old id is fenced', () => {
  const desk = new Desk()
  const [leader, old] = desk.stable(2, ['a', 'b'])
  const { generationId } = old!
  const before = desk.records.length
  const told = joinedOf(desk.join({ groupInstanceId: 'b', connection: 9 }))!
  assert.equal(told.generationId, generationId)
  assert.equal(told.skipAssignment, false)
  assert.equal(told.leader, leader!.memberId)
  assert.equal(desk.phase(), 'Stable')
  assert.equal(desk.records.length, before + 1)
  const groupInstanceId = 'b'
  const beat = { groupInstanceId, generationId }
  assert.equal(desk.heartbeat({ ...beat, memberId: old!.memberId }).error, 'FENCED_INSTANCE_ID')
  assert.equal(desk.heartbeat({ ...beat, memberId: told.memberId }).error, undefined)
  const { response } = desk.sync({ ...beat, memberId: told.memberId })
  assert.deepEqual(response?.assignment, bytes(old!.memberId), 'the assignment is what it was')
})

test('a restarted static leader is told to skip the assignment, or not that it leads (KIP-814)', () => {
  for (const supportsSkippingAssignment of [true, false]) {
    const desk = new Desk()
    const [old] = desk.stable(2, ['a', 'b'])
    const told = joinedOf(desk.join({ groupInstanceId: 'a', supportsSkippingAssignment }))!
    assert.equal(told.skipAssignment, supportsSkippingAssignment)
    assert.equal(told.leader, supportsSkippingAssignment ? told.memberId : old!.memberId)
    assert.equal(told.members.length, supportsSkippingAssignment ? 2 : 0)
    assert.equal(desk.phase(), 'Stable')
  }
})

test('a static member replaced before it synced owes nothing: the group stays stable', () => {
  const desk = new Desk({ initialRebalanceDelayMs: 1000 })
  const joins = ['a', 'b'].map(groupInstanceId => desk.join({ groupInstanceId }))
  desk.pass(3000)
  const leader = { ...joinedOf(joins[0]!)!, groupInstanceId: 'a' }
  desk.sync(leader)
  const { memberId, generationId } = joinedOf(desk.join({ groupInstanceId: 'b' }))!
  for (let i = 0; i < 20; i++) {
    desk.pass(5000)
    desk.heartbeat(leader)
    desk.heartbeat({ memberId, generationId, groupInstanceId: 'b' })
  }
  assert.equal(desk.phase(), 'Stable')
})

test('a restarted static member with another protocol or other topics causes a rebalance', () => {
  for (const protocols of [
    [{ name: 'sticky', metadata: subscription('t') }, range],
    [{ ...range, metadata: subscription('t', 'u') }],
  ]) {
    const desk = new Desk()
    const both = [range, { name: 'sticky', metadata: subscription('t') }]
    const { memberId } = joinedOf(desk.join({ groupInstanceId: 'a', protocols: both }))!
    desk.sync({ memberId, groupInstanceId: 'a' })
    assert.equal(desk.phase(), 'Stable')
    assert.equal(joinedOf(desk.join({ groupInstanceId: 'a', protocols }))?.generationId, 2)
  }
})

test('a static member replaced while it waits is told that it is fenced', () => {
  const desk = new Desk()
  const [, old] = desk.stable(2, ['a', 'b'])
  desk.join({ groupInstanceId: 'a', protocols: [{ ...range, metadata: subscription('u') }] })
  const waiting = desk.join({
    groupInstanceId: 'b',
    memberId: old!.memberId,
    rebalanceTimeoutMs: 1,
  })
  assert.equal(waiting.error, undefined)
  const desk2 = new Desk({ initialRebalanceDelayMs: 1000 })
  const first = desk2.join({ groupInstanceId: 'a' })
  const second = desk2.join({ groupInstanceId: 'a' })
  assert.equal(first.error, 'FENCED_INSTANCE_ID')
  desk2.pass(3000)
  assert.equal(joinedOf(second)?.members.length, 1)
})

test('a static member replaced in the sync phase causes a rebalance', () => {
  const desk = new Desk({ initialRebalanceDelayMs: 1000 })
  const joins = [desk.join({ groupInstanceId: 'a' }), desk.join({ groupInstanceId: 'b' })]
  desk.pass(3000)
  const waiting = desk.sync({ ...joinedOf(joins[1]!)!, groupInstanceId: 'b' })
  desk.join({ groupInstanceId: 'b' })
  assert.equal(waiting.error, 'FENCED_INSTANCE_ID')
  assert.equal(desk.phase(), 'PreparingRebalance')
})

test('static members that do not join again keep their place until their session ends', () => {
  const desk = new Desk()
  const [leader] = desk.stable(2, ['a', 'b'])
  const own = { groupInstanceId: 'a', memberId: leader!.memberId, sessionTimeoutMs: 200_000 }
  const told = desk.join({ ...own, rebalanceTimeoutMs: 8000 })
  desk.pass(9999)
  assert.equal(joinedOf(told), undefined)
  desk.pass(1)
  assert.equal(joinedOf(told)?.members.length, 1)
})

test('a group of which no static member joins again waits for their sessions', () => {
  const desk = new Desk({ initialRebalanceDelayMs: 0 })
  const { memberId } = joinedOf(
    desk.join({ groupInstanceId: 'a', rebalanceTimeoutMs: 0, sessionTimeoutMs: 30_000 }),
  )!
  desk.sync({ memberId, groupInstanceId: 'a' })
  const newcomer = desk.join({ rebalanceTimeoutMs: 0, newMemberId: 'd' })
  desk.leave({ memberId: 'd' })
  assert.equal(newcomer.error, 'UNKNOWN_MEMBER_ID')
  desk.pass(29_000)
  assert.equal(desk.phase(), 'PreparingRebalance')
  desk.pass(2000)
  assert.equal(desk.phase(), 'Empty')
})

test('a stable group is described with its protocol, another with the assignments it had', () => {
  const desk = new Desk()
  const [member] = desk.stable(1, ['a'])
  assert.deepEqual(desk.describe().response, {
    groupId: 'g',
    phase: 'Stable',
    generationId: 1,
    protocolType: 'consumer',
    protocolName: 'range',
    members: [
      {
        memberId: member!.memberId,
        groupInstanceId: 'a',
        clientId: 'client',
        clientHost: '/127.0.0.1',
        metadata: subscription('t'),
        assignment: bytes(member!.memberId),
      },
    ],
  })
  desk.join()
  const { phase, protocolName, members } = desk.describe().response!
  assert.deepEqual([phase, protocolName], ['PreparingRebalance', ''])
  assert.deepEqual(
    members.map(({ metadata, assignment }) => [metadata, assignment]),
    [
      [bytes(''), bytes(member!.memberId)],
      [bytes(''), bytes('')],
    ],
  )
  assert.equal(desk.describe('x').error, 'GROUP_ID_NOT_FOUND')
})

test('groups are listed by phase and type, in any case', () => {
  const desk = new Desk()
  desk.stable(1)
  desk.commit(5, { groupId: 'simple' })
  const listed = (phases: string[], types: string[]) =>
    desk.ask<readonly ListedGroup[]>((state, times, waiter) =>
      state.listGroups({ phases, types }, times, waiter),
    ).response
  const stable = { groupId: 'g', protocolType: 'consumer', phase: 'Stable', groupType: 'classic' }
  const simple = { groupId: 'simple', protocolType: '', phase: 'Empty', groupType: 'classic' }
  assert.deepEqual(listed([], []), [stable, simple])
  assert.deepEqual(listed(['stable'], ['Classic']), [stable])
  assert.deepEqual(listed(['EMPTY'], []), [simple])
  assert.deepEqual(listed([], ['consumer']), [])
})
