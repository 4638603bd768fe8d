/**
 * Questions of consumer groups that are refused, or easy to get wrong. Each is asked in a group of
 * its own, by two connections, beside a topic `q` of two partitions. What Apache Kafka answers is
 * in kafka-group-answers.json, written by record-group-answers.ts.
 */

import assert from 'node:assert/strict'
import { errorCode } from '../src/protocol/errors.ts'
import * as createTopics from '../src/protocol/messages/create-topics.ts'
import * as metadataMessages from '../src/protocol/messages/metadata.ts'

import {
  beat,
  type CommitPartition,
  commit,
  describe,
  drop,
  type FetchGroup,
  fetchMany,
  fetchOne,
  find,
  findAll,
  forget,
  join,
  joined,
  leave,
  leaveAlone,
  list,
  member,
  sendJoin,
  stable,
  subscription,
  sync,
} from './group-client.ts'
import type { WireClient } from './wire-client.ts'

export interface GroupScene {
  /** The first connection, and the second. */
  readonly a: WireClient
  readonly b: WireClient
  /** The group of this question, which nobody knows yet. */
  readonly g: string
  /** Id of the topic `q`. */
  readonly topicId: string
}

type Ask = (scene: GroupScene) => Promise<unknown>
type Questions = Readonly<Record<string, Ask>>

const unknownId = 'xxxxxxxxxxxxxxxxxxxxxA'
const zero = 'AAAAAAAAAAAAAAAAAAAAAA'
const metadata = subscription('q')
const range = { name: 'range', metadata }
const sticky = { name: 'sticky', metadata }

/** Until `a` is told to join again: a second member is waiting. */
async function untilRebalance({ a, g }: GroupScene, memberId: string, generationId = 1) {
  for (;;) {
    const code = await beat(a, g, { memberId, generationId })
    if (code === errorCode('REBALANCE_IN_PROGRESS')) return
    assert.equal(code, 0)
  }
}

/** `a` is a member of a stable group and `b` waits to join: the group prepares a rebalance. */
async function preparing(scene: GroupScene, body: object = {}) {
  const first = await stable(scene.a, scene.g, body)
  const { member: second } = await join(scene.b, scene.g)
  sendJoin(scene.b, scene.g, { memberId: second })
  await untilRebalance(scene, first)
  return { first, second }
}

/** `a` and `b` are members; `a` leads and has not synced. */
async function completing(scene: GroupScene) {
  const { first, second } = await preparing(scene)
  const led = await join(scene.a, scene.g, { memberId: first })
  const followed = await joined(scene.b)
  return { first, second, led, followed }
}

const findings: Questions = Object.fromEntries(
  [0, 1, 2, 3]
    .map((version): [string, Ask] => [`a group in v${version}`, s => find(s.a, s.g, 0, version)])
    .concat([
      ['no key', s => find(s.a, '')],
      ['no key in v0', s => find(s.a, '', 0, 0)],
      ['a share partition before v6', s => find(s.a, 'g:x:0', 2)],
      ['an unknown type of key', s => find(s.a, s.g, 9)],
      ['several groups in v4', s => findAll(s.a, ['one', 'two'], { keyType: 0 }, 4)],
      ['several groups', s => findAll(s.a, ['one', 'two'])],
      ['a group twice', s => findAll(s.a, ['one', 'one'])],
      ['no key among several', s => findAll(s.a, ['one', ''])],
      ['no groups', s => findAll(s.a, [])],
      ['an unknown type of several keys', s => findAll(s.a, ['one'], { keyType: 9 })],
      ['a share partition in v5', s => findAll(s.a, ['g:x:0'], { keyType: 2 }, 5)],
      ['a share partition that is none', s => findAll(s.a, ['gx0'], { keyType: 2 })],
      ['a share partition', async s => findAll(s.a, [`${s.g}:${s.topicId}:0`], { keyType: 2 })],
      ['a transactional id', s => find(s.a, 'tx', 1)],
      ['a transactional id in v2', s => find(s.a, 'tx', 1, 2)],
      ['several transactional ids', s => findAll(s.a, ['tx', 'ty'], { keyType: 1 })],
    ]),
)

const joins: Questions = {
  'no group id': s => join(s.a, ''),
  'a short session': s => join(s.a, s.g, { sessionTimeoutMs: 1 }),
  'a long session': s => join(s.a, s.g, { sessionTimeoutMs: 2_000_000 }),
  'a rebalance timeout of 0': s => member(s.a, s.g, { rebalanceTimeoutMs: 0 }),
  'no protocols': s => join(s.a, s.g, { protocols: [] }),
  'no protocols in v3': s => join(s.a, s.g, { protocols: [] }, 3),
  'no protocol type': s => join(s.a, s.g, { protocolType: '' }),
  'no member id in v0': s => join(s.a, s.g, {}, 0),
  'no member id in v3': s => join(s.a, s.g, {}, 3),
  'no member id in v4': s => join(s.a, s.g, {}, 4),
  'no member id in v6': s => join(s.a, s.g, {}, 6),
  'no member id in v7': s => join(s.a, s.g, {}, 7),
  'no member id in v9': s => join(s.a, s.g),
  'an unknown member of an unknown group': s => join(s.a, s.g, { memberId: 'nobody' }),
  'an unknown member of an unknown group in v0': s => join(s.a, s.g, { memberId: 'nobody' }, 0),
  'an unknown member': async s => {
    await stable(s.a, s.g)
    return join(s.b, s.g, { memberId: 'nobody' })
  },
  'a member without an id on its second try': s => member(s.a, s.g),
  'a member in v4': s => member(s.a, s.g, {}, 4),
  'a member in v5': s => member(s.a, s.g, {}, 5),
  'a member in v7': s => member(s.a, s.g, {}, 7),
  'a static member': s => join(s.a, s.g, { groupInstanceId: 'i' }),
  'a static member with no name': s => join(s.a, s.g, { groupInstanceId: '' }),
  'an unknown static member with an id': s =>
    join(s.a, s.g, { groupInstanceId: 'i', memberId: 'nobody' }),
  'a static member with the id of another': async s => {
    await stable(s.a, s.g, { groupInstanceId: 'i' })
    return join(s.b, s.g, { groupInstanceId: 'i', memberId: 'nobody' })
  },
  'a static member that comes back': async s => {
    await stable(s.a, s.g, { groupInstanceId: 'i' })
    return join(s.b, s.g, { groupInstanceId: 'i' })
  },
  'a static member that comes back in v5': async s => {
    await stable(s.a, s.g, { groupInstanceId: 'i' })
    return join(s.b, s.g, { groupInstanceId: 'i' }, 5)
  },
  'a static member that comes back with another protocol': async s => {
    await stable(s.a, s.g, { groupInstanceId: 'i' })
    return join(s.b, s.g, { groupInstanceId: 'i', protocols: [sticky] })
  },
  'a static member that comes back with another subscription': async s => {
    await stable(s.a, s.g, { groupInstanceId: 'i' })
    const protocols = [{ name: 'range', metadata: subscription('q', 'r') }]
    return join(s.b, s.g, { groupInstanceId: 'i', protocols })
  },
  'a static member that was replaced': async s => {
    const memberId = await stable(s.a, s.g, { groupInstanceId: 'i' })
    await join(s.b, s.g, { groupInstanceId: 'i' })
    return join(s.a, s.g, { groupInstanceId: 'i', memberId })
  },
  'another type of protocol': async s => {
    await stable(s.a, s.g)
    return join(s.b, s.g, { protocolType: 'connect' })
  },
  'no common protocol': async s => {
    await stable(s.a, s.g)
    return join(s.b, s.g, { protocols: [sticky] })
  },
  'the protocol that all have': async s => {
    const memberId = await stable(s.a, s.g, { protocols: [range, sticky] })
    sendJoin(s.b, s.g, { protocols: [sticky] }, 3)
    await untilRebalance(s, memberId)
    return join(s.a, s.g, { memberId, protocols: [range, sticky] })
  },
  'a leader that joins again': async s => {
    const memberId = await stable(s.a, s.g)
    return join(s.a, s.g, { memberId })
  },
  'a follower that joins again unchanged': async s => {
    const { first, second } = await completing(s)
    await sync(s.a, s.g, { memberId: first, generationId: 2 })
    await sync(s.b, s.g, { memberId: second, generationId: 2 })
    return join(s.b, s.g, { memberId: second })
  },
  'a member that joins again before it syncs': async s => {
    const { member: memberId } = await member(s.a, s.g)
    return join(s.a, s.g, { memberId })
  },
  'the leader of two': async s => (await completing(s)).led,
  'the follower of two': async s => (await completing(s)).followed,
  'a group that has offsets already': async s => {
    await commit(s.a, s.g)
    return member(s.a, s.g)
  },
  'an empty group and another type of protocol': async s => {
    const memberId = await stable(s.a, s.g)
    await leave(s.a, s.g, [{ memberId }])
    return member(s.a, s.g, { protocolType: 'connect' })
  },
  'a group that was left': async s => {
    const memberId = await stable(s.a, s.g)
    await leave(s.a, s.g, [{ memberId }])
    return member(s.a, s.g)
  },
  'the generation after a group was left': async s => {
    const memberId = await stable(s.a, s.g)
    await leave(s.a, s.g, [{ memberId }])
    const { generation } = await member(s.a, s.g)
    return generation
  },
}

const syncs: Questions = {
  'no group id': s => sync(s.a, '', {}),
  'an unknown group': s => sync(s.a, s.g, { memberId: 'nobody' }),
  'an unknown group in v3': s => sync(s.a, s.g, { memberId: 'nobody' }, 3),
  'an unknown member': async s => {
    await stable(s.a, s.g)
    return sync(s.a, s.g, { memberId: 'nobody' })
  },
  'another generation': async s => {
    const memberId = await stable(s.a, s.g)
    return sync(s.a, s.g, { memberId, generationId: 2 })
  },
  'another type of protocol': async s => {
    const memberId = await stable(s.a, s.g)
    return sync(s.a, s.g, { memberId, protocolType: 'connect' })
  },
  'another protocol': async s => {
    const memberId = await stable(s.a, s.g)
    return sync(s.a, s.g, { memberId, protocolName: 'sticky' })
  },
  'no protocol in v5': async s => {
    const memberId = await stable(s.a, s.g)
    return sync(s.a, s.g, { memberId, protocolName: null, protocolType: null })
  },
  'a member that has synced': async s => {
    const memberId = await stable(s.a, s.g)
    return sync(s.a, s.g, { memberId })
  },
  'a member that has synced, in v0': async s => {
    const memberId = await stable(s.a, s.g)
    return sync(s.a, s.g, { memberId }, 0)
  },
  'a leader without assignments': async s => {
    const { member: memberId } = await member(s.a, s.g)
    return sync(s.a, s.g, { memberId })
  },
  'assignments of nobody': async s => {
    const { member: memberId } = await member(s.a, s.g)
    return sync(s.a, s.g, {
      memberId,
      assignments: [{ memberId: 'nobody', assignment: Buffer.from('none') }],
    })
  },
  'a follower': async s => {
    const { first, second } = await completing(s)
    const assignments = [{ memberId: second, assignment: Buffer.from('yours') }]
    await sync(s.a, s.g, { memberId: first, generationId: 2, assignments })
    return sync(s.b, s.g, { memberId: second, generationId: 2 })
  },
  'while a rebalance is prepared': async s => {
    const { first } = await preparing(s)
    return sync(s.a, s.g, { memberId: first })
  },
  'a member that has only its id': async s => {
    await stable(s.a, s.g)
    const { member: memberId } = await join(s.b, s.g)
    return sync(s.b, s.g, { memberId })
  },
  'a static member that was replaced': async s => {
    const memberId = await stable(s.a, s.g, { groupInstanceId: 'i' })
    await join(s.b, s.g, { groupInstanceId: 'i' })
    return sync(s.a, s.g, { memberId, groupInstanceId: 'i' })
  },
  'an unknown static member': async s => {
    const memberId = await stable(s.a, s.g)
    return sync(s.a, s.g, { memberId, groupInstanceId: 'i' })
  },
  'an empty group': async s => {
    const memberId = await stable(s.a, s.g)
    await leave(s.a, s.g, [{ memberId }])
    return sync(s.a, s.g, { memberId })
  },
}

const beats: Questions = {
  'no group id': s => beat(s.a, '', {}),
  'an unknown group': s => beat(s.a, s.g, { memberId: 'nobody' }),
  'a group of offsets': async s => {
    await commit(s.a, s.g)
    return beat(s.a, s.g, { memberId: 'nobody', generationId: -1 })
  },
  'an unknown member': async s => {
    await stable(s.a, s.g)
    return beat(s.a, s.g, { memberId: 'nobody' })
  },
  'no member': async s => {
    await stable(s.a, s.g)
    return beat(s.a, s.g, {})
  },
  'another generation': async s => {
    const memberId = await stable(s.a, s.g)
    return beat(s.a, s.g, { memberId, generationId: 0 })
  },
  'a member': async s => {
    const memberId = await stable(s.a, s.g)
    return beat(s.a, s.g, { memberId })
  },
  'a member that has not synced': async s => {
    const { member: memberId } = await member(s.a, s.g)
    return beat(s.a, s.g, { memberId })
  },
  'a follower before the leader has synced': async s => {
    const { second } = await completing(s)
    return beat(s.a, s.g, { memberId: second, generationId: 2 })
  },
  'a member that has only its id': async s => {
    await stable(s.a, s.g)
    const { member: memberId } = await join(s.b, s.g)
    return beat(s.b, s.g, { memberId })
  },
  'an unknown static member': async s => {
    const memberId = await stable(s.a, s.g)
    return beat(s.a, s.g, { memberId, groupInstanceId: 'i' })
  },
  'a static member': async s => {
    const memberId = await stable(s.a, s.g, { groupInstanceId: 'i' })
    return beat(s.a, s.g, { memberId, groupInstanceId: 'i' })
  },
  'a static member that forgets its name': async s => {
    const memberId = await stable(s.a, s.g, { groupInstanceId: 'i' })
    return beat(s.a, s.g, { memberId })
  },
  'a static member that was replaced': async s => {
    const memberId = await stable(s.a, s.g, { groupInstanceId: 'i' })
    await join(s.b, s.g, { groupInstanceId: 'i' })
    return beat(s.a, s.g, { memberId, groupInstanceId: 'i' })
  },
  'a static member that was replaced and forgets its name': async s => {
    const memberId = await stable(s.a, s.g, { groupInstanceId: 'i' })
    await join(s.b, s.g, { groupInstanceId: 'i' })
    return beat(s.a, s.g, { memberId })
  },
}

const leavings: Questions = {
  'no group id': s => leave(s.a, '', [{ memberId: 'nobody' }]),
  'an unknown group': s => leave(s.a, s.g, [{ memberId: 'nobody' }]),
  'an unknown group in v2': s => leaveAlone(s.a, s.g, 'nobody'),
  'an unknown member': async s => {
    await stable(s.a, s.g)
    return leave(s.a, s.g, [{ memberId: 'nobody' }])
  },
  'an unknown member in v2': async s => {
    await stable(s.a, s.g)
    return leaveAlone(s.a, s.g, 'nobody')
  },
  'a member': async s => {
    const memberId = await stable(s.a, s.g)
    return leave(s.a, s.g, [{ memberId }])
  },
  'a member in v2': async s => {
    const memberId = await stable(s.a, s.g)
    return leaveAlone(s.a, s.g, memberId)
  },
  'a member twice': async s => {
    const memberId = await stable(s.a, s.g)
    return leave(s.a, s.g, [{ memberId }, { memberId }])
  },
  nobody: async s => {
    await stable(s.a, s.g)
    return leave(s.a, s.g, [])
  },
  'a member that has only its id': async s => {
    await stable(s.a, s.g)
    const { member: memberId } = await join(s.b, s.g)
    return leave(s.b, s.g, [{ memberId }])
  },
  'a static member by its name': async s => {
    await stable(s.a, s.g, { groupInstanceId: 'i' })
    return leave(s.a, s.g, [{ groupInstanceId: 'i' }])
  },
  'a static member by its name, told back with its id': async s => {
    const memberId = await stable(s.a, s.g, { groupInstanceId: 'i' })
    return leave(s.a, s.g, [{ groupInstanceId: 'i', memberId }])
  },
  'a static member by a wrong id': async s => {
    await stable(s.a, s.g, { groupInstanceId: 'i' })
    return leave(s.a, s.g, [{ groupInstanceId: 'i', memberId: 'nobody' }])
  },
  'a static member by its id only': async s => {
    const memberId = await stable(s.a, s.g, { groupInstanceId: 'i' })
    return leave(s.a, s.g, [{ memberId }])
  },
  'an unknown static member': async s => {
    await stable(s.a, s.g)
    return leave(s.a, s.g, [{ groupInstanceId: 'i' }])
  },
  'good and bad': async s => {
    const memberId = await stable(s.a, s.g)
    return leave(s.a, s.g, [{ memberId: 'nobody' }, { memberId }, { groupInstanceId: 'i' }])
  },
  'a member that waits to join': async s => {
    const { second } = await preparing(s)
    await leave(s.a, s.g, [{ memberId: second }])
    return joined(s.b)
  },
}

const descriptions: Questions = {
  'an unknown group': s => describe(s.a, ['nope']),
  'an unknown group in v5': s => describe(s.a, ['nope'], 5),
  'an unknown group with operations': s =>
    describe(s.a, ['nope'], 6, { includeAuthorizedOperations: true }),
  'an unknown group with operations in v5': s =>
    describe(s.a, ['nope'], 5, { includeAuthorizedOperations: true }),
  'no group id': s => describe(s.a, ['']),
  'no group id in v5': s => describe(s.a, [''], 5),
  'no groups': s => describe(s.a, []),
  'a group twice': s => describe(s.a, ['nope', 'nope']),
  'a stable group': async s => {
    await stable(s.a, s.g)
    return state(s)
  },
  'a stable group in v0': async s => {
    await stable(s.a, s.g)
    return state(s, 0)
  },
  'a stable group with operations': async s => {
    await stable(s.a, s.g)
    return state(s, 6, { includeAuthorizedOperations: true })
  },
  'a static member': async s => {
    await stable(s.a, s.g, { groupInstanceId: 'i' })
    return state(s)
  },
  'a group that completes its rebalance': async s => {
    await member(s.a, s.g)
    return state(s)
  },
  'a group that prepares its rebalance': async s => {
    await preparing(s)
    return state(s)
  },
  'a group with only an id given out': async s => {
    await join(s.a, s.g)
    return state(s)
  },
  'a group that was left': async s => {
    const memberId = await stable(s.a, s.g)
    await leave(s.a, s.g, [{ memberId }])
    return state(s)
  },
  'a group of offsets': async s => {
    await commit(s.a, s.g)
    return state(s)
  },
  'a group of offsets whose only offset was deleted': async s => {
    await commit(s.a, s.g)
    await forget(s.a, s.g, { q: [0] })
    return state(s)
  },
  'a group that was deleted': async s => {
    await commit(s.a, s.g)
    await drop(s.a, [s.g])
    return state(s)
  },
}

async function state({ a, g }: GroupScene, version = 6, more: object = {}) {
  return (await describe(a, [g], version, more))[0]
}

const listings: Questions = {
  'a stable group': async s => {
    await stable(s.a, s.g)
    return listed(s)
  },
  'a stable group in v3': async s => {
    await stable(s.a, s.g)
    return listed(s, {}, 3)
  },
  'a stable group in v4': async s => {
    await stable(s.a, s.g)
    return listed(s, {}, 4)
  },
  'a group of offsets': async s => {
    await commit(s.a, s.g)
    return listed(s)
  },
  'a group that was left': async s => {
    const memberId = await stable(s.a, s.g)
    await leave(s.a, s.g, [{ memberId }])
    return listed(s)
  },
  'a group that prepares its rebalance': async s => {
    await preparing(s)
    return listed(s)
  },
  'a group that completes its rebalance': async s => {
    await member(s.a, s.g)
    return listed(s, { statesFilter: ['CompletingRebalance'] })
  },
  'by a state': filtered({ statesFilter: ['Stable'] }),
  'by a state in other letters': filtered({ statesFilter: ['sTABLE'] }),
  'by another state': filtered({ statesFilter: ['Empty'] }),
  'by several states': filtered({ statesFilter: ['Empty', 'stable'] }),
  'by a state that is none': filtered({ statesFilter: ['foo'] }),
  'by no state': filtered({ statesFilter: [''] }),
  'by its type': filtered({ typesFilter: ['classic'] }),
  'by its type in other letters': filtered({ typesFilter: ['CLASSIC'] }),
  'by another type': filtered({ typesFilter: ['consumer'] }),
  'by a type that is none': filtered({ typesFilter: ['foo'] }),
  'by state and type': filtered({ statesFilter: ['Stable'], typesFilter: ['Classic'] }),
}

function filtered(body: object): Ask {
  return async s => {
    await stable(s.a, s.g)
    return listed(s, body)
  }
}

async function listed({ a, g }: GroupScene, body: object = {}, version = 5) {
  return list(a, g, body, version)
}

const drops: Questions = {
  'no group id': s => drop(s.a, ['']),
  'an unknown group': s => drop(s.a, ['nope']),
  'an unknown group in v1': s => drop(s.a, ['nope'], 1),
  'no groups': s => drop(s.a, []),
  'a group twice': s => drop(s.a, ['nope', 'nope']),
  'a group with members': async s => {
    await stable(s.a, s.g)
    return dropped(s)
  },
  'a group with only an id given out': async s => {
    await join(s.a, s.g)
    return dropped(s)
  },
  'a group of offsets': async s => {
    await commit(s.a, s.g)
    return [await dropped(s), await fetchOne(s.a, s.g, null)]
  },
  'a group that was left': async s => {
    const memberId = await stable(s.a, s.g)
    await leave(s.a, s.g, [{ memberId }])
    return [await dropped(s), await state(s)]
  },
  'a group twice, and there': async s => {
    await commit(s.a, s.g)
    return (await drop(s.a, [s.g, s.g])).map(result => result.slice(1))
  },
}

async function dropped({ a, g }: GroupScene) {
  return (await drop(a, [g])).map(result => result.slice(1))
}

const commits: Questions = {
  'by nobody': s => commit(s.a, s.g),
  'by nobody in v2': s => commit(s.a, s.g, [{}], { version: 2 }),
  'by nobody without a group id': s => commit(s.a, ''),
  'by a member without a group id': s =>
    commit(s.a, '', [{}], { memberId: 'nobody', generationIdOrMemberEpoch: 1 }),
  'by a member of an unknown group': s =>
    commit(s.a, s.g, [{}], { memberId: 'nobody', generationIdOrMemberEpoch: 1 }),
  'by a member of an unknown group in v8': s =>
    commit(s.a, s.g, [{}], { version: 8, memberId: 'nobody', generationIdOrMemberEpoch: 1 }),
  'by a member of an unknown group without a generation': s =>
    commit(s.a, s.g, [{}], { memberId: 'nobody' }),
  'of a generation by nobody': s => commit(s.a, s.g, [{}], { generationIdOrMemberEpoch: 1 }),
  'by nobody into a group with members': async s => {
    await stable(s.a, s.g)
    return commit(s.b, s.g)
  },
  'by nobody into a group that prepares': async s => {
    await preparing(s)
    return commit(s.a, s.g)
  },
  'by nobody into a group with only an id given out': async s => {
    await join(s.a, s.g)
    return commit(s.a, s.g)
  },
  'by a member with only its id': async s => {
    const { member: memberId } = await join(s.a, s.g)
    return commit(s.a, s.g, [{}], { memberId })
  },
  'by nobody into a group that was left': async s => {
    const memberId = await stable(s.a, s.g)
    await leave(s.a, s.g, [{ memberId }])
    return commit(s.a, s.g)
  },
  'by a member that has left': async s => {
    const memberId = await stable(s.a, s.g)
    await leave(s.a, s.g, [{ memberId }])
    return commit(s.a, s.g, [{}], { memberId, generationIdOrMemberEpoch: 1 })
  },
  'by a member': async s => {
    const memberId = await stable(s.a, s.g)
    return commit(s.a, s.g, [{}], { memberId, generationIdOrMemberEpoch: 1 })
  },
  'by an unknown member': async s => {
    await stable(s.a, s.g)
    return commit(s.a, s.g, [{}], { memberId: 'nobody', generationIdOrMemberEpoch: 1 })
  },
  'by a member of another generation': async s => {
    const memberId = await stable(s.a, s.g)
    return commit(s.a, s.g, [{}], { memberId, generationIdOrMemberEpoch: 0 })
  },
  'by a member without a generation': async s => {
    const memberId = await stable(s.a, s.g)
    return commit(s.a, s.g, [{}], { memberId })
  },
  'by a member that has not synced': async s => {
    const { member: memberId } = await member(s.a, s.g)
    return commit(s.a, s.g, [{}], { memberId, generationIdOrMemberEpoch: 1 })
  },
  'by a member while a rebalance is prepared': async s => {
    const { first } = await preparing(s)
    return commit(s.a, s.g, [{}], { memberId: first, generationIdOrMemberEpoch: 1 })
  },
  'by a static member': async s => {
    const memberId = await stable(s.a, s.g, { groupInstanceId: 'i' })
    const body = { memberId, groupInstanceId: 'i', generationIdOrMemberEpoch: 1 }
    return commit(s.a, s.g, [{}], body)
  },
  'by an unknown static member': async s => {
    const memberId = await stable(s.a, s.g)
    const body = { memberId, groupInstanceId: 'i', generationIdOrMemberEpoch: 1 }
    return commit(s.a, s.g, [{}], body)
  },
  'by a static member that was replaced': async s => {
    const memberId = await stable(s.a, s.g, { groupInstanceId: 'i' })
    await join(s.b, s.g, { groupInstanceId: 'i' })
    const body = { memberId, groupInstanceId: 'i', generationIdOrMemberEpoch: 1 }
    return commit(s.a, s.g, [{}], body)
  },
  'by a static member of an unknown group': s => commit(s.a, s.g, [{}], { groupInstanceId: 'i' }),
  'of an unknown topic': s => commit(s.a, s.g, [{}], { name: 'nope' }),
  'of no topic name': s => commit(s.a, s.g, [{}], { name: '' }),
  'of an unknown partition': s => commit(s.a, s.g, [{}, { partitionIndex: 2 }]),
  'of a negative partition': s => commit(s.a, s.g, [{ partitionIndex: -1 }]),
  'of an unknown topic id': s => commit(s.a, s.g, [{}], { version: 10, topicId: unknownId }),
  'of no topic id': s => commit(s.a, s.g, [{}], { version: 10, topicId: zero }),
  'of a topic id': s => commit(s.a, s.g, [{}], { version: 10, topicId: s.topicId }),
  'of an unknown partition of a topic id': s =>
    commit(s.a, s.g, [{ partitionIndex: 2 }], { version: 10, topicId: s.topicId }),
  'of no partitions': s => commit(s.a, s.g, []),
  'of nothing': s => commit(s.a, s.g, [], { topics: [] }),
  'of a partition twice': async s => [
    await commit(s.a, s.g, [{ committedOffset: 1 }, { committedOffset: 2 }]),
    await fetchOne(s.a, s.g, null),
  ],
  'an unknown topic beside a good one': s =>
    commit(s.a, s.g, [], {
      topics: ['nope', 'q'].map(name => ({
        name,
        partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: '' }],
      })),
    }),
  'long metadata': s => stored(s, { committedMetadata: 'x'.repeat(4097) }),
  'metadata that just fits': async s => commit(s.a, s.g, [{ committedMetadata: 'x'.repeat(4096) }]),
  'long metadata in many bytes': s => commit(s.a, s.g, [{ committedMetadata: 'ä'.repeat(2049) }]),
  'no metadata': s => stored(s, { committedMetadata: null }),
  'a leader epoch': s => stored(s, { committedLeaderEpoch: 5 }),
  'offset -1': s => stored(s, { committedOffset: -1 }),
  'offset -2': s => stored(s, { committedOffset: -2 }),
  'an offset beyond the end': s => stored(s, { committedOffset: 1_000_000 }),
  'of a generation that is negative': s =>
    commit(s.a, s.g, [{}], { generationIdOrMemberEpoch: -5 }),
  'from its group when that has only offsets': async s => {
    await commit(s.a, s.g)
    return commit(s.a, s.g, [{}], { memberId: 'nobody', generationIdOrMemberEpoch: 1 })
  },
}

async function stored(s: GroupScene, partition: CommitPartition) {
  return [await commit(s.a, s.g, [partition]), await fetchOne(s.a, s.g, { q: [0] })]
}

/** After a commit of partition 0. */
function afterCommit(ask: Ask): Ask {
  return async s => {
    await commit(s.a, s.g, [{ committedLeaderEpoch: 5, committedMetadata: 'note' }])
    return ask(s)
  }
}

const fetches: Questions = {
  'an unknown group in v1': s => fetchOne(s.a, s.g, { q: [0], nope: [0] }, 1),
  'an unknown group in v2': s => fetchOne(s.a, s.g, { q: [0] }, 2),
  'an unknown group': s => fetchOne(s.a, s.g, { q: [0] }),
  'all of an unknown group': s => fetchOne(s.a, s.g, null),
  'no group id': async s => {
    await commit(s.a, '')
    return fetchOne(s.a, '', { q: [0] })
  },
  'no group id in v9': s => many(s, { groupId: '', topics: { q: [0] } }),
  'an unknown group in v9': s => many(s, { topics: { q: [0] } }),
  'all of an unknown group in v9': s => many(s, { topics: null }),
  'an unknown topic and partition': afterCommit(s => fetchOne(s.a, s.g, { q: [0, 9], nope: [0] })),
  all: afterCommit(s => fetchOne(s.a, s.g, null)),
  'all in v2': afterCommit(s => fetchOne(s.a, s.g, null, 2)),
  nothing: afterCommit(s => fetchOne(s.a, s.g, {})),
  'nothing of a topic': afterCommit(s => fetchOne(s.a, s.g, { q: [] })),
  'a partition twice': afterCommit(s => fetchOne(s.a, s.g, { q: [0, 0] })),
  'one partition in v1': afterCommit(s => fetchOne(s.a, s.g, { q: [0] }, 1)),
  'one partition in v5': afterCommit(s => fetchOne(s.a, s.g, { q: [0] }, 5)),
  'all in v9': afterCommit(s => many(s, { topics: null })),
  'nothing in v9': afterCommit(s => many(s, { topics: {} })),
  'some in v8': afterCommit(s => many(s, { topics: { q: [0, 1], nope: [0] } }, 8)),
  'some by id': afterCommit(s =>
    many(s, { topics: { [s.topicId]: [0, 9], [unknownId]: [0, 1] } }, 10),
  ),
  'all by id': afterCommit(s => many(s, { topics: null }, 10)),
  'no topic id': afterCommit(s => many(s, { topics: { [zero]: [0] } }, 10)),
  'by a member of a group that has only offsets': afterCommit(s =>
    many(s, { topics: null, memberId: 'nobody', memberEpoch: 3 }),
  ),
  'by a member of an unknown group': s =>
    many(s, { topics: null, memberId: 'nobody', memberEpoch: 3 }),
  'by an unknown member with an epoch': async s => {
    await stable(s.a, s.g)
    return many(s, { topics: { q: [0] }, memberId: 'nobody', memberEpoch: 3 })
  },
  'by a member of an unknown group without epoch': s =>
    many(s, { topics: { q: [0] }, memberId: 'nobody' }),
  'by an unknown member': async s => {
    await stable(s.a, s.g)
    return many(s, { topics: { q: [0] }, memberId: 'nobody' })
  },
  'several groups': afterCommit(async s =>
    (
      await fetchMany(s.a, [
        { groupId: s.g, topics: null },
        { groupId: 'nope', topics: { q: [0] } },
        { groupId: s.g, topics: { q: [0] } },
      ])
    ).map(group => group.slice(1)),
  ),
  'no groups': s => fetchMany(s.a, []),
}

async function many(
  { a, g }: GroupScene,
  group: Partial<FetchGroup> & Pick<FetchGroup, 'topics'>,
  version = 9,
) {
  const [answer] = await fetchMany(a, [{ groupId: g, ...group }], version)
  return answer!.slice(1)
}

const forgettings: Questions = {
  'no group id': s => forget(s.a, '', { q: [0] }),
  'an unknown group': s => forget(s.a, s.g, { q: [0] }),
  'an offset': async s => {
    await commit(s.a, s.g)
    return [await forget(s.a, s.g, { q: [0] }), await fetchOne(s.a, s.g, { q: [0] })]
  },
  'no offset, an unknown partition, an unknown topic': afterCommit(s =>
    forget(s.a, s.g, { q: [1, 9, 0], nope: [0] }),
  ),
  nothing: afterCommit(s => forget(s.a, s.g, {})),
  'no partitions': afterCommit(s => forget(s.a, s.g, { q: [] })),
  'a partition twice': afterCommit(s => forget(s.a, s.g, { q: [0, 0] })),
  'of a topic with subscribers': async s => {
    await stable(s.a, s.g)
    return forget(s.a, s.g, { q: [0, 1] })
  },
  'of a topic without subscribers': async s => {
    await stable(s.a, s.g, { protocols: [{ name: 'range', metadata: subscription('r') }] })
    return forget(s.a, s.g, { q: [0] })
  },
  'of a group whose members are not consumers': async s => {
    await stable(s.a, s.g, { protocolType: 'connect' })
    return forget(s.a, s.g, { q: [0] })
  },
  'of members that cannot be understood': async s => {
    await stable(s.a, s.g, { protocols: [{ name: 'range', metadata: Buffer.from('x') }] })
    return forget(s.a, s.g, { q: [0] })
  },
  'of a topic with subscribers while a rebalance is prepared': async s => {
    await preparing(s)
    return forget(s.a, s.g, { q: [0] })
  },
  'of a group that was left': async s => {
    const memberId = await stable(s.a, s.g)
    await commit(s.a, s.g, [{}], { memberId, generationIdOrMemberEpoch: 1 })
    await leave(s.a, s.g, [{ memberId }])
    return forget(s.a, s.g, { q: [0] })
  },
}

export const groupCases: Readonly<Record<string, Questions>> = {
  FindCoordinator: findings,
  JoinGroup: joins,
  SyncGroup: syncs,
  Heartbeat: beats,
  LeaveGroup: leavings,
  DescribeGroups: descriptions,
  ListGroups: listings,
  DeleteGroups: drops,
  OffsetCommit: commits,
  OffsetFetch: fetches,
  OffsetDelete: forgettings,
}

/** Answers the questions of one API in their order; ids of members are told as member 1, 2…. */
export async function askAll(
  api: string,
  connect: () => Promise<WireClient>,
  onAsk: (what: string) => void = () => {},
): Promise<Record<string, unknown>> {
  const client = await connect()
  const topicId = await topicOf(client)
  // Until its first group is asked for, Kafka has no topic for them.
  while ((await find(client, api))[0] !== 0);
  const answers: Record<string, unknown> = {}
  let groups = 0
  for (const [what, ask] of Object.entries(groupCases[api]!)) {
    const [a, b] = [await connect(), await connect()]
    const g = `${api}-${++groups}.`
    onAsk(what)
    answers[what] = withoutIds(await ask({ a, b, g, topicId }), { g, q: topicId })
    a.close()
    b.close()
  }
  return answers
}

/** Creates `q` unless it is there; answers its id. */
async function topicOf(client: WireClient): Promise<string> {
  const { createTopicsRequest, createTopicsResponse } = createTopics
  await client.ask(createTopicsRequest, createTopicsResponse, 7, {
    topics: [{ name: 'q', numPartitions: 2, replicationFactor: 1, assignments: [], configs: [] }],
    timeoutMs: 5000,
  })
  const { metadataRequest, metadataResponse } = metadataMessages
  for (;;) {
    const { topics } = await client.ask(metadataRequest, metadataResponse, 12, {
      topics: [{ name: 'q' }],
    })
    if (topics[0]!.errorCode === 0) return topics[0]!.topicId
  }
}

/** Ids of members are the client id (dynamic ones) or the instance id, and a random uuid. */
function withoutIds(answer: unknown, { g, q }: { g: string; q: string }): unknown {
  const seen: string[] = []
  const text = JSON.stringify(answer ?? null)
    .replaceAll(g, 'g')
    .replaceAll(q, 'q')
    .replaceAll(/(127|10)\.0\.0\.1/g, 'host')
    .replaceAll(/[a-z]*-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, id => {
      if (!seen.includes(id)) seen.push(id)
      return `${id.slice(0, id.indexOf('-'))}-member-${seen.indexOf(id) + 1}`
    })
  return JSON.parse(text)
}
