import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ErrorName, errorCode } from '../../protocol/errors.ts'
import { createTopicsRequest, createTopicsResponse } from '../../protocol/messages/create-topics.ts'
import { deleteTopicsRequest, deleteTopicsResponse } from '../../protocol/messages/delete-topics.ts'
import {
  describeLogDirsRequest,
  describeLogDirsResponse,
} from '../../protocol/messages/describe-log-dirs.ts'
import {
  findCoordinatorRequest,
  findCoordinatorResponse,
} from '../../protocol/messages/find-coordinator.ts'
import { metadataRequest, metadataResponse } from '../../protocol/messages/metadata.ts'
import { offsetCommitRequest, offsetCommitResponse } from '../../protocol/messages/offset-commit.ts'
import { type ScriptedRequest, scriptedBroker } from '../../sim/scripted-broker.ts'
import { simulated, type World } from '../../sim/world.ts'
import { Admin } from '../admin.ts'

const port = 9092
const topicIds = ['cccccccccccccccccccccw', 'dddddddddddddddddddddw'] as const
const versions = new Map(
  [
    createTopicsRequest,
    deleteTopicsRequest,
    describeLogDirsRequest,
    findCoordinatorRequest,
    metadataRequest,
    offsetCommitRequest,
  ].map(({ apiKey, versions }) => [apiKey!, versions.last] as const),
)

interface Facts {
  readonly controllerId?: number
  /** Undefined: there is no such topic. */
  readonly leaderId?: number | undefined
  readonly topicId?: string
}

/** Broker 1 on machine `one`, 2 on `two`; what they know of topics, of one partition each. */
function answerMetadata(request: ScriptedRequest, facts: Facts): void {
  const { leaderId, topicId = topicIds[0] } = facts
  const { topics } = request.body(metadataRequest)
  request.answer(metadataResponse, {
    brokers: [
      { nodeId: 1, host: 'one', port },
      { nodeId: 2, host: 'two', port },
    ],
    controllerId: facts.controllerId ?? 1,
    topics: (topics ?? []).map(({ name }) =>
      leaderId === undefined
        ? { errorCode: errorCode('UNKNOWN_TOPIC_OR_PARTITION'), name, topicId, partitions: [] }
        : { errorCode: 0, name, topicId, partitions: [partition(leaderId)] },
    ),
  })
}

function partition(leaderId: number) {
  const brokers = { leaderId, leaderEpoch: 0, replicaNodes: [1], isrNodes: [1] }
  return { errorCode: leaderId < 0 ? 5 : 0, partitionIndex: 0, ...brokers }
}

function answerCreation(request: ScriptedRequest, error: (name: string) => ErrorName): string[] {
  const names = request.body(createTopicsRequest).topics.map(({ name }) => name)
  request.answer(createTopicsResponse, {
    throttleTimeMs: 0,
    topics: names.map(name => ({
      name,
      topicId: topicIds[0],
      errorCode: errorCode(error(name)),
      errorMessage: null,
      numPartitions: 1,
      replicationFactor: 1,
      configs: [],
    })),
  })
  return names
}

function admin(world: World): Admin {
  const bootstrap = ['one:9092', 'two:9092']
  return new Admin({ bootstrap, io: world.io('client'), requestTimeoutMs: 5_000 })
}

/** The error of each, or 'done'. */
const told = (outcomes: readonly { readonly error?: { readonly error: string } | undefined }[]) =>
  outcomes.map(({ error }) => error?.error ?? 'done')

test('a change goes to the controller, and again for what another one refused', () =>
  simulated().run(async world => {
    let controllerId = 1
    const asked: string[][] = []
    for (const [index, machine] of ['one', 'two'].entries()) {
      await scriptedBroker(world.io(machine), port, versions, request => {
        if (request.header.apiKey === metadataRequest.apiKey) {
          return answerMetadata(request, { controllerId, leaderId: 1 })
        }
        const names = answerCreation(request, name => {
          if (name === 'there') return 'TOPIC_ALREADY_EXISTS'
          return index === 0 ? 'NOT_CONTROLLER' : 'NONE'
        })
        asked.push([machine, ...names])
        controllerId = 2
      })
    }
    await using client = admin(world)
    const outcomes = await client.createTopics(['there', 'orders'])
    assert.deepEqual(told(outcomes), ['TOPIC_ALREADY_EXISTS', 'done'])
    assert.deepEqual(asked, [
      ['one', 'there', 'orders'],
      ['two', 'orders'],
    ])
  }))

test('a controller that is lost is looked for again', () =>
  simulated().run(async world => {
    let controllerId = 2
    await scriptedBroker(world.io('one'), port, versions, request => {
      if (request.header.apiKey !== metadataRequest.apiKey) {
        answerCreation(request, () => 'NONE')
      } else answerMetadata(request, { controllerId, leaderId: 1 })
    })
    await scriptedBroker(world.io('two'), port, versions, request => {
      controllerId = 1
      request.socket.destroy()
    })
    await using client = admin(world)
    assert.deepEqual(told(await client.createTopics(['orders'])), ['done'])
    assert.equal(controllerId, 1)
  }))

test('a created topic is waited for until it has its leaders', () =>
  simulated().run(async world => {
    const leaders = [undefined, -1, -1, 1]
    await scriptedBroker(world.io('one'), port, versions, request => {
      if (request.header.apiKey === createTopicsRequest.apiKey) {
        answerCreation(request, () => 'NONE')
      } else if (request.body(metadataRequest).topics?.length === 0) answerMetadata(request, {})
      else answerMetadata(request, { leaderId: leaders.shift() })
    })
    await using client = admin(world)
    assert.deepEqual(told(await client.createTopics(['orders'])), ['done'])
    assert.deepEqual(leaders, [])
  }))

test('a created topic that gets no leader in time says so', () =>
  simulated().run(async world => {
    await scriptedBroker(world.io('one'), port, versions, request => {
      if (request.header.apiKey === createTopicsRequest.apiKey) {
        answerCreation(request, () => 'NONE')
      } else answerMetadata(request, { leaderId: -1 })
    })
    await using client = admin(world)
    const startMs = world.nowMs
    const [orders] = await client.createTopics(['orders'], { timeoutMs: 1_000 })
    assert.equal(orders!.error!.error, 'LEADER_NOT_AVAILABLE')
    assert.match(orders!.error!.message, /topic orders was created/u)
    assert.ok(world.nowMs - startMs <= 1_000)
  }))

test('a deleted topic is waited for until it is gone, or another has its name', () =>
  simulated().run(async world => {
    const shown = [{ leaderId: 1 }, { leaderId: 1 }, { leaderId: 1, topicId: topicIds[1] }]
    await scriptedBroker(world.io('one'), port, versions, request => {
      if (request.header.apiKey === deleteTopicsRequest.apiKey) {
        return request.answer(deleteTopicsResponse, {
          throttleTimeMs: 0,
          responses: [{ name: 'orders', topicId: topicIds[0], errorCode: 0 }],
        })
      }
      const isOfTopics = request.body(metadataRequest).topics?.length === 1
      answerMetadata(request, isOfTopics ? shown.shift()! : {})
    })
    await using client = admin(world)
    assert.deepEqual(await client.deleteTopics(['orders']), [
      { topic: 'orders', topicId: topicIds[0] },
    ])
    assert.deepEqual(shown, [])
  }))

test('one broker that is lost is an outcome of its own', () =>
  simulated().run(async world => {
    await scriptedBroker(world.io('one'), port, versions, request => {
      if (request.header.apiKey === metadataRequest.apiKey) return answerMetadata(request, {})
      request.answer(describeLogDirsResponse, {
        results: [
          { errorCode: 0, logDir: '/a', topics: [] },
          { errorCode: errorCode('KAFKA_STORAGE_ERROR'), logDir: '/b', topics: [] },
        ],
      })
    })
    await using client = admin(world)
    const outcomes = await client.describeLogDirs(undefined, { timeoutMs: 1_000 })
    assert.deepEqual(told(outcomes), ['done', 'NETWORK_EXCEPTION'])
    assert.deepEqual(told(outcomes[0]!.logDirs!), ['done', 'KAFKA_STORAGE_ERROR'])
    await assert.rejects(client.describeLogDirs([2], { timeoutMs: 1_000 }), { code: 'REFUSED' })
  }))

test('offsets are committed to a topic that was made anew since it was asked for', () =>
  simulated().run(async world => {
    const committed: string[] = []
    await scriptedBroker(world.io('one'), port, versions, request => {
      if (request.header.apiKey === metadataRequest.apiKey) {
        return answerMetadata(request, { leaderId: 1, topicId: topicIds[committed.length]! })
      }
      if (request.header.apiKey === findCoordinatorRequest.apiKey) {
        return request.answer(findCoordinatorResponse, {
          coordinators: [
            { key: 'billing', nodeId: 1, host: 'one', port, errorCode: 0, errorMessage: null },
          ],
        })
      }
      const { topicId } = request.body(offsetCommitRequest).topics[0]!
      committed.push(topicId)
      const code = topicId === topicIds[1] ? 0 : errorCode('UNKNOWN_TOPIC_ID')
      request.answer(offsetCommitResponse, {
        topics: [{ topicId, partitions: [{ partitionIndex: 0, errorCode: code }] }],
      })
    })
    await using client = admin(world)
    const offsets = [{ topic: 'orders', partition: 0, offset: 5 }]
    assert.deepEqual(told(await client.alterGroupOffsets('billing', offsets)), ['done'])
    assert.deepEqual(committed, topicIds)
  }))

test('a broker without an API is what the call as a whole fails by', () =>
  simulated().run(async world => {
    const old = new Map([[metadataRequest.apiKey!, 8]])
    await scriptedBroker(world.io('one'), port, old, request => answerMetadata(request, {}))
    await using client = admin(world)
    await assert.rejects(client.createTopics(['orders']), { error: 'UNSUPPORTED_VERSION' })
    const { brokers, controllerId } = await client.describeCluster()
    assert.deepEqual(
      [controllerId, ...brokers.map(({ brokerId, host }) => `${brokerId} ${host}`)],
      [1, '1 one', '2 two'],
    )
  }))
