import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { afterEach, test } from 'node:test'
import { Broker } from '../broker/broker.ts'
import { simulated } from '../sim/world.ts'
import { Client } from './client.ts'

const apiKey = Symbol.for('opentelemetry.js.api.1')
const spanKey = Symbol.for('OpenTelemetry Context Key SPAN')
const world = globalThis as { [apiKey]?: unknown }

afterEach(() => {
  delete world[apiKey]
})

type Values = ReadonlyMap<symbol, unknown>

class FakeContext {
  readonly values: Values

  constructor(values: Values = new Map()) {
    this.values = values
  }

  getValue(key: symbol): unknown {
    return this.values.get(key)
  }

  setValue(key: symbol, value: unknown): FakeContext {
    return new FakeContext(new Map([...this.values, [key, value]]))
  }

  deleteValue(key: symbol): FakeContext {
    return new FakeContext(new Map([...this.values].filter(([each]) => each !== key)))
  }
}

interface SpanOptions {
  readonly kind: number
  readonly attributes: Record<string, unknown>
  readonly links?: readonly { readonly context: { readonly spanId: string } }[]
}

class FakeSpan {
  readonly name: string
  readonly options: SpanOptions
  readonly spanId: string
  readonly parentId: string | undefined
  readonly attributes: Record<string, unknown>
  status: unknown
  exception: Error | undefined
  ends = 0

  constructor(name: string, options: SpanOptions, spanId: string, parentId: string | undefined) {
    this.name = name
    this.options = options
    this.attributes = { ...options.attributes }
    this.spanId = spanId
    this.parentId = parentId
  }

  spanContext() {
    return { traceId: 't', spanId: this.spanId }
  }

  setAttributes(more: Record<string, unknown>): void {
    Object.assign(this.attributes, more)
  }

  setStatus(status: unknown): void {
    this.status = status
  }

  recordException(error: Error): void {
    this.exception = error
  }

  end(): void {
    this.ends++
  }
}

/** What an SDK registers, as far as it matters; `spans` are all that were begun. */
function registerSdk({ isBroken = false } = {}) {
  const spans: FakeSpan[] = []
  const storage = new AsyncLocalStorage<FakeContext>()
  const active = () => storage.getStore() ?? new FakeContext()
  const idIn = (context: FakeContext) =>
    (context.getValue(spanKey) as FakeSpan | undefined)?.spanContext().spanId
  const tracer = {
    startSpan(name: string, options: SpanOptions, context: FakeContext) {
      if (isBroken) throw new Error('the SDK is broken')
      const span = new FakeSpan(name, options, `s${spans.length}`, idIn(context))
      spans.push(span)
      return span
    },
  }
  world[apiKey] = {
    version: '1.9.0',
    trace: { getTracer: () => tracer },
    context: {
      active,
      with: <Result>(context: FakeContext, run: () => Result) => storage.run(context, run),
    },
    propagation: {
      inject(
        context: FakeContext,
        carrier: unknown,
        setter: { set(carrier: unknown, name: string, value: string): void },
      ) {
        setter.set(carrier, 'traceparent', `00-t-${idIn(context)}-01`)
      },
      extract(
        context: FakeContext,
        carrier: unknown,
        getter: { get(carrier: unknown, name: string): string | undefined },
      ) {
        const spanId = getter.get(carrier, 'traceparent')?.split('-')[2]
        const remote = { spanContext: () => ({ traceId: 't', spanId }) }
        return spanId === undefined ? context : context.setValue(spanKey, remote)
      },
    },
  }
  const inSpan = <Result>(span: FakeSpan, run: () => Result) =>
    storage.run(new FakeContext(new Map([[spanKey, span]])), run)
  return { spans, inSpan, activeId: () => idIn(active()) }
}

/** A client of a broker with the topic orders. */
function withClient(
  scenario: (client: Client, other: Client) => Promise<void>,
  options: { telemetry?: boolean } = {},
): Promise<void> {
  return simulated().run(async world => {
    const properties = { listeners: 'PLAINTEXT://broker:9092', 'log.dirs': '/data' }
    const topics = { orders: { partitions: 1 } }
    await Broker.start({ io: world.io('broker'), properties, topics })
    const bootstrap = 'broker:9092'
    const io = world.io('client')
    await using client = new Client({ bootstrap, io, clientId: 'billing', ...options })
    await using other = new Client({ bootstrap, io, telemetry: false })
    await scenario(client, other)
  })
}

/** Works on messages from the beginning until `count` are done. */
async function run(
  client: Client,
  count: number,
  each: (headers: Readonly<Record<string, unknown>>) => Promise<void> | void,
): Promise<void> {
  const consumer = client.consumer({ topics: 'orders', groupId: 'g', offsetReset: 'earliest' })
  const stop = new AbortController()
  let done = 0
  await consumer.run({
    signal: stop.signal,
    each: async ({ headers }) => {
      try {
        await each(headers)
      } finally {
        if (++done === count) stop.abort()
      }
    },
  })
}

test('a record is sent in a span, and worked on in one of the same trace', () =>
  withClient(async client => {
    const { spans, activeId } = registerSdk()
    const seen: (string | undefined)[] = []
    await client.producer().send({ topic: 'orders', key: 'k', value: null, headers: { a: 'b' } })
    await run(client, 1, ({ a, traceparent }) => {
      seen.push(String(a), String(traceparent), activeId())
    })
    assert.deepEqual(seen, ['b', '00-t-s0-01', 's1'])
    const [send, process] = spans
    assert.deepEqual(
      [send!.name, send!.options.kind, send!.parentId],
      ['send orders', 3, undefined],
    )
    assert.deepEqual(send!.attributes, {
      'messaging.system': 'kafka',
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.destination.name': 'orders',
      'messaging.client.id': 'billing',
      'messaging.kafka.message.key': 'k',
      'messaging.destination.partition.id': '0',
      'messaging.kafka.offset': 0,
    })
    assert.deepEqual([process!.name, process!.options.kind], ['process orders', 4])
    assert.equal(process!.parentId, send!.spanId)
    assert.deepEqual(process!.attributes, {
      'messaging.system': 'kafka',
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.destination.name': 'orders',
      'messaging.client.id': 'billing',
      'messaging.destination.partition.id': '0',
      'messaging.consumer.group.name': 'g',
      'messaging.kafka.offset': 0,
      'messaging.kafka.message.tombstone': true,
    })
    assert.deepEqual(
      spans.map(({ ends }) => ends),
      [1, 1],
    )
  }))

test('a send is a child of the span that is active', () =>
  withClient(async client => {
    const { spans, inSpan } = registerSdk()
    const request = new FakeSpan('GET /', { kind: 1, attributes: {} }, 'r', undefined)
    const producer = client.producer()
    await inSpan(request, () => producer.send({ topic: 'orders', value: 'a' }))
    assert.equal(spans[0]!.parentId, 'r')
  }))

test('where run was called is no parent of messages without a trace', () =>
  withClient(async (client, other) => {
    const { spans, inSpan, activeId } = registerSdk()
    await other.producer().send({ topic: 'orders', value: 'a' })
    assert.equal(spans.length, 0)
    const main = new FakeSpan('main', { kind: 0, attributes: {} }, 'm', undefined)
    await inSpan(main, () => run(client, 1, () => assert.equal(activeId(), 's0')))
    assert.equal(spans[0]!.parentId, undefined)
  }))

test('failures are told by the span and go on to whom they belong', () =>
  withClient(async client => {
    const { spans } = registerSdk()
    const long = { topic: 'orders', value: 'x'.repeat(2_000_000) }
    const producer = client.producer({ maxRequestBytes: 3_000_000 })
    await assert.rejects(producer.send(long), { error: 'MESSAGE_TOO_LARGE' })
    await producer.send({ topic: 'orders', value: 'a' })
    const why = new TypeError('no such order')
    const failing = run(client, 1, () => {
      throw why
    })
    await assert.rejects(failing, why)
    const [refused, , process] = spans
    assert.equal(refused!.attributes['error.type'], 'MESSAGE_TOO_LARGE')
    assert.equal((refused!.status as { code: number }).code, 2)
    assert.deepEqual(process!.status, { code: 2, message: 'no such order' })
    assert.equal(process!.attributes['error.type'], 'TypeError')
    assert.equal(process!.exception, why)
    assert.ok(spans.every(({ ends }) => ends === 1))
  }))

test('a batch is one span with links to those of its senders', () =>
  withClient(async (client, other) => {
    const { spans } = registerSdk()
    await client.producer().send([
      { topic: 'orders', value: 'a' },
      { topic: 'orders', value: 'b' },
    ])
    await other.producer().send({ topic: 'orders', value: 'c' })
    const consumer = client.consumer({
      topics: 'orders',
      offsetReset: 'earliest',
      maxBatchMessages: 10,
    })
    const stop = new AbortController()
    let count = 0
    await consumer.run({
      signal: stop.signal,
      eachBatch: ({ messages }) => {
        count += messages.length
        if (count === 3) stop.abort()
      },
    })
    const process = spans.slice(2)
    assert.ok(process.every(({ name, parentId }) => name === 'process orders' && !parentId))
    const links = process.flatMap(({ options }) =>
      options.links!.map(({ context }) => context.spanId),
    )
    assert.deepEqual(links, ['s0', 's1'])
    const counts = process.map(({ attributes }) => attributes['messaging.batch.message_count'])
    assert.equal(
      counts.reduce<number>((sum, each) => sum + Number(each), 0),
      3,
    )
  }))

test('an SDK that throws breaks nothing', () =>
  withClient(async client => {
    registerSdk({ isBroken: true })
    await client.producer().send({ topic: 'orders', value: 'a' })
    let seen = 0
    await run(client, 1, () => void seen++)
    assert.equal(seen, 1)
  }))

test('telemetry: false leaves records as they are', () =>
  withClient(
    async client => {
      const { spans } = registerSdk()
      await client.producer().send({ topic: 'orders', value: 'a' })
      let names: string[] | undefined
      await run(client, 1, headers => {
        names = Object.keys(headers)
      })
      assert.deepEqual([names, spans], [[], []])
    },
    { telemetry: false },
  ))
