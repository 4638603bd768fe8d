import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ipText } from '../base/ip.ts'
import type { Connection } from '../client/connection.ts'
import { decode } from '../protocol/compile.ts'
import { errorName } from '../protocol/errors.ts'
import { decodeRequestHeader, encodeRequest } from '../protocol/frame.ts'
import { apiVersionsRequest, apiVersionsResponse } from '../protocol/messages/api-versions.ts'
import {
  createPartitionsRequest,
  createPartitionsResponse,
} from '../protocol/messages/create-partitions.ts'
import { createTopicsRequest, createTopicsResponse } from '../protocol/messages/create-topics.ts'
import { deleteTopicsRequest, deleteTopicsResponse } from '../protocol/messages/delete-topics.ts'
import {
  describeConfigsRequest,
  describeConfigsResponse,
} from '../protocol/messages/describe-configs.ts'
import {
  findCoordinatorRequest,
  findCoordinatorResponse,
} from '../protocol/messages/find-coordinator.ts'
import {
  incrementalAlterConfigsRequest,
  incrementalAlterConfigsResponse,
} from '../protocol/messages/incremental-alter-configs.ts'
import { envelopeRequest, envelopeResponse } from '../protocol/messages/kraft.ts'
import { metadataRequest, metadataResponse } from '../protocol/messages/metadata.ts'
import { zeroUuid } from '../protocol/schema.ts'
import { anonymous, decodePrincipal, encodePrincipal } from '../security/principal.ts'
import { ClusterNode } from '../sim/cluster-node.ts'
import { scriptedBroker } from '../sim/scripted-broker.ts'
import { connectTo, hostOf, late, startBroker, startBrokers } from '../sim/several-brokers.ts'
import { simulated, type World } from '../sim/world.ts'

const loopback = Uint8Array.of(127, 0, 0, 1)

async function create(world: World, broker: Connection, name: string, timeoutMs = 10_000) {
  const body = {
    topics: [{ name, numPartitions: 2, replicationFactor: 1, assignments: [], configs: [] }],
    timeoutMs,
  }
  const answer = await broker.request(createTopicsRequest, createTopicsResponse, body, late(world))
  const { errorCode, topicId } = answer.topics[0]!
  return { error: errorName(errorCode), topicId }
}

async function topicsAt(world: World, broker: Connection, names: string[], mayCreate = false) {
  const body = { topics: names.map(name => ({ name })), allowAutoTopicCreation: mayCreate }
  return await broker.request(metadataRequest, metadataResponse, body, late(world))
}

test('a broker that is not the controller creates, grows, configures and deletes topics', () =>
  simulated().run(async world => {
    const brokers = await startBrokers(world, 2)
    const second = await connectTo(world, 2)
    const { error, topicId } = await create(world, second, 'orders')
    assert.equal(error, 'NONE')
    // At once, and there: the client finds what it made.
    const { controllerId, topics } = await topicsAt(world, second, ['orders'])
    assert.equal(controllerId, 1)
    assert.equal(topics[0]!.topicId, topicId)
    assert.equal(topics[0]!.partitions.length, 2)
    assert.equal((await create(world, second, 'orders')).error, 'TOPIC_ALREADY_EXISTS')

    const grown = await second.request(
      createPartitionsRequest,
      createPartitionsResponse,
      {
        topics: [{ name: 'orders', count: 3, assignments: null }],
        timeoutMs: 5000,
        validateOnly: false,
      },
      late(world),
    )
    assert.equal(grown.results[0]!.errorCode, 0)
    assert.equal((await topicsAt(world, second, ['orders'])).topics[0]!.partitions.length, 3)

    const resource = { resourceType: 2, resourceName: 'orders' }
    const configs = [{ name: 'retention.ms', configOperation: 0, value: '5' }]
    const altered = await second.request(
      incrementalAlterConfigsRequest,
      incrementalAlterConfigsResponse,
      { resources: [{ ...resource, configs }], validateOnly: false },
      late(world),
    )
    assert.equal(altered.responses[0]!.errorCode, 0)
    const described = await second.request(
      describeConfigsRequest,
      describeConfigsResponse,
      { resources: [{ ...resource, configurationKeys: ['retention.ms'] }] },
      late(world),
    )
    assert.equal(described.results[0]!.configs[0]!.value, '5')

    const deleted = await second.request(
      deleteTopicsRequest,
      deleteTopicsResponse,
      { topics: [{ name: 'orders', topicId: zeroUuid }], timeoutMs: 5000 },
      late(world),
    )
    assert.equal(deleted.responses[0]!.errorCode, 0)
    assert.notEqual((await topicsAt(world, second, ['orders'])).topics[0]!.errorCode, 0)
    second.close()
    for (const broker of brokers) await broker.close()
  }))

test('a slow change is reported by both brokers, each time with the address of the client', () =>
  simulated().run(async world => {
    const brokers = await startBrokers(world, 2, { 'slow.request.ms': '1' })
    const second = await connectTo(world, 2)
    await create(world, second, 'orders')
    const lines = world.reported.filter(({ message }) => message === 'a request was slow')
    const changes = lines.filter(({ fields }) => fields.api === 'CreateTopicsRequest')
    assert.deepEqual(
      changes.map(({ host }) => host),
      ['b1', 'b2'],
    )
    assert.equal(new Set(changes.map(({ fields }) => fields.remoteAddress)).size, 1)
    assert.ok(!lines.some(({ fields }) => fields.api === 'EnvelopeRequest'))
    second.close()
    for (const broker of brokers) await broker.close()
  }))

test('topics that clients ask for and the topic of the groups are made through any broker', () =>
  simulated().run(async world => {
    const brokers = await startBrokers(world, 2)
    const second = await connectTo(world, 2)
    const { topics } = await topicsAt(world, second, ['asked'], true)
    assert.equal(topics[0]!.errorCode, 0)
    assert.equal(topics[0]!.partitions.length, 1)
    const found = await second.request(
      findCoordinatorRequest,
      findCoordinatorResponse,
      { keyType: 0, coordinatorKeys: ['g'] },
      late(world),
    )
    assert.equal(found.coordinators[0]!.errorCode, 0)
    second.close()
    for (const broker of brokers) await broker.close()
  }))

test('a request that waits for a controller that dies is carried out by the next one', () =>
  simulated().run(async world => {
    const [, second, third] = await startBrokers(world, 3)
    const connection = await connectTo(world, 2)
    const creating = create(world, connection, 'late', 20_000)
    // It is under way, or done and not answered.
    await world.sleep(1)
    world.kill(hostOf(1))
    const { error } = await creating
    assert.ok(error === 'NONE' || error === 'TOPIC_ALREADY_EXISTS', error)
    const { controllerId, topics } = await topicsAt(world, connection, ['late'])
    assert.notEqual(controllerId, 1)
    assert.equal(topics[0]!.errorCode, 0)
    connection.close()
    await third!.close()
    await second!.close()
  }))

test('a controller that hangs is waited for until the deadline, and no longer', () =>
  simulated().run(async world => {
    const [, second] = await startBrokers(world, 2)
    const connection = await connectTo(world, 2)
    world.network.cut(hostOf(1), hostOf(2))
    const startMs = world.nowMs
    const { error } = await create(world, connection, 't', 3000)
    assert.equal(error, 'REQUEST_TIMED_OUT')
    assert.ok(world.nowMs - startMs < 5000, `${world.nowMs - startMs} ms`)
    world.network.heal()
    connection.close()
    world.kill(hostOf(1))
    await second!.close()
  }))

test('NOT_CONTROLLER is answered only when none is known in time', () =>
  simulated().run(async world => {
    const [, second] = await startBrokers(world, 2)
    const connection = await connectTo(world, 2)
    world.kill(hostOf(1))
    // Nobody can take the role.
    world.metadata.fault = kind => (kind === 'txn' ? 'lost' : undefined)
    assert.equal((await create(world, connection, 't', 15_000)).error, 'NOT_CONTROLLER')
    world.metadata.fault = undefined
    assert.equal((await create(world, connection, 't', 15_000)).error, 'NONE')
    connection.close()
    await second!.close()
  }))

test('an envelope names the client, and leaves the controller what is left of the time', () =>
  simulated().run(async world => {
    const controller = await new ClusterNode(world, {
      brokerId: 1,
      listeners: [{ name: 'PLAINTEXT', host: hostOf(1), port: 9092, protocol: 'PLAINTEXT' }],
    }).start()
    const asked: { host: string; name: string; timeoutMs: number; clientId: string | null }[] = []
    await scriptedBroker(world.io(hostOf(1)), 9092, new Map([[58, 0]]), request => {
      const { requestData, requestPrincipal, clientHostAddress } = request.body(envelopeRequest)
      const { apiVersion, bodyOffset, clientId } = decodeRequestHeader(requestData)
      const { timeoutMs } = decode(createTopicsRequest, apiVersion, requestData, bodyOffset)
      const { name } = decodePrincipal(requestPrincipal!)
      asked.push({ host: ipText(clientHostAddress), name, timeoutMs, clientId })
      // The first time it pretends to have lost the role.
      const errorCode = asked.length === 1 ? 41 : 3
      request.answer(envelopeResponse, { responseData: null, errorCode })
    })
    const broker = await startBroker(world, 2)
    const connection = await connectTo(world, 2)
    const { error } = await create(world, connection, 't', 5000)
    assert.equal(error, 'UNKNOWN_TOPIC_OR_PARTITION')
    const [first, second] = asked
    const { localAddress } = await world
      .io('client')
      .network.connect({ host: hostOf(2), port: 9092, timeoutMs: 1000 }, () => ({
        data() {},
        drain() {},
        close() {},
      }))
    assert.equal(first!.host, localAddress)
    assert.deepEqual([first!.name, first!.clientId], ['ANONYMOUS', 'client'])
    assert.ok(first!.timeoutMs <= 5000 && first!.timeoutMs > 4900)
    assert.ok(second!.timeoutMs <= first!.timeoutMs - 100)
    connection.close()
    world.kill(hostOf(2))
    await controller.stop()
    assert.ok(broker)
  }))

async function enveloped(
  world: World,
  broker: Connection,
  requestData: Uint8Array,
  host = loopback,
) {
  const requestPrincipal = encodePrincipal(anonymous)
  const body = { requestData, requestPrincipal, clientHostAddress: host }
  const answer = await broker.request(envelopeRequest, envelopeResponse, body, late(world))
  return errorName(answer.errorCode)
}

function frame(...request: Parameters<typeof encodeRequest>): Uint8Array {
  return Buffer.concat(encodeRequest(...request)).subarray(4)
}

test('an envelope is opened by the controller, and only for what is to be forwarded', () =>
  simulated().run(async world => {
    const brokers = await startBrokers(world, 2)
    const first = await connectTo(world, 1)
    const second = await connectTo(world, 2)
    const creation = frame(createTopicsRequest, 7, 1, null, {
      topics: [{ name: 't', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
    })
    assert.equal(await enveloped(world, second, creation), 'NOT_CONTROLLER')
    const nested = frame(envelopeRequest, 0, 1, null, {
      requestData: creation,
      requestPrincipal: null,
      clientHostAddress: loopback,
    })
    assert.equal(await enveloped(world, first, nested), 'INVALID_REQUEST')
    const other = frame(metadataRequest, 12, 1, null, { topics: null })
    assert.equal(await enveloped(world, first, other), 'INVALID_REQUEST')
    assert.equal(await enveloped(world, first, creation.subarray(0, -3)), 'INVALID_REQUEST')
    assert.equal(await enveloped(world, first, new Uint8Array()), 'INVALID_REQUEST')
    assert.equal(await enveloped(world, first, creation, new Uint8Array(3)), 'INVALID_REQUEST')
    const large = new Uint8Array(17 * 1024 * 1024)
    assert.equal(await enveloped(world, first, large), 'INVALID_REQUEST')
    assert.equal(await enveloped(world, first, creation), 'NONE')
    first.close()
    second.close()
    for (const broker of brokers) await broker.close()
  }))

test('envelopes are neither listed nor served but on the listener of brokers', () =>
  simulated().run(async world => {
    const broker = await startBroker(world, 1, {
      listeners: 'OUTSIDE://b1:9092,INSIDE://b1:9093',
      'listener.security.protocol.map': 'OUTSIDE:PLAINTEXT,INSIDE:PLAINTEXT',
      'inter.broker.listener.name': 'INSIDE',
    })
    const outside = await connectTo(world, 1)
    const { apiKeys } = await outside.request(
      apiVersionsRequest,
      apiVersionsResponse,
      { clientSoftwareName: 'x', clientSoftwareVersion: '1' },
      late(world),
    )
    assert.ok(!apiKeys.some(({ apiKey }) => apiKey === 58))
    outside.close()
    await broker.close()
  }))
