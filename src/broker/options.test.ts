/** Brokers in this process, over real TCP: where they keep what they have, and what they leave. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Cluster } from '../client/cluster.ts'
import { nodeIo } from '../io/node.ts'
import { batches } from '../protocol/records/batch.ts'
import { buildBatch } from '../protocol/records/build.ts'
import { recordsOf } from '../protocol/records/records.ts'
import { simulated } from '../sim/world.ts'
import { Broker, type BrokerOptions } from './broker.ts'

const io = nodeIo()

function connect(context: TestContext, { address }: Broker): Cluster {
  const cluster = new Cluster(io, { bootstrap: [address], timeoutMs: 10_000 })
  context.after(() => cluster.close())
  return cluster
}

async function produce(cluster: Cluster, topic: string, value: string): Promise<void> {
  const records = buildBatch({}, [{ value, timestamp: Date.now() }])
  const [result] = await cluster.produce([{ topic, partition: 0, records }], { acks: -1 })
  if (result === undefined || result instanceof Error) throw result
}

async function values(cluster: Cluster, topic: string): Promise<string[]> {
  const [result] = await cluster.fetch([{ topic, partition: 0, offset: 0 }], { maxWaitMs: 0 })
  if (result === undefined || result instanceof Error) throw result
  return [...batches(result.records)].flatMap(each =>
    [...recordsOf(each, 1_000_000)].map(({ value }) => Buffer.from(value!).toString()),
  )
}

test('many brokers in memory live in one process, each with its own port, cluster and records', async context => {
  const brokers = await Promise.all(
    Array.from({ length: 20 }, () => Broker.start({ storage: 'memory' })),
  )
  const clusters = brokers.map(broker => connect(context, broker))
  await Promise.all(clusters.map((cluster, index) => produce(cluster, 'orders', `of ${index}`)))
  for (const [index, cluster] of clusters.entries()) {
    assert.deepEqual(await values(cluster, 'orders'), [`of ${index}`])
  }
  assert.equal(new Set(brokers.map(({ address }) => address.port)).size, 20)
  assert.equal(new Set(brokers.map(({ clusterId }) => clusterId)).size, 20)
  assert.deepEqual(brokers[0]!.dataDirectories, ['memory'])
  assert.ok(!existsSync('memory'), 'no file is touched')
  await Promise.all(brokers.map(broker => broker.close()))
})

test('a broker that was closed has no handle left, though a client was connected', async context => {
  for (const storage of ['memory', 'temporary'] as const) {
    const before = process.getActiveResourcesInfo().filter(name => name !== 'FSReqCallback')
    const broker = await Broker.start({ storage, topics: { orders: { partitions: 3 } } })
    const cluster = connect(context, broker)
    const waiting = cluster
      .fetch([{ topic: 'orders', partition: 0, offset: 0 }], { maxWaitMs: 20_000 })
      .catch(() => {})
    while (broker.connectionCount === 0) await new Promise(resolve => setImmediate(resolve))
    await broker.close()
    assert.equal(broker.connectionCount, 0)
    cluster.close()
    await waiting
    await new Promise(resolve => setImmediate(() => setImmediate(resolve)))
    const after = process.getActiveResourcesInfo().filter(name => name !== 'FSReqCallback')
    assert.deepEqual(after.toSorted(), before.toSorted(), storage)
  }
})

test('await using closes: the port is free again, and a temporary folder is gone', async () => {
  let broker: Broker | undefined
  {
    await using used = await Broker.start({ storage: 'temporary' })
    broker = used
    assert.ok(existsSync(join(used.dataDirectories[0]!, '.lock')))
    assert.equal(used.bootstrap, `127.0.0.1:${used.address.port}`)
  }
  assert.ok(!existsSync(broker.dataDirectories[0]!))
  await using again = await Broker.start({ storage: 'memory', port: broker.address.port })
  assert.equal(again.address.port, broker.address.port)
})

test('topics of the start are there, with partitions and configs; one that exists stays as it is', async context => {
  const dataDirectory = mkdtempSync(join(tmpdir(), 'ottla-test-'))
  context.after(() => rmSync(dataDirectory, { recursive: true }))
  const partitionsOf = async (broker: Broker) => {
    const { topics } = await connect(context, broker).metadata(['orders'])
    return topics[0]!.partitions.length
  }
  const configs = { 'max.message.bytes': 300 }
  const topics = { orders: { partitions: 3, configs } }
  {
    await using first = await Broker.start({ dataDirectory, port: 0, topics })
    assert.equal(await partitionsOf(first), 3)
    const cluster = connect(context, first)
    await produce(cluster, 'orders', 'small')
    await assert.rejects(produce(cluster, 'orders', 'x'.repeat(500)), {
      error: 'MESSAGE_TOO_LARGE',
    })
    assert.deepEqual(first.dataDirectories, [dataDirectory])
  }
  await using second = await Broker.start({
    dataDirectory,
    port: 0,
    topics: { orders: { partitions: 9 } },
  })
  assert.equal(await partitionsOf(second), 3)
  assert.deepEqual(await values(connect(context, second), 'orders'), ['small'])
})

test('a topic that cannot be made fails the start, which leaves nothing behind', async context => {
  const parent = mkdtempSync(join(tmpdir(), 'ottla-test-'))
  const { TMPDIR } = process.env
  process.env.TMPDIR = parent
  context.after(() => {
    if (TMPDIR === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = TMPDIR
    rmSync(parent, { recursive: true })
  })
  const refused = (topics: BrokerOptions['topics'], error: string, message: RegExp) =>
    assert.rejects(Broker.start({ storage: 'temporary', topics: topics! }), { error, message })
  await refused({ 'a/b': {} }, 'INVALID_TOPIC_EXCEPTION', /topic a\/b: /)
  await refused({ orders: { partitions: 0 } }, 'INVALID_PARTITIONS', /topic orders: /)
  const configs = { 'retention.ms': 'soon' }
  await refused({ orders: { configs } }, 'INVALID_CONFIG', /topic orders: .*retention\.ms/)
  if (process.platform !== 'win32') assert.deepEqual(readdirSync(parent), [])
})

test('what contradicts itself, or is no port, is refused before anything happens', async () => {
  await assert.rejects(Broker.start({ storage: 'memory', dataDirectory: 'x' }), {
    name: 'ConfigError',
    message: /dataDirectory x is of no use with storage 'memory'/,
  })
  await assert.rejects(Broker.start({ storage: 'memory', port: 70_000 }), {
    name: 'ConfigError',
    message: /PLAINTEXT:\/\/127\.0\.0\.1:70000/,
  })
})

test('an option is stronger than the property of the same; the others stay', () =>
  simulated().run(async world => {
    const properties = {
      listeners: 'PLAINTEXT://elsewhere:1,OTHER://elsewhere:2',
      'log.dirs': '/elsewhere',
      'node.id': '7',
    }
    const options = { io: world.io('broker'), properties }
    const first = await Broker.start({ ...options, host: 'broker', dataDirectory: '/here' })
    assert.deepEqual(first.addresses, [{ host: 'broker', port: 9092 }])
    assert.deepEqual(first.dataDirectories, ['/here'])
    assert.equal(first.brokerId, 7)
    await first.close()
    const second = await Broker.start({ ...options, storage: 'memory', host: '::' })
    assert.deepEqual(second.dataDirectories, ['memory'])
    assert.equal(second.bootstrap, `localhost:${second.address.port}`)
    assert.equal(await world.io('broker').disk.stat('/elsewhere'), undefined)
    await second.close()
    const third = await Broker.start({
      io: world.io('broker'),
      storage: 'memory',
      properties: { listeners: 'PLAINTEXT://broker:9092' },
    })
    assert.equal(third.bootstrap, 'broker:9092')
    await third.close()
  }))
