/**
 * One connection to a broker, as its client.
 *
 * It begins with ApiVersions: from then on each request goes in the highest version that both sides
 * know. Requests are pipelined; a broker answers in order, so the answer that comes is always that
 * of the oldest request, and its correlation id proves it. A request that passes its deadline takes
 * the connection with it: nothing behind it could be answered any more, and a late answer must never
 * be taken for that of another request. After the first error every request fails with that error.
 */
import { int32At } from '../base/bytes.ts'
import { softwareVersion } from '../base/version.ts'
import type { Io, Socket } from '../io/io.ts'
import { errorName, KafkaError } from '../protocol/errors.ts'
import { decodeResponse, encodeRequest } from '../protocol/frame.ts'
import { apiVersionsRequest, apiVersionsResponse } from '../protocol/messages/api-versions.ts'
import type { Fields, IncomingFields, Message, OutgoingFields } from '../protocol/schema.ts'
import { Alarm } from './alarm.ts'
import { type FrameMemory, Frames } from './frames.ts'

/** Why there is no answer: the broker may or may not have done what was asked. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError'
  /**
   * REFUSED: nobody is there. CLOSED: the connection was lost, or what was asked is closed. TIMED_OUT:
   * no answer came in time. BAD_ANSWER: what came is not of the protocol, or too large.
   */
  readonly code: 'REFUSED' | 'CLOSED' | 'TIMED_OUT' | 'BAD_ANSWER'
  /** The same may succeed later; not after `close`, nor where no Kafka is spoken. */
  readonly retriable: boolean

  constructor(
    code: ConnectionError['code'],
    message: string,
    options: ErrorOptions & { readonly retriable?: boolean } = {},
  ) {
    super(message, options)
    this.code = code
    this.retriable = options.retriable ?? code !== 'BAD_ANSWER'
  }
}

export interface ConnectionOptions {
  readonly host: string
  readonly port: number
  readonly clientId: string
  /** Monotonic: until then the connection is open and its versions are known, or `open` rejects. */
  readonly deadlineMs: number
  /** The largest answer taken. Default 128 MiB. */
  readonly maxFrameBytes?: number
  /** Of its answers; each has memory of its own by default. */
  readonly frameMemory?: FrameMemory
  readonly watch?: ConnectionWatch | undefined
}

/** Is told what a connection does, for metrics and diagnostics; must not throw. */
export interface ConnectionWatch {
  /** `error`: it could not be opened. */
  opened(tookMs: number, error?: Error): void
  /** Once for each request that expects an answer. `error`: none came. Sizes are those of frames. */
  answered(exchange: Exchange, responseBytes: number, tookMs: number, error?: Error): void
  /** After it was opened, once. */
  closed(error: Error): void
}

/** A request, as far as those are concerned who count. */
export interface Exchange {
  /** As it is declared: `ProduceRequest`. */
  readonly request: string
  readonly version: number
  readonly requestBytes: number
}

/** The body of a request, or how to make it for the version that was agreed on. */
export type Body<F extends Fields> = OutgoingFields<F> | ((version: number) => OutgoingFields<F>)

interface Waiting {
  readonly correlationId: number
  readonly deadlineMs: number
  readonly exchange: Exchange
  readonly startMs: number
  settle(frame: Uint8Array): void
  reject(error: Error): void
}

const defaultMaxFrameBytes = 128 * 1024 * 1024
const unsupportedVersion = 35

export class Connection {
  readonly host: string
  readonly port: number
  readonly #io: Io
  readonly #clientId: string
  readonly #maxFrameBytes: number
  readonly #versions = new Map<number, { min: number; max: number }>()
  readonly #waiting: Waiting[] = []
  readonly #frames: Frames
  readonly #watch: ConnectionWatch | undefined
  readonly #alarm: Alarm
  #isOpen = false
  #drained: PromiseWithResolvers<void> | undefined
  #socket: Socket | undefined
  #correlationId = 0
  #failure: Error | undefined

  private constructor(io: Io, options: ConnectionOptions) {
    this.#io = io
    this.host = options.host
    this.port = options.port
    this.#clientId = options.clientId
    this.#maxFrameBytes = options.maxFrameBytes ?? defaultMaxFrameBytes
    this.#frames = new Frames(this.#maxFrameBytes, options.frameMemory)
    this.#watch = options.watch
    this.#alarm = new Alarm(io.clock, () => this.#onAlarm())
  }

  /**
   * Connects and asks for the broker's versions; the one place where a connection is made ready, which
   * will be that of TLS and authentication. Rejects with ConnectionError, and leaves nothing behind.
   */
  static async open(io: Io, options: ConnectionOptions): Promise<Connection> {
    const connection = new Connection(io, options)
    const startMs = io.clock.monotonicMs()
    try {
      await connection.#connect(options.deadlineMs)
      await connection.#negotiate(options.deadlineMs)
    } catch (error) {
      connection.close()
      options.watch?.opened(io.clock.monotonicMs() - startMs, error as Error)
      throw error
    }
    connection.#isOpen = true
    options.watch?.opened(io.clock.monotonicMs() - startMs)
    return connection
  }

  /** Why it cannot be used any more; undefined while it can. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /**
   * Sends a request and waits for its answer until `deadlineMs` (monotonic). It is sent, and so
   * ordered, before this returns. Rejects with ConnectionError, or KafkaError UNSUPPORTED_VERSION.
   */
  async request<Q extends Fields, S extends Fields>(
    request: Message<Q>,
    response: Message<S>,
    body: Body<Q>,
    deadlineMs: number,
  ): Promise<IncomingFields<S>> {
    const version = this.versionOf(request)
    const frame = await this.#exchange(request, version, bodyFor(body, version), deadlineMs)
    return this.#decode(response, version, frame)
  }

  /** Sends a request that the broker does not answer: a Produce with acks 0. */
  post<Q extends Fields>(request: Message<Q>, body: Body<Q>): void {
    if (this.#failure !== undefined) throw this.#failure
    const version = this.versionOf(request)
    this.#write(request, version, this.#nextId(), bodyFor(body, version))
  }

  /** The version in which `request` goes. Throws KafkaError UNSUPPORTED_VERSION. */
  versionOf(request: Message): number {
    const theirs = this.#versions.get(request.apiKey!)
    if (theirs === undefined) {
      throw new KafkaError('UNSUPPORTED_VERSION', `the broker has no ${request.name}`)
    }
    const ours = request.versions
    const version = Math.min(theirs.max, ours.last - (request.latestUnstable ? 1 : 0))
    if (version >= ours.first && version >= theirs.min) return version
    throw new KafkaError(
      'UNSUPPORTED_VERSION',
      `${request.name}: the broker has ${theirs.min}–${theirs.max}, we ${ours.first}–${ours.last}`,
    )
  }

  /** Requests without an answer yet. */
  get requestsInFlight(): number {
    return this.#waiting.length
  }

  /** Everything given to the socket and not sent yet: a sender with much to say looks at it. */
  get bufferedBytes(): number {
    return this.#socket?.bufferedBytes ?? 0
  }

  /** Resolves when nothing is buffered any more, or the connection has failed. */
  drained(): Promise<void> {
    if (this.#failure !== undefined || this.bufferedBytes === 0) return Promise.resolve()
    this.#drained ??= Promise.withResolvers()
    return this.#drained.promise
  }

  /** Closes at once; requests without an answer reject. Idempotent. */
  close(): void {
    this.#fail(
      new ConnectionError('CLOSED', `connection to ${this.#name} closed`, { retriable: false }),
    )
  }

  get #name(): string {
    return this.host.includes(':') ? `[${this.host}]:${this.port}` : `${this.host}:${this.port}`
  }

  async #connect(deadlineMs: number): Promise<void> {
    const timeoutMs = Math.max(1, Math.ceil(deadlineMs - this.#io.clock.monotonicMs()))
    try {
      const { host, port } = this
      this.#socket = await this.#io.network.connect({ host, port, timeoutMs }, () => ({
        data: chunk => this.#onData(chunk),
        drain: () => this.#onDrain(),
        close: error => this.#onClose(error),
      }))
    } catch (cause) {
      const why = (cause as { code?: string }).code ?? (cause as Error).message
      const code = why === 'ETIMEDOUT' ? 'TIMED_OUT' : 'REFUSED'
      this.#failure = new ConnectionError(code, `no broker at ${this.#name} (${why})`, { cause })
      throw this.#failure
    }
  }

  /** An old broker refuses our version in the form of version 0, naming the versions it has. */
  async #negotiate(deadlineMs: number): Promise<void> {
    const body = { clientSoftwareName: 'ottla', clientSoftwareVersion: softwareVersion }
    let version = apiVersionsRequest.versions.last
    let frame = await this.#exchange(apiVersionsRequest, version, body, deadlineMs)
    if (frame.length >= 6 && (frame[4]! << 8) + frame[5]! === unsupportedVersion) {
      const { apiKeys } = this.#decode(apiVersionsResponse, 0, frame)
      const known = apiKeys.find(api => api.apiKey === apiVersionsRequest.apiKey)
      version = Math.min(known?.maxVersion ?? 0, version)
      frame = await this.#exchange(apiVersionsRequest, version, body, deadlineMs)
    }
    const { errorCode, apiKeys } = this.#decode(apiVersionsResponse, version, frame)
    if (errorCode !== 0) throw new KafkaError(errorName(errorCode), `ApiVersions of ${this.#name}`)
    for (const api of apiKeys) {
      this.#versions.set(api.apiKey, { min: api.minVersion, max: api.maxVersion })
    }
  }

  #exchange<Q extends Fields>(
    request: Message<Q>,
    version: number,
    body: OutgoingFields<Q>,
    deadlineMs: number,
  ): Promise<Uint8Array> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const correlationId = this.#nextId()
    return new Promise((settle, reject) => {
      const requestBytes = this.#write(request, version, correlationId, body)
      const startMs = this.#io.clock.monotonicMs()
      const exchange = { request: request.name, version, requestBytes }
      this.#waiting.push({ correlationId, deadlineMs, exchange, startMs, settle, reject })
      this.#alarm.set(deadlineMs)
    })
  }

  #nextId(): number {
    this.#correlationId = (this.#correlationId + 1) & 0x7fffffff
    return this.#correlationId
  }

  #write<Q extends Fields>(
    request: Message<Q>,
    version: number,
    correlationId: number,
    body: OutgoingFields<Q>,
  ): number {
    const chunks = encodeRequest(request, version, correlationId, this.#clientId, body)
    this.#socket!.write(chunks)
    return chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  }

  #onData(chunk: Uint8Array): void {
    this.#frames.push(chunk)
    try {
      for (;;) {
        const frame = this.#frames.next()
        if (frame === undefined) return
        this.#onFrame(frame)
      }
    } catch (cause) {
      const why = `bad answer from ${this.#name}: ${(cause as Error).message}`
      this.#fail(new ConnectionError('BAD_ANSWER', why, { cause }))
    }
  }

  #onFrame(frame: Uint8Array): void {
    const oldest = this.#waiting.shift()
    if (oldest === undefined) throw new Error('it answers what was not asked')
    if (frame.length >= 4 && int32At(frame, 0) === oldest.correlationId) {
      this.#tell(oldest, frame.length + 4)
      oldest.settle(frame)
    } else {
      const error = new ConnectionError('BAD_ANSWER', `${this.#name} answers another request`)
      this.#tell(oldest, 0, error)
      oldest.reject(error)
      throw new Error('it answers another request')
    }
  }

  #onDrain(): void {
    this.#drained?.resolve()
    this.#drained = undefined
  }

  #onClose(cause: Error | undefined): void {
    const why = cause === undefined ? 'the broker closed it' : cause.message
    this.#fail(new ConnectionError('CLOSED', `connection to ${this.#name} lost: ${why}`, { cause }))
  }

  #fail(error: ConnectionError): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    this.#alarm.close()
    this.#socket?.destroy()
    this.#onDrain()
    for (const waiting of this.#waiting.splice(0)) {
      this.#tell(waiting, 0, error)
      waiting.reject(error)
    }
    if (this.#isOpen) this.#watch?.closed(error)
  }

  /** A request may be late. */
  #onAlarm(): void {
    const nowMs = this.#io.clock.monotonicMs()
    const late = this.#waiting.find(({ deadlineMs }) => deadlineMs <= nowMs)
    if (late === undefined) {
      for (const { deadlineMs } of this.#waiting) this.#alarm.set(deadlineMs)
      return
    }
    const what = `${this.#name} did not answer ${late.exchange.request} in time`
    this.#fail(new ConnectionError('TIMED_OUT', what))
  }

  #tell({ exchange, startMs }: Waiting, responseBytes: number, error?: Error): void {
    const watch = this.#watch
    watch?.answered(exchange, responseBytes, this.#io.clock.monotonicMs() - startMs, error)
  }

  #decode<S extends Fields>(
    response: Message<S>,
    version: number,
    frame: Uint8Array,
  ): IncomingFields<S> {
    try {
      return decodeResponse(response, version, frame).response
    } catch (cause) {
      const why = `bad ${response.name} from ${this.#name}: ${(cause as Error).message}`
      const error = new ConnectionError('BAD_ANSWER', why, { cause })
      this.#fail(error)
      throw error
    }
  }
}

function bodyFor<F extends Fields>(body: Body<F>, version: number): OutgoingFields<F> {
  return typeof body === 'function' ? body(version) : body
}
