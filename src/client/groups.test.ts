import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encode } from '../protocol/compile.ts'
import { type ErrorName, errorCode } from '../protocol/errors.ts'
import {
  consumerProtocolAssignment,
  consumerProtocolSubscription,
} from '../protocol/messages/consumer-protocol.ts'
import { deleteGroupsRequest, deleteGroupsResponse } from '../protocol/messages/delete-groups.ts'
import {
  describeGroupsRequest,
  describeGroupsResponse,
} from '../protocol/messages/describe-groups.ts'
import {
  findCoordinatorRequest,
  findCoordinatorResponse,
} from '../protocol/messages/find-coordinator.ts'
import { leaveGroupRequest, leaveGroupResponse } from '../protocol/messages/leave-group.ts'
import { listGroupsRequest, listGroupsResponse } from '../protocol/messages/list-groups.ts'
import { metadataRequest, metadataResponse } from '../protocol/messages/metadata.ts'
import { offsetFetchRequest, offsetFetchResponse } from '../protocol/messages/offset-fetch.ts'
import { type ScriptedRequest, scriptedBroker } from '../sim/scripted-broker.ts'
import { simulated, type World } from '../sim/world.ts'
import { Cluster } from './cluster.ts'
import { deleteGroup, describeGroup, fetchOffsets, listGroups, removeMembers } from './groups.ts'

const port = 9092
const versions = new Map(
  [
    metadataRequest,
    findCoordinatorRequest,
    listGroupsRequest,
    describeGroupsRequest,
    deleteGroupsRequest,
    leaveGroupRequest,
    offsetFetchRequest,
  ].map(({ apiKey, versions }) => [apiKey!, versions.last] as const),
)
const [findCoordinator, deleteGroups] = [findCoordinatorRequest.apiKey, deleteGroupsRequest.apiKey]

function client(world: World, timeoutMs = 5000): Cluster {
  return new Cluster(world.io('client'), { bootstrap: [{ host: 'one', port }], timeoutMs })
}

function answerCoordinator(
  request: ScriptedRequest,
  host: string,
  error: ErrorName = 'NONE',
): void {
  const { coordinatorKeys } = request.body(findCoordinatorRequest)
  request.answer(findCoordinatorResponse, {
    coordinators: coordinatorKeys.map(key => ({
      key,
      nodeId: host === 'one' ? 1 : 2,
      host,
      port,
      errorCode: errorCode(error),
      errorMessage: null,
    })),
  })
}

function answerDeletion(request: ScriptedRequest, error: ErrorName): void {
  const { groupsNames } = request.body(deleteGroupsRequest)
  request.answer(deleteGroupsResponse, {
    results: groupsNames.map(groupId => ({ groupId, errorCode: errorCode(error) })),
  })
}

test('a call follows the coordinator, and waits while there is none or it is loading', () =>
  simulated().run(async world => {
    let asked = 0
    const asking: number[] = []
    await scriptedBroker(world.io('one'), port, versions, request => {
      asking.push(request.header.apiKey)
      if (request.header.apiKey === deleteGroups) return answerDeletion(request, 'NOT_COORDINATOR')
      asked += 1
      if (asked === 1) answerCoordinator(request, 'one', 'COORDINATOR_NOT_AVAILABLE')
      else answerCoordinator(request, asked === 2 ? 'one' : 'two')
    })
    let loading = true
    await scriptedBroker(world.io('two'), port, versions, request => {
      if (request.header.apiKey === findCoordinator) return answerCoordinator(request, 'two')
      answerDeletion(request, loading ? 'COORDINATOR_LOAD_IN_PROGRESS' : 'NONE')
      loading = false
    })
    const cluster = client(world)
    await deleteGroup(cluster, 'billing')
    assert.deepEqual(asking.slice(0, 4), [10, 10, deleteGroups, 10])
    assert.equal((await cluster.coordinatorOf('billing')).host, 'two')
    cluster.close()
  }))

test('a group without a coordinator ends the call at its deadline, a refusal at once', () =>
  simulated().run(async world => {
    let error: ErrorName = 'COORDINATOR_NOT_AVAILABLE'
    await scriptedBroker(world.io('one'), port, versions, request => {
      if (request.header.apiKey === findCoordinator) answerCoordinator(request, 'one', error)
      else answerDeletion(request, 'NON_EMPTY_GROUP')
    })
    const { clock } = world.io('client')
    const cluster = client(world, 3000)
    const startMs = clock.monotonicMs()
    await assert.rejects(deleteGroup(cluster, 'g'), { error: 'COORDINATOR_NOT_AVAILABLE' })
    const tookMs = clock.monotonicMs() - startMs
    assert.ok(tookMs > 1500 && tookMs <= 3000, `${tookMs} ms`)
    error = 'NONE'
    await assert.rejects(deleteGroup(cluster, 'g'), { error: 'NON_EMPTY_GROUP' })
    cluster.close()
  }))

test('groups of every broker are listed once each, in order', () =>
  simulated().run(async world => {
    for (const [host, groups] of [
      ['one', ['c', 'a']],
      ['two', ['b', 'c']],
    ] as const) {
      await scriptedBroker(world.io(host), port, versions, request => {
        if (request.header.apiKey === metadataRequest.apiKey) {
          const brokers = ['one', 'two'].map((host, at) => ({ nodeId: at + 1, host, port }))
          return request.answer(metadataResponse, { brokers, topics: [] })
        }
        request.answer(listGroupsResponse, {
          errorCode: 0,
          groups: groups.map(groupId => ({
            groupId,
            protocolType: 'consumer',
            groupState: 'Stable',
            groupType: 'classic',
          })),
        })
      })
    }
    const cluster = client(world)
    const found = await listGroups(cluster)
    assert.deepEqual(
      found.map(({ group, type }) => `${group} ${type}`),
      ['a Classic', 'b Classic', 'c Classic'],
    )
    cluster.close()
  }))

const assigned = encode(consumerProtocolAssignment, 0, {
  assignedPartitions: [{ topic: 'orders', partitions: [0, 2] }],
})
const subscribed = encode(consumerProtocolSubscription, 1, { topics: ['orders'] })

test("members' bytes are read as far as they can be, and are never an error", () =>
  simulated().run(async world => {
    const bytes = (version: number, ...rest: Uint8Array[]) =>
      Buffer.concat([Buffer.of(version >> 8, version & 0xff), ...rest])
    const pairs: [metadata: Uint8Array, assignment: Uint8Array][] = [
      [bytes(1, ...subscribed), bytes(0, ...assigned)],
      [bytes(1, ...subscribed), bytes(9, ...assigned)],
      [Buffer.alloc(0), Buffer.alloc(0)],
      [Buffer.of(0), bytes(0xffff, ...assigned)],
      [Buffer.from('{"json":true}'), bytes(0, Buffer.of(0x7f, 0xff, 0xff, 0xff))],
    ]
    let protocolType = 'consumer'
    await scriptedBroker(world.io('one'), port, versions, request => {
      if (request.header.apiKey === findCoordinator) return answerCoordinator(request, 'one')
      request.answer(describeGroupsResponse, {
        groups: [
          {
            errorCode: 0,
            groupId: 'g',
            groupState: 'Stable',
            protocolType,
            protocolData: 'range',
            members: pairs.map(([memberMetadata, memberAssignment], at) => ({
              memberId: `m${at}`,
              clientId: 'c',
              clientHost: '/127.0.0.1',
              memberMetadata,
              memberAssignment,
            })),
          },
        ],
      })
    })
    const cluster = client(world)
    const orders = [0, 2].map(partition => ({ topic: 'orders', partition }))
    const group = await describeGroup(cluster, 'g')
    assert.deepEqual(
      group!.members.map(({ assigned, subscribed }) => [assigned, subscribed]),
      [
        [orders, ['orders']],
        [orders, ['orders']],
        [[], undefined],
        [undefined, undefined],
        [undefined, undefined],
      ],
    )
    protocolType = 'connect'
    const foreign = await describeGroup(cluster, 'g')
    assert.ok(foreign!.members.every(({ assigned }) => assigned === undefined))
    cluster.close()
  }))

test('a group that does not exist is undefined, not an error', () =>
  simulated().run(async world => {
    await scriptedBroker(world.io('one'), port, versions, request => {
      if (request.header.apiKey === findCoordinator) return answerCoordinator(request, 'one')
      request.answer(describeGroupsResponse, {
        groups: [
          {
            errorCode: errorCode('GROUP_ID_NOT_FOUND'),
            groupId: 'g',
            groupState: 'Dead',
            protocolType: '',
            protocolData: '',
            members: [],
          },
        ],
      })
    })
    const cluster = client(world)
    assert.equal(await describeGroup(cluster, 'g'), undefined)
    cluster.close()
  }))

test('offsets that are told by topic id get their names back', () =>
  simulated().run(async world => {
    const topicId = 'cccccccccccccccccccccw'
    await scriptedBroker(world.io('one'), port, versions, request => {
      if (request.header.apiKey === findCoordinator) return answerCoordinator(request, 'one')
      if (request.header.apiKey === metadataRequest.apiKey) {
        return request.answer(metadataResponse, {
          brokers: [],
          topics: [{ errorCode: 0, name: 'orders', topicId, partitions: [] }],
        })
      }
      const partition = (partitionIndex: number, committedOffset: number) => ({
        partitionIndex,
        committedOffset,
        metadata: null,
        errorCode: 0,
      })
      const partitions = [partition(1, 7), partition(0, 5), partition(2, -1)]
      request.answer(offsetFetchResponse, {
        groups: [{ groupId: 'g', topics: [{ topicId, partitions }] }],
      })
    })
    const cluster = client(world)
    const offsets = await fetchOffsets(cluster, 'g')
    assert.deepEqual(
      offsets.map(({ topic, partition, offset }) => `${topic}:${partition} ${offset}`),
      ['orders:0 5', 'orders:1 7'],
    )
    cluster.close()
  }))

test('a static member is removed by its instance id, another by its member id', () =>
  simulated().run(async world => {
    const left: string[] = []
    await scriptedBroker(world.io('one'), port, versions, request => {
      if (request.header.apiKey === findCoordinator) return answerCoordinator(request, 'one')
      const { members } = request.body(leaveGroupRequest)
      for (const { memberId, groupInstanceId } of members)
        left.push(`${memberId}/${groupInstanceId}`)
      request.answer(leaveGroupResponse, {
        errorCode: 0,
        members: members.map(({ memberId, groupInstanceId }, at) => ({
          memberId,
          groupInstanceId,
          errorCode: at === 0 ? 0 : errorCode('UNKNOWN_MEMBER_ID'),
        })),
      })
    })
    const cluster = client(world)
    const outcomes = await removeMembers(cluster, 'g', [
      { memberId: 'm1', instanceId: 'static' },
      { memberId: 'm2', instanceId: null },
    ])
    assert.deepEqual(left, ['/static', 'm2/null'])
    assert.deepEqual(
      outcomes.map(({ error }) => error?.error),
      [undefined, 'UNKNOWN_MEMBER_ID'],
    )
    cluster.close()
  }))
