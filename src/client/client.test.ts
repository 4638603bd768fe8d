import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { test } from 'node:test'
import { Broker } from '../broker/broker.ts'
import { simulated, type World } from '../sim/world.ts'
import { OptionError } from './bootstrap.ts'
import { Client } from './client.ts'
import type { ClientOptions } from './connected.ts'
import { ConnectionError } from './connection.ts'
import { Consumer } from './consumer.ts'
import type { DiagnosticEvents } from './diagnostics.ts'

const host = 'broker'
const port = 9092
const bootstrap = `${host}:${port}`

interface Setting {
  readonly world: World
  readonly broker: Broker
  /** On a machine of its own. */
  client(options?: Partial<ClientOptions>): Client
}

function inWorld(scenario: (setting: Setting) => Promise<void>): Promise<void> {
  return simulated().run(async world => {
    const broker = await Broker.start({
      io: world.io(host),
      properties: {
        listeners: `PLAINTEXT://${host}:${port}`,
        'advertised.listeners': `PLAINTEXT://${host}:${port}`,
        'log.dirs': '/data',
        'group.initial.rebalance.delay.ms': '0',
      },
      topics: { orders: { partitions: 2 } },
    })
    const client = (options: Partial<ClientOptions> = {}) =>
      new Client({ bootstrap, io: world.io('client'), ...options })
    await scenario({ world, broker, client })
  })
}

const closed = (error: unknown) =>
  error instanceof ConnectionError && error.code === 'CLOSED' && !error.retriable

/** All events of a channel until the returned function is called. */
function listen<Name extends keyof DiagnosticEvents>(name: Name) {
  const events: DiagnosticEvents[Name][] = []
  const hear = (event: unknown) => void events.push(event as DiagnosticEvents[Name])
  subscribe(name, hear)
  return { events, stop: () => unsubscribe(name, hear) }
}

test('producers and admins of a client share one connection, consumers have lanes of their own', () =>
  inWorld(async ({ broker, client: make }) => {
    await using client = make()
    const connections = () => client.metrics().brokers.map(each => each.connections)
    assert.deepEqual(connections(), [])
    await Promise.all([
      client.producer().send({ topic: 'orders', value: 'a' }),
      client.producer().send({ topic: 'orders', value: 'b' }),
      client.admin().createTopics(['more']),
    ])
    assert.deepEqual(connections(), [1])
    assert.equal(broker.connectionCount, 1)
    const alone = client.consumer({ topics: 'orders', offsetReset: 'earliest' })
    const member = client.consumer({ topics: 'orders', groupId: 'g', offsetReset: 'earliest' })
    for (const consumer of [alone, member]) {
      const messages = consumer.messages()
      await messages.next()
      await messages.next()
    }
    assert.deepEqual(connections(), [1 + 1 + 2])
    await member.close()
    assert.deepEqual(connections(), [1 + 1])
  }))

test('what a broker holds for one consumer holds up nobody else', () =>
  inWorld(async ({ world, client: make }) => {
    await using client = make()
    const consumer = client.consumer({ topics: 'orders', groupId: 'g', maxWaitMs: 20_000 })
    const next = consumer.messages().next()
    await world.sleep(1_000)
    assert.equal(consumer.assignment().length, 2)
    const beginMs = world.nowMs
    await client.producer().send({ topic: 'orders', value: 'a' })
    assert.equal(String((await next).value.value), 'a')
    await consumer.committed()
    assert.ok(world.nowMs - beginMs < 1_000, `${world.nowMs - beginMs} ms`)
  }))

test('requests, bytes, latencies and dependents are counted', () =>
  inWorld(async ({ client: make }) => {
    await using client = make()
    const producer = client.producer()
    await producer.send({ topic: 'orders', value: 'x'.repeat(1_000) })
    const consumer = client.consumer({ topics: 'orders', offsetReset: 'earliest' })
    await consumer.messages().next()
    const { brokers, producers, consumers } = client.metrics()
    assert.equal(brokers.length, 1)
    const [counts] = brokers
    assert.deepEqual([counts!.host, counts!.port, counts!.connects], [host, port, 2])
    assert.ok(counts!.requestBytes > 1_000 && counts!.responseBytes > 1_000)
    const { latency, heldLatency } = counts!
    assert.equal(latency.count + heldLatency.count, counts!.requests)
    assert.ok(heldLatency.count >= 1 && counts!.failedRequests === 0)
    assert.equal(
      latency.buckets.reduce((sum, { count }) => sum + count, 0),
      latency.count,
    )
    assert.ok(latency.sumMs >= latency.maxMs && latency.maxMs > 0)
    assert.deepEqual([producers.length, producers[0]!.acknowledgedRecords], [1, 1])
    assert.deepEqual([consumers.length, consumers[0]!.messages], [1, 1])
    await producer.close()
    await consumer.close()
    const { producers: none, consumers: neither } = client.metrics()
    assert.deepEqual([none, neither], [[], []])
  }))

test('connections and requests are events as long as somebody listens', () =>
  inWorld(async ({ client: make }) => {
    const connects = listen('ottla:client:connect')
    const requests = listen('ottla:client:request')
    const disconnects = listen('ottla:client:disconnect')
    const client = make({ clientId: 'billing' })
    await client.admin().listTopics()
    await client.close()
    for (const each of [connects, requests, disconnects]) each.stop()
    const where = { clientId: 'billing', host, port, lane: '' }
    const { tookMs, ...connect } = connects.events[0]!
    assert.ok(tookMs > 0)
    assert.deepEqual(connect, { ...where, error: undefined })
    assert.equal(requests.events[0]!.api, 'ApiVersions')
    const metadata = requests.events.find(({ api }) => api === 'Metadata')!
    assert.ok(metadata.version >= 12 && metadata.requestBytes > 0 && metadata.responseBytes > 0)
    assert.equal(metadata.error, undefined)
    assert.equal(disconnects.events.length, 1)
    assert.ok(closed(disconnects.events[0]!.error))
    await using later = make()
    await later.admin().listTopics()
    assert.equal(connects.events.length, 1)
  }))

test('an address where nobody listens is counted, an event, a line for debugging, and an error', () =>
  simulated().run(async world => {
    const lines: string[] = []
    const line = ({ host }: { host?: unknown }, message: string) => lines.push(`${host} ${message}`)
    const logger = { debug: line, info: line, warn: line, error: line }
    const connects = listen('ottla:client:connect')
    const io = world.io('client')
    await using client = new Client({ bootstrap, io, logger, requestTimeoutMs: 100 })
    await assert.rejects(client.admin().listTopics(), { code: 'REFUSED', retriable: true })
    connects.stop()
    const { failedConnects, connections } = client.metrics().brokers[0]!
    assert.ok(failedConnects >= 1)
    assert.equal(connections, 0)
    assert.equal(connects.events.length, failedConnects)
    assert.ok(connects.events[0]!.error instanceof ConnectionError)
    assert.equal(lines[0], 'broker a connection could not be opened')
  }))

test('close sends what producers have, lets consumers leave their group, and leaves no connection', () =>
  inWorld(async ({ world, broker, client: make }) => {
    const client = make()
    const producer = client.producer({ lingerMs: 60_000 })
    const sent = producer.send({ topic: 'orders', value: 'a' })
    const consumer = client.consumer({ topics: 'orders', groupId: 'g' })
    const next = consumer.messages().next()
    await world.sleep(1_000)
    const closing = client.close()
    assert.equal(client.close(), closing)
    await closing
    assert.equal((await sent).offset, 0)
    assert.deepEqual(await next, { value: undefined, done: true })
    await world.sleep(100)
    assert.equal(broker.connectionCount, 0)
    await using other = make()
    const [group] = await other.admin().describeGroups(['g'])
    assert.deepEqual(group?.members, [])
    const { producers, consumers, brokers } = client.metrics()
    assert.deepEqual([producers, consumers, brokers[0]!.connections], [[], [], 0])
  }))

test('close settles whatever waits, also where no broker is reached', () =>
  simulated().run(async world => {
    const client = new Client({ bootstrap, io: world.io('client') })
    const producer = client.producer({ deliveryTimeoutMs: 5_000 })
    const waiting = [
      producer.send({ topic: 'orders', value: 'a' }),
      client.admin().listTopics(),
      client.consumer({ topics: 'orders' }).messages().next(),
      client.consumer({ topics: 'orders', groupId: 'g' }).run({ each: () => {} }),
    ]
    const settled = Promise.allSettled(waiting)
    await world.sleep(500)
    await client.close()
    const outcomes = await settled
    assert.deepEqual(
      outcomes.slice(0, 2).map(({ status }) => status),
      ['rejected', 'rejected'],
    )
    assert.ok(world.nowMs < 60_000, `${world.nowMs} ms`)
  }))

test('a signal ends every call of a consumer that waits, with its reason', () =>
  simulated().run(async world => {
    const io = world.io('client')
    const assignment = [{ topic: 'orders', partition: 0, offset: 0 }]
    await using consumer = new Consumer({ bootstrap, io, assignment, groupId: 'g' })
    const [place] = assignment
    const calls: ((signal: AbortSignal) => Promise<unknown>)[] = [
      signal => consumer.seek(place!, { to: 'end' }, { signal }),
      signal => consumer.committed(undefined, { signal }),
      signal => consumer.commit(place, { signal }),
      signal => consumer.offsetsForTimes([{ ...place!, timestamp: 1 }], { signal }),
    ]
    for (const call of calls) {
      const why = new Error('enough')
      const stop = new AbortController()
      const waiting = call(stop.signal)
      const rejected = assert.rejects(waiting, why)
      await world.sleep(10)
      stop.abort(why)
      await rejected
      await assert.rejects(call(stop.signal), why)
    }
    assert.ok(world.nowMs < 1_000, `${world.nowMs} ms`)
  }))

test('nothing can be made on a client that was closed', () =>
  inWorld(async ({ client: make }) => {
    const client = make()
    await client.close()
    assert.throws(() => client.consumer({ topics: 'orders' }), closed)
    assert.throws(() => new Consumer({ client, topics: 'orders' }), closed)
    assert.throws(() => client.producer(), closed)
    assert.throws(() => client.admin(), closed)
  }))

test('options that make no sense are refused with their name', () =>
  inWorld(async ({ client: make }) => {
    const option = (name: string) => (error: unknown) =>
      error instanceof OptionError && error.option === name
    assert.throws(() => make({ requestTimeoutMs: 0 }), option('requestTimeoutMs'))
    assert.throws(() => make({ retryBackoffMs: Number.NaN }), option('retryBackoffMs'))
    assert.throws(() => make({ bootstrap: [] }), option('bootstrap'))
    const both = { client: make(), bootstrap, topics: 'orders' }
    assert.throws(() => new Consumer(both as { client: Client; topics: string }), option('client'))
  }))

test('a consumer that ends leaves the client as it was', () =>
  inWorld(async ({ client: make }) => {
    await using client = make()
    const producer = client.producer()
    await producer.send({ topic: 'orders', value: 'a' })
    for await (const { value } of client.consumer({ topics: 'orders', offsetReset: 'earliest' })) {
      assert.equal(String(value), 'a')
      break
    }
    assert.equal((await producer.send({ topic: 'orders', value: 'b', partition: 1 })).partition, 1)
  }))

test('a client that was closed has no handle left', async () => {
  const before = process.getActiveResourcesInfo().toSorted()
  const broker = await Broker.start({ storage: 'memory', topics: { orders: {} } })
  const client = new Client({ bootstrap: broker.bootstrap })
  await client.producer().send({ topic: 'orders', value: 'a' })
  const next = client
    .consumer({ topics: 'orders', groupId: 'g', offsetReset: 'earliest' })
    .messages()
    .next()
  assert.equal(String((await next).value.value), 'a')
  await client.close()
  while (broker.connectionCount > 0) await new Promise(resolve => setImmediate(resolve))
  await broker.close()
  await new Promise(resolve => setImmediate(() => setImmediate(resolve)))
  assert.deepEqual(process.getActiveResourcesInfo().toSorted(), before)
})
