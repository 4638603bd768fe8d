import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cluster } from '../client/cluster.ts'
import { createTopics } from '../client/topics.ts'
import {
  incrementalAlterConfigsRequest,
  incrementalAlterConfigsResponse,
} from '../protocol/messages/incremental-alter-configs.ts'
import { batches } from '../protocol/records/batch.ts'
import { buildBatch } from '../protocol/records/build.ts'
import { recordsOf } from '../protocol/records/records.ts'
import { simulated, type World } from '../sim/world.ts'
import { Broker, type BrokerOptions } from './broker.ts'

const port = 9092
const host = 'broker'

function start(world: World, more: BrokerOptions['properties'] = {}): Promise<Broker> {
  const properties = { listeners: `PLAINTEXT://${host}:${port}`, 'log.dirs': '/data', ...more }
  return Broker.start({ io: world.io(host), properties })
}

function client(world: World, timeoutMs = 30_000): Cluster {
  return new Cluster(world.io('client'), { bootstrap: [{ host, port }], timeoutMs })
}

function batch(...values: string[]) {
  const records = buildBatch(
    {},
    values.map(value => ({ value, timestamp: 1_767_225_600_000 })),
  )
  return { topic: 'orders', partition: 0, records }
}

async function produce(cluster: Cluster, ...values: string[]): Promise<number> {
  const [result] = await cluster.produce([batch(...values)], { acks: -1 })
  if (result === undefined || result instanceof Error) throw result
  return result.baseOffset
}

async function consume(cluster: Cluster): Promise<string[]> {
  const position = { topic: 'orders', partition: 0, offset: 0 }
  const [result] = await cluster.fetch([position], { maxWaitMs: 0 })
  if (result === undefined || result instanceof Error) throw result
  return [...batches(result.records)].flatMap(each =>
    [...recordsOf(each, 1_000_000)].map(record => Buffer.from(record.value!).toString()),
  )
}

test('a broker starts on an empty disk and takes and gives records', () =>
  simulated().run(async world => {
    const broker = await start(world)
    assert.deepEqual(broker.address, { host, port })
    assert.equal(broker.brokerId, 1)
    assert.match(broker.clusterId, /^[A-Za-z0-9_-]{22}$/)
    const cluster = client(world)
    assert.equal(await produce(cluster, 'a', 'b'), 0)
    assert.equal(await produce(cluster, 'c'), 2)
    assert.deepEqual(await consume(cluster), ['a', 'b', 'c'])
    await broker.close()
  }))

test('after a graceful stop everything is there, in the same cluster', () =>
  simulated().run(async world => {
    const first = await start(world)
    await produce(client(world), 'a')
    await first.close()
    assert.equal(await first.ended, undefined)
    assert.ok(await world.io(host).disk.stat('/data/.kafka_cleanshutdown'))
    const second = await start(world)
    assert.equal(second.clusterId, first.clusterId)
    const cluster = client(world)
    assert.equal(await produce(cluster, 'b'), 1)
    assert.deepEqual(await consume(cluster), ['a', 'b'])
    await second.close()
  }))

test('closing twice is closing once', () =>
  simulated().run(async world => {
    const broker = await start(world)
    assert.equal(broker.close(), broker.close())
    await broker.close()
  }))

test('what was accepted before the stop is answered', () =>
  simulated().run(async world => {
    const broker = await start(world)
    const cluster = client(world)
    await createTopics(cluster, [{ name: 'orders' }])
    await produce(cluster, 'first')
    const answers = Array.from({ length: 20 }, (_, index) => produce(cluster, `v${index}`))
    // Until the first of them is there the rest is on its way or accepted.
    await answers[0]
    const closed = broker.close()
    const results = await Promise.allSettled(answers)
    await closed
    const next = await start(world)
    const stored = await consume(client(world))
    for (const [index, result] of results.entries()) {
      if (result.status === 'fulfilled') assert.equal(stored[result.value], `v${index}`)
    }
    assert.equal(results[0]!.status, 'fulfilled')
    await next.close()
  }))

test('a consumer that waits for data is answered when the broker stops', () =>
  simulated().run(async world => {
    const broker = await start(world)
    const cluster = client(world)
    await produce(cluster, 'a')
    const position = { topic: 'orders', partition: 0, offset: 1 }
    const waiting = cluster.fetch([position], { maxWaitMs: 20_000 })
    await world.sleep(100)
    const startMs = world.nowMs
    await broker.close()
    assert.ok(world.nowMs - startMs < 5_000, `${world.nowMs - startMs} ms`)
    cluster.close()
    await waiting.catch(() => {})
  }))

test('a directory in use is refused, and left alone', () =>
  simulated().run(async world => {
    const first = await start(world)
    const second = Broker.start({
      io: world.start(host),
      properties: { listeners: `PLAINTEXT://${host}:9093`, 'log.dirs': '/data' },
    })
    await assert.rejects(second, { name: 'DirectoryLockedError' })
    await first.close()
  }))

test('a start that fails is undone: the next one finds nothing in the way', () =>
  simulated().run(async world => {
    const blocker = await world.io(host).network.listen({ host, port }, () => ({
      data() {},
      drain() {},
      close() {},
    }))
    await assert.rejects(start(world), { code: 'EADDRINUSE' })
    await blocker.close()
    const broker = await start(world)
    assert.equal(await produce(client(world), 'a'), 0)
    await broker.close()
  }))

test('a failed start after a kill does not pass for a clean stop', () =>
  simulated().run(async world => {
    await start(world)
    await produce(client(world), 'a')
    world.kill(host)
    const blocker = await world.io(host).network.listen({ host, port }, () => ({
      data() {},
      drain() {},
      close() {},
    }))
    await assert.rejects(start(world), { code: 'EADDRINUSE' })
    assert.equal(await world.io(host).disk.stat('/data/.kafka_cleanshutdown'), undefined)
    await blocker.close()
    const broker = await start(world)
    assert.deepEqual(await consume(client(world)), ['a'])
    await broker.close()
  }))

test('properties that are wrong are all said, before anything is touched', () =>
  simulated().run(async world => {
    const wrong = { 'num.partitions': 'x', 'log.segment.bytes': '1' }
    await assert.rejects(start(world, wrong), {
      name: 'ConfigError',
      message: /num\.partitions.*log\.segment\.bytes/s,
    })
    assert.equal(await world.io(host).disk.stat('/data'), undefined)
  }))

test('a directory of another broker id is refused with what to do', () =>
  simulated().run(async world => {
    await (await start(world, { 'node.id': '3' })).close()
    await assert.rejects(start(world, { 'node.id': '4' }), {
      name: 'ConfigError',
      message: /belongs to broker 3, and node.id is 4/,
    })
    await (await start(world, { 'node.id': '3' })).close()
  }))

test('a listener on port 0 has a port, and who connects finds it in the answers', () =>
  simulated().run(async world => {
    const properties = { listeners: `PLAINTEXT://${host}:0`, 'log.dirs': '/data' }
    const broker = await Broker.start({ io: world.io(host), properties })
    assert.ok(broker.address.port > 0)
    const bootstrap = [{ host, port: broker.address.port }]
    const cluster = new Cluster(world.io('client'), { bootstrap })
    const { brokers } = await cluster.metadata([])
    assert.equal(brokers[0]!.port, broker.address.port)
    await broker.close()
  }))

test('a config of the broker that is changed while it runs acts, and still does after a restart', () =>
  simulated().run(async world => {
    const broker = await start(world)
    const cluster = client(world)
    await produce(cluster, 'x'.repeat(500))
    const change = { name: 'message.max.bytes', configOperation: 0, value: '400' }
    const answer = await cluster.call(
      incrementalAlterConfigsRequest,
      incrementalAlterConfigsResponse,
      {
        resources: [{ resourceType: 4, resourceName: '1', configs: [change] }],
        validateOnly: false,
      },
    )
    assert.equal(answer.responses[0]!.errorCode, 0)
    await assert.rejects(produce(cluster, 'x'.repeat(500)), { error: 'MESSAGE_TOO_LARGE' })
    await broker.close()
    const next = await start(world)
    await assert.rejects(produce(client(world), 'x'.repeat(500)), { error: 'MESSAGE_TOO_LARGE' })
    await next.close()
  }))
