/**
 * OpenTelemetry: a span for each record that is sent and each message that is worked on in `run`, joined
 * to one trace by the headers of the record.
 *
 * The API is found where @opentelemetry/api registers what an SDK gives it: on `globalThis`, under a
 * symbol that it shares between all copies of its major version. So there is no dependency and no
 * import that a bundler could miss, and it makes no difference which copy of the API the program has,
 * nor whether its SDK starts before the client. Nothing is registered: one look at a property a record.
 *
 * Names are those of the semantic conventions for messaging, 1.44. What the SDK throws is reported once
 * and breaks nothing.
 */
import { softwareVersion } from '../base/version.ts'
import type { Report } from '../io/io.ts'
import type { Message } from './consumer/message.ts'
import type { HeaderValue } from './producer/options.ts'

/** Headers as a record is sent with. */
type SentHeaders = Readonly<Record<string, HeaderValue>>
type Attributes = Record<string, string | number | boolean>

/** The part of the API, version 1, that is used here. */
interface Context {
  getValue(key: symbol): unknown
  setValue(key: symbol, value: unknown): Context
  deleteValue(key: symbol): Context
}
interface Span {
  spanContext(): { readonly traceId: string; readonly spanId: string }
  setAttributes(attributes: Attributes): unknown
  setStatus(status: { readonly code: number; readonly message?: string }): unknown
  recordException(exception: Error): void
  end(): void
}
interface Tracer {
  startSpan(name: string, options: object, context: Context): Span
}
interface Api {
  readonly trace?: { getTracer(name: string, version: string): Tracer }
  readonly context?: {
    active(): Context
    with<Result>(context: Context, run: () => Result): Result
  }
  readonly propagation?: {
    inject(context: Context, carrier: unknown, setter: object): void
    extract(context: Context, carrier: unknown, getter: object): Context
  }
}

const apiKey = Symbol.for('opentelemetry.js.api.1')
const spanKey = Symbol.for('OpenTelemetry Context Key SPAN')
const producerKind = 3
const consumerKind = 4
const errorStatus = 2
/** More are dropped by SDKs anyway. */
const maxLinks = 128

const setter = {
  set(carrier: Record<string, HeaderValue>, name: string, value: string) {
    carrier[name] = value
  },
}
const getter = {
  keys: (headers: Message['headers']) => Object.keys(headers),
  get(headers: Message['headers'], name: string): string | undefined {
    const value = headers[name]
    const last = Array.isArray(value) ? value.at(-1) : value
    return last?.toString()
  },
}

/** Whether what a client does is traced now. */
export class Telemetry {
  readonly #isOn: boolean
  readonly #clientId: string
  readonly #report: Report
  #trace: Api['trace']
  #tracing: Tracing | undefined
  #hasFailed = false

  /** `isOn` false: it never is. */
  constructor(isOn: boolean, clientId: string, report: Report) {
    this.#isOn = isOn
    this.#clientId = clientId
    this.#report = report
  }

  /** Undefined while no SDK has registered itself. */
  get current(): Tracing | undefined {
    if (!this.#isOn) return undefined
    const api = (globalThis as { [apiKey]?: Api })[apiKey]
    if (api?.trace === undefined) return undefined
    if (api.trace !== this.#trace) {
      this.#trace = api.trace
      const tracer = api.trace.getTracer('ottla', softwareVersion)
      this.#tracing = new Tracing(api, tracer, this.#clientId, error => this.#failed(error))
    }
    return this.#tracing
  }

  #failed(error: unknown): void {
    if (this.#hasFailed) return
    this.#hasFailed = true
    this.#report.warn({ error }, 'the OpenTelemetry SDK threw; records go on without it')
  }
}

/** The span of a record that is sent; ended by `sent` or `failed`. */
export interface SendTrace {
  /** To send it with: those that were given, and the trace's. */
  readonly headers: SentHeaders
  sent(partition: number, offset: number): void
  failed(error: unknown): void
}

/** Traces by the API as it is registered now. */
export class Tracing {
  readonly #api: Api
  readonly #tracer: Tracer
  readonly #clientId: string
  readonly #onFailure: (error: unknown) => void

  constructor(api: Api, tracer: Tracer, clientId: string, onFailure: (error: unknown) => void) {
    this.#api = api
    this.#tracer = tracer
    this.#clientId = clientId
    this.#onFailure = onFailure
  }

  /** Begins the span of a record, as a child of the active one. */
  send(topic: string, key: unknown, headers: SentHeaders | undefined): SendTrace | undefined {
    return this.#guarded(() => {
      const active = this.#active()
      const attributes = this.#attributes('send', topic, key)
      const span = this.#tracer.startSpan(
        `send ${topic}`,
        { kind: producerKind, attributes },
        active,
      )
      const carried = { ...headers }
      this.#api.propagation?.inject(active.setValue(spanKey, span), carried, setter)
      return {
        headers: carried,
        sent: (partition: number, offset: number) =>
          this.#end(span, {
            'messaging.destination.partition.id': String(partition),
            ...(offset >= 0 && { 'messaging.kafka.offset': offset }),
          }),
        failed: (error: unknown) => this.#end(span, {}, { error }),
      }
    })
  }

  /** Runs `work` on a message in a span that belongs to the trace of its sender. */
  process(
    message: Message<unknown, unknown>,
    groupId: string | undefined,
    work: () => Promise<void> | void,
  ): Promise<void> | void {
    const { topic, partition, offset, key, value } = message
    const attributes = {
      ...this.#attributes('process', topic, key),
      ...groupAttributes(partition, groupId),
      'messaging.kafka.offset': offset,
      ...(value === null && { 'messaging.kafka.message.tombstone': true }),
    }
    return this.#within(() => this.#sender(message), topic, { attributes }, work)
  }

  /** As `process`, for messages of one partition, in one span that has links to their senders'. */
  processBatch(
    messages: readonly Message<unknown, unknown>[],
    groupId: string | undefined,
    work: () => Promise<void> | void,
  ): Promise<void> | void {
    const { topic, partition } = messages[0]!
    const attributes = {
      ...this.#attributes('process', topic, undefined),
      ...groupAttributes(partition, groupId),
      'messaging.batch.message_count': messages.length,
    }
    const links = this.#guarded(() => this.#links(messages)) ?? []
    return this.#within(() => this.#root(), topic, { attributes, links }, work)
  }

  #within(
    parentOf: () => Context,
    topic: string,
    options: object,
    work: () => Promise<void> | void,
  ): Promise<void> | void {
    const begun = this.#guarded(() => {
      const parent = parentOf()
      const kind = { kind: consumerKind, ...options }
      const span = this.#tracer.startSpan(`process ${topic}`, kind, parent)
      return { span, context: parent.setValue(spanKey, span) }
    })
    if (begun === undefined) return work()
    const { span, context } = begun
    const manager = this.#api.context
    const failed = (error: unknown) => {
      this.#end(span, {}, { error })
      throw error
    }
    try {
      const result = manager === undefined ? work() : manager.with(context, work)
      if (result !== undefined) return result.then(() => this.#end(span, {}), failed)
      this.#end(span, {})
    } catch (error) {
      failed(error)
    }
  }

  #active(): Context {
    return this.#api.context?.active() ?? new PlainContext()
  }

  /** What is active where `run` was called is no parent of what comes in later. */
  #root(): Context {
    return this.#active().deleteValue(spanKey)
  }

  #sender({ headers }: Message<unknown, unknown>): Context {
    const root = this.#root()
    return this.#api.propagation?.extract(root, headers, getter) ?? root
  }

  #links(messages: readonly Message<unknown, unknown>[]): object[] {
    const links = new Map<string, object>()
    for (const message of messages) {
      if (links.size === maxLinks) break
      const span = this.#sender(message).getValue(spanKey) as Span | undefined
      if (span === undefined) continue
      const context = span.spanContext()
      links.set(context.spanId, { context })
    }
    return [...links.values()]
  }

  #attributes(operation: 'send' | 'process', topic: string, key: unknown): Attributes {
    return {
      'messaging.system': 'kafka',
      'messaging.operation.name': operation,
      'messaging.operation.type': operation,
      'messaging.destination.name': topic,
      'messaging.client.id': this.#clientId,
      // Bytes have no one form as text.
      ...(typeof key === 'string' && { 'messaging.kafka.message.key': key }),
    }
  }

  #end(span: Span, attributes: Attributes, failure?: { readonly error: unknown }): void {
    this.#guarded(() => {
      span.setAttributes(attributes)
      if (failure !== undefined) {
        const error =
          failure.error instanceof Error ? failure.error : new Error(String(failure.error))
        span.recordException(error)
        span.setAttributes({ 'error.type': typeOf(error) })
        span.setStatus({ code: errorStatus, message: error.message })
      }
      span.end()
    })
  }

  #guarded<Result>(run: () => Result): Result | undefined {
    try {
      return run()
    } catch (error) {
      this.#onFailure(error)
      return undefined
    }
  }
}

/** What a program without a context manager has. */
class PlainContext implements Context {
  readonly #values: ReadonlyMap<symbol, unknown>

  constructor(values: ReadonlyMap<symbol, unknown> = new Map()) {
    this.#values = values
  }

  getValue(key: symbol): unknown {
    return this.#values.get(key)
  }

  setValue(key: symbol, value: unknown): Context {
    return new PlainContext(new Map([...this.#values, [key, value]]))
  }

  deleteValue(key: symbol): Context {
    return new PlainContext(new Map([...this.#values].filter(([each]) => each !== key)))
  }
}

function groupAttributes(partition: number, groupId: string | undefined): Attributes {
  return {
    'messaging.destination.partition.id': String(partition),
    ...(groupId !== undefined && { 'messaging.consumer.group.name': groupId }),
  }
}

/** What `error.type` is: the official name where there is one. */
function typeOf(error: Error & { readonly error?: unknown; readonly code?: unknown }): string {
  if (typeof error.error === 'string') return error.error
  return typeof error.code === 'string' ? error.code : error.name
}
