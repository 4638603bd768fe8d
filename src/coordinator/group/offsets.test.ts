import assert from 'node:assert/strict'
import { test } from 'node:test'
import { zeroUuid } from '../../protocol/schema.ts'
import type { DeleteOffsets, FetchedOffsets, FetchOffsets, PartitionResults } from './commands.ts'
import { Desk, joinedOf, type Told } from './fixture.ts'
import { GroupsState, maxGroups } from './groups-state.ts'

const hourMs = 3_600_000
const weekMs = 7 * 24 * hourMs

function errorOf({ response, error }: Told<PartitionResults>): string {
  return error ?? response!.topics[0]!.partitions[0]!.error
}

function remove(
  desk: Desk,
  topics: DeleteOffsets['topics'],
  groupId = 'g',
): Told<PartitionResults> {
  return desk.ask((state, times, waiter) => state.deleteOffsets({ groupId, topics }, times, waiter))
}

function deleteGroup(desk: Desk, groupId = 'g'): Told<void> {
  return desk.ask((state, times, waiter) => state.deleteGroup(groupId, times, waiter))
}

function fetch(desk: Desk, topics: FetchOffsets['topics'], groupId = 'g'): FetchedOffsets {
  return desk.ask<FetchedOffsets>((state, times, waiter) =>
    state.fetchOffsets({ groupId, topics }, times, waiter),
  ).response!
}

test('a simple consumer commits without being a member, which makes the group', () => {
  const desk = new Desk()
  assert.equal(errorOf(desk.commit(5)), 'NONE')
  assert.equal(desk.phase(), 'Empty')
  assert.deepEqual(desk.committed(), { 't-0': 5 })
  assert.deepEqual(desk.records, [
    {
      kind: 'offset',
      groupId: 'g',
      topic: 't',
      partition: 0,
      value: {
        offset: 5,
        leaderEpoch: -1,
        metadata: '',
        commitTimestampMs: desk.times.wallMs,
        expireTimestampMs: -1,
        topicId: zeroUuid,
      },
    },
  ])
})

test('a commit with a generation for a group that is not there is refused', () => {
  const desk = new Desk()
  assert.equal(desk.commit(5, { memberId: 'm', generationId: 1 }).error, 'GROUP_ID_NOT_FOUND')
  assert.equal(desk.phase(), 'GROUP_ID_NOT_FOUND')
})

test('members commit in their generation, and nobody else while there are members', () => {
  const desk = new Desk()
  const { memberId, generationId } = desk.stable(1)[0]!
  assert.equal(errorOf(desk.commit(1, { memberId, generationId })), 'NONE')
  assert.equal(errorOf(desk.commit(2)), 'UNKNOWN_MEMBER_ID')
  assert.equal(errorOf(desk.commit(2, { memberId: 'x', generationId })), 'UNKNOWN_MEMBER_ID')
  for (const stale of [generationId - 1, generationId + 1, -1]) {
    const error = errorOf(desk.commit(2, { memberId, generationId: stale }))
    assert.equal(error, 'ILLEGAL_GENERATION')
  }
  assert.deepEqual(desk.committed(), { 't-0': 1 })
})

test('a fenced static member cannot commit', () => {
  const desk = new Desk()
  const { memberId, generationId } = desk.stable(1, ['a'])[0]!
  desk.join({ groupInstanceId: 'a' })
  const old = { memberId, generationId, groupInstanceId: 'a' }
  assert.equal(errorOf(desk.commit(2, old)), 'FENCED_INSTANCE_ID')
})

test('a commit before the assignment is refused, one in the join phase is good', () => {
  const desk = new Desk()
  const { memberId, generationId } = joinedOf(desk.join())!
  assert.equal(errorOf(desk.commit(1, { memberId, generationId })), 'REBALANCE_IN_PROGRESS')
  desk.sync({ memberId, generationId })
  desk.join()
  assert.equal(desk.phase(), 'PreparingRebalance')
  assert.equal(errorOf(desk.commit(1, { memberId, generationId })), 'NONE')
})

test('a commit keeps the session alive', () => {
  const desk = new Desk()
  const { memberId, generationId } = desk.stable(1)[0]!
  for (let i = 0; i < 5; i++) {
    desk.pass(9000)
    desk.commit(i, { memberId, generationId })
  }
  assert.equal(desk.phase(), 'Stable')
})

test('metadata above the limit is refused, for its partition alone', () => {
  const desk = new Desk({ offsetMetadataMaxBytes: 3 })
  const at = { topicId: zeroUuid, name: 't' }
  const each = { offset: 1, leaderEpoch: 4 }
  const topics = [
    {
      ...at,
      partitions: [
        { ...each, partition: 0, metadata: 'four' },
        { ...each, partition: 1, metadata: 'abc' },
      ],
    },
  ]
  const results = desk.commit(0, { topics }).response!.topics[0]!.partitions
  assert.deepEqual(results, [
    { partition: 0, error: 'OFFSET_METADATA_TOO_LARGE' },
    { partition: 1, error: 'NONE' },
  ])
  assert.deepEqual(fetch(desk, [{ name: 't', partitions: [0, 1] }]).topics, [
    {
      name: 't',
      partitions: [
        { partition: 0, offset: -1, leaderEpoch: -1, metadata: '' },
        { partition: 1, offset: 1, leaderEpoch: 4, metadata: 'abc' },
      ],
    },
  ])
})

test('offsets of a group that is not there are unknown, and no error', () => {
  const desk = new Desk()
  assert.deepEqual(fetch(desk, null), { topics: [] })
  const [topic] = fetch(desk, [{ name: 't', partitions: [3] }]).topics
  assert.deepEqual(topic!.partitions, [{ partition: 3, offset: -1, leaderEpoch: -1, metadata: '' }])
})

test('offsets of an empty group expire a while after it became empty, whenever committed', () => {
  const desk = new Desk()
  const { memberId, generationId } = desk.stable(1)[0]!
  desk.commit(7, { memberId, generationId })
  for (let i = 0; i < 10; i++) {
    desk.pass(9000)
    desk.heartbeat({ memberId, generationId })
  }
  desk.leave({ memberId })
  desk.pass(weekMs - 1)
  assert.deepEqual(desk.committed(), { 't-0': 7 })
  desk.pass(600_000)
  assert.equal(desk.phase(), 'GROUP_ID_NOT_FOUND')
  assert.deepEqual(
    desk.records.slice(-2).map(({ kind, value }) => [kind, value]),
    [
      ['offset', null],
      ['group', null],
    ],
  )
  assert.equal(desk.state.nextDeadlineMs(), Number.POSITIVE_INFINITY)
})

test('offsets of a simple consumer expire a while after their own commit', () => {
  const desk = new Desk()
  desk.commit(1, { partition: 0 })
  desk.pass(weekMs / 2)
  desk.commit(1, { partition: 1 })
  desk.pass(weekMs / 2 + 600_000)
  assert.deepEqual(desk.committed(), { 't-1': 1 })
  desk.pass(weekMs / 2)
  assert.equal(desk.phase(), 'GROUP_ID_NOT_FOUND')
})

test('a commit with a retention time of its own expires by it (v2 to v4)', () => {
  const desk = new Desk()
  desk.commit(1, { retentionMs: hourMs })
  desk.restart()
  desk.pass(hourMs - 1)
  assert.deepEqual(desk.committed(), { 't-0': 1 })
  desk.pass(600_001)
  assert.deepEqual(desk.committed(), {})
})

test('while a group is at work, offsets of topics it reads never expire, others do', () => {
  const desk = new Desk({ offsetsRetentionMs: 60_000, offsetsRetentionCheckMs: 10_000 })
  const { memberId, generationId } = desk.stable(1)[0]!
  desk.commit(1, { memberId, generationId, topic: 't' })
  desk.commit(1, { memberId, generationId, topic: 'once' })
  for (let i = 0; i < 10; i++) {
    desk.pass(9000)
    desk.heartbeat({ memberId, generationId })
  }
  assert.deepEqual(desk.committed(), { 't-0': 1 })
})

test('offsets of a group at work that says nothing of topics never expire', () => {
  const desk = new Desk({ offsetsRetentionMs: 60_000, offsetsRetentionCheckMs: 10_000 })
  const protocols = [{ name: 'default', metadata: new Uint8Array(1) }]
  const { memberId, generationId } = joinedOf(desk.join({ protocolType: 'connect', protocols }))!
  desk.sync({ memberId, generationId })
  desk.commit(1, { memberId, generationId })
  for (let i = 0; i < 10; i++) {
    desk.pass(9000)
    desk.heartbeat({ memberId, generationId })
  }
  assert.deepEqual(desk.committed(), { 't-0': 1 })
})

test('an empty group without offsets vanishes with a tombstone', () => {
  const desk = new Desk()
  const [member] = desk.stable(1)
  desk.leave(member!)
  desk.pass(600_000)
  assert.deepEqual(desk.records.at(-1), { kind: 'group', groupId: 'g', value: null })
  assert.equal(desk.phase(), 'GROUP_ID_NOT_FOUND')
})

test('offsets of deleted topics go, in every group', () => {
  const desk = new Desk()
  for (const groupId of ['g', 'h']) {
    desk.commit(1, { groupId, topic: 'gone' })
    desk.commit(1, { groupId, topic: 'kept' })
  }
  desk.take(desk.state.topicsDeleted(new Set(['gone', 'other']), desk.times))
  for (const groupId of ['g', 'h']) assert.deepEqual(desk.committed(groupId), { 'kept-0': 1 })
})

test('a group is deleted with its offsets when it has no members', () => {
  const desk = new Desk()
  assert.equal(deleteGroup(desk).error, 'GROUP_ID_NOT_FOUND')
  const [member] = desk.stable(1)
  desk.commit(1, { ...member!, groupInstanceId: null })
  assert.equal(deleteGroup(desk).error, 'NON_EMPTY_GROUP')
  desk.leave(member!)
  assert.equal(deleteGroup(desk).error, undefined)
  assert.equal(desk.phase(), 'GROUP_ID_NOT_FOUND')
  desk.restart()
  assert.equal(desk.phase(), 'GROUP_ID_NOT_FOUND')
})

test('offsets are deleted unless a member subscribes to the topic (KIP-496)', () => {
  const desk = new Desk()
  const topics = [
    { name: 't', partitions: [0] },
    { name: 'u', partitions: [0, 0, 1] },
  ]
  assert.equal(remove(desk, topics).error, 'GROUP_ID_NOT_FOUND')
  const { memberId, generationId } = desk.stable(1)[0]!
  desk.commit(1, { memberId, generationId, topic: 't' })
  desk.commit(1, { memberId, generationId, topic: 'u' })
  const before = desk.records.length
  const results = remove(desk, topics).response!.topics
  assert.deepEqual(
    results.map(({ partitions }) => partitions.map(({ error }) => error)),
    [['GROUP_SUBSCRIBED_TO_TOPIC'], ['NONE', 'NONE', 'NONE']],
  )
  assert.equal(desk.records.length, before + 1)
  assert.deepEqual(desk.committed(), { 't-0': 1 })
})

test('offsets of a group at work that says nothing of topics cannot be deleted', () => {
  const desk = new Desk()
  desk.join({ protocolType: 'connect' })
  assert.equal(remove(desk, [{ name: 't', partitions: [0] }]).error, 'NON_EMPTY_GROUP')
})

test('a restart brings back every group in its last stable generation, with its offsets', () => {
  const desk = new Desk()
  const [leader, follower] = desk.stable(2)
  const { memberId, generationId } = leader!
  desk.commit(9, { memberId, generationId })
  const before = desk.describe().response
  desk.join({ memberId })
  assert.equal(desk.phase(), 'PreparingRebalance')
  desk.restart()
  assert.deepEqual(desk.describe().response, before)
  assert.deepEqual(desk.committed(), { 't-0': 9 })
  assert.equal(errorOf(desk.commit(10, { memberId, generationId })), 'NONE')
  assert.equal(desk.heartbeat({ memberId: follower!.memberId, generationId }).error, undefined)
  const again = desk.join({ memberId })
  desk.join({ memberId: follower!.memberId })
  assert.equal(joinedOf(again)?.leader, memberId, 'the leader is who it was')
})

test('a restart brings back the leader, though it is not the first member', () => {
  const desk = new Desk()
  desk.stable(2, ['a', 'b'])
  const { memberId } = joinedOf(desk.join({ groupInstanceId: 'a' }))!
  const first = desk.describe().response!.members[0]!.memberId
  assert.notEqual(first, memberId)
  desk.restart()
  assert.ok(joinedOf(desk.join({ memberId: first, groupInstanceId: 'b' })), 'it only follows')
  assert.equal(joinedOf(desk.join({ memberId, groupInstanceId: 'a' })), undefined)
  assert.equal(desk.phase(), 'PreparingRebalance')
})

test('a group that a restart finds above the bound rebalances', () => {
  const desk = new Desk()
  desk.stable(2)
  desk.settings = { ...desk.settings, maxSize: 1 }
  desk.restart()
  assert.equal(desk.phase(), 'PreparingRebalance')
})

test('names that no record can hold are refused before anything is decided', () => {
  const long = 'x'.repeat(32_768)
  const desk = new Desk({ offsetMetadataMaxBytes: 100_000 })
  for (const command of [
    { newMemberId: long },
    { groupInstanceId: long },
    { clientId: '\ufffd'.repeat(10_923) },
    { protocolType: long },
    { protocols: [{ name: long, metadata: new Uint8Array(1) }] },
  ]) {
    assert.equal(desk.join(command).error, 'INVALID_REQUEST')
  }
  assert.equal(desk.commit(1, { groupId: long }).error, 'INVALID_REQUEST')
  assert.equal(desk.commit(1, { topic: long }).error, 'INVALID_REQUEST')
  assert.equal(errorOf(desk.commit(1, { metadata: long })), 'OFFSET_METADATA_TOO_LARGE')
  assert.equal(errorOf(desk.commit(1, { retentionMs: Number.MAX_SAFE_INTEGER })), 'NONE')
  assert.equal(errorOf(desk.commit(1, { metadata: long.slice(1) })), 'NONE')
})

test('there are so many groups and no more', () => {
  const desk = new Desk()
  const state = new GroupsState(desk.settings)
  const value = {
    offset: 1,
    leaderEpoch: -1,
    metadata: '',
    commitTimestampMs: 1,
    expireTimestampMs: -1,
    topicId: zeroUuid,
  }
  for (let i = 0; i < maxGroups; i++) {
    state.apply({ kind: 'offset', groupId: `g${i}`, topic: 't', partition: 0, value })
  }
  desk.state = state
  assert.equal(desk.commit(1, { groupId: 'one-more' }).error, 'POLICY_VIOLATION')
  assert.equal(desk.join({ groupId: 'one-more' }).error, 'POLICY_VIOLATION')
  assert.equal(errorOf(desk.commit(2, { groupId: 'g0' })), 'NONE')
})
