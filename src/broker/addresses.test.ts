import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection } from '../client/connection.ts'
import { errorName } from '../protocol/errors.ts'
import {
  describeClusterRequest,
  describeClusterResponse,
} from '../protocol/messages/describe-cluster.ts'
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
import { metadataRequest, metadataResponse } from '../protocol/messages/metadata.ts'
import { connectTo, late, startBroker, startBrokers } from '../sim/several-brokers.ts'
import { simulated, type World } from '../sim/world.ts'

/** Two listeners: clients on one, brokers on the other. */
const listenersOf = (brokerId: number) => ({
  listeners: `OUTSIDE://b${brokerId}:9092,INSIDE://b${brokerId}:9093`,
  'listener.security.protocol.map': 'OUTSIDE:PLAINTEXT,INSIDE:PLAINTEXT',
  'inter.broker.listener.name': 'INSIDE',
})

test('each broker is told by the listener that the client came by', () =>
  simulated().run(async world => {
    const brokers = [
      await startBroker(world, 1, { ...listenersOf(1), 'broker.rack': 'a' }),
      await startBroker(world, 2, { ...listenersOf(2), 'broker.rack': 'b' }),
    ]
    for (const port of [9092, 9093]) {
      const second = await connectTo(world, 2, port)
      const { brokers: known } = await second.request(
        metadataRequest,
        metadataResponse,
        { topics: [] },
        late(world),
      )
      const places = known.map(({ nodeId, rack, ...at }) => `${nodeId} ${rack} ${at.port}`)
      assert.deepEqual(places.sort(), [`1 a ${port}`, `2 b ${port}`])
      assert.equal(known.find(({ nodeId }) => nodeId === 1)!.host, 'b1')
      const described = await second.request(
        describeClusterRequest,
        describeClusterResponse,
        { endpointType: 1, includeClusterAuthorizedOperations: false },
        late(world),
      )
      assert.deepEqual(
        described.brokers.map(({ brokerId, port: at }) => `${brokerId} ${at}`).sort(),
        [`1 ${port}`, `2 ${port}`],
      )
      const keys = Array.from({ length: 20 }, (_, i) => `group${i}`)
      const found = await second.request(
        findCoordinatorRequest,
        findCoordinatorResponse,
        { keyType: 0, coordinatorKeys: keys },
        late(world),
      )
      for (const { errorCode, port: at } of found.coordinators) {
        assert.deepEqual([errorCode, at], [0, port])
      }
      assert.equal(new Set(found.coordinators.map(({ nodeId }) => nodeId)).size, 2)
      second.close()
    }
    for (const broker of brokers) await broker.close()
  }))

test('a listener that nobody elsewhere could be told of is refused where the store is shared', () =>
  simulated().run(async world => {
    await assert.rejects(startBroker(world, 1, { listeners: 'PLAINTEXT://0.0.0.0:9092' }), {
      name: 'ConfigError',
      message: /advertised\.listeners/,
    })
    const broker = await startBroker(world, 1, {
      listeners: 'PLAINTEXT://0.0.0.0:9092',
      'advertised.listeners': 'PLAINTEXT://b1:9092',
    })
    await broker.close()
  }))

async function describeBroker(world: World, broker: Connection, resourceName: string) {
  const { results } = await broker.request(
    describeConfigsRequest,
    describeConfigsResponse,
    { resources: [{ resourceType: 4, resourceName, configurationKeys: ['slow.request.ms'] }] },
    late(world),
  )
  const [{ errorCode, configs }] = results as [(typeof results)[number]]
  return { error: errorName(errorCode), value: configs[0]?.value }
}

test('what another broker obeys only that one tells, and any broker changes', () =>
  simulated().run(async world => {
    const brokers = await startBrokers(world, 2)
    const first = await connectTo(world, 1)
    const second = await connectTo(world, 2)
    assert.equal((await describeBroker(world, first, '2')).error, 'INVALID_REQUEST')
    const configs = [{ name: 'slow.request.ms', configOperation: 0, value: '4096' }]
    for (const [through, resourceName] of [
      [first, '2'],
      [second, '1'],
    ] as const) {
      const { responses } = await through.request(
        incrementalAlterConfigsRequest,
        incrementalAlterConfigsResponse,
        { resources: [{ resourceType: 4, resourceName, configs }], validateOnly: false },
        late(world),
      )
      assert.equal(responses[0]!.errorCode, 0)
    }
    await world.sleep(50)
    assert.deepEqual(await describeBroker(world, second, '2'), { error: 'NONE', value: '4096' })
    assert.deepEqual(await describeBroker(world, first, '1'), { error: 'NONE', value: '4096' })
    first.close()
    second.close()
    for (const broker of brokers) await broker.close()
  }))

test('the topic of the groups is not made with fewer replicas than it is to have', () =>
  simulated().run(async world => {
    const factor = { 'offsets.topic.replication.factor': '2' }
    const one = await startBroker(world, 1, factor)
    const first = await connectTo(world, 1)
    const find = async () => {
      const { coordinators } = await first.request(
        findCoordinatorRequest,
        findCoordinatorResponse,
        { keyType: 0, coordinatorKeys: ['g'] },
        late(world),
      )
      return errorName(coordinators[0]!.errorCode)
    }
    assert.equal(await find(), 'COORDINATOR_NOT_AVAILABLE')
    const reason = world.reported.find(({ message }) => /internal topic/.test(message))
    assert.match(String(reason!.fields.error), /replication factor 2/)
    const two = await startBroker(world, 2, factor)
    await world.sleep(100)
    assert.equal(await find(), 'NONE')
    first.close()
    await one.close()
    await two.close()
  }))
