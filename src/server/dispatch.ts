/**
 * Hop 2: from the bytes of a request to the bytes of its answer. Needs no socket.
 *
 * A refusal (KafkaError) that a handler lets through, and anything unforeseen, becomes an answer in
 * the form of that API, so a client is never left waiting. Only what cannot be read as a request
 * closes the connection: a malformed frame, an API or version that ApiVersions does not list.
 */
import { assert } from '../base/assert.ts'
import { DecodeError, decode } from '../protocol/compile.ts'
import { errorCode, KafkaError } from '../protocol/errors.ts'
import {
  decodeRequestHeader,
  encodeRequest,
  encodeResponse,
  type RequestHeader,
} from '../protocol/frame.ts'
import {
  type Fields,
  type IncomingFields,
  includes,
  type Message,
  type OutgoingFields,
  type Range,
} from '../protocol/schema.ts'
import type { Answer } from './connection.ts'
import {
  CloseConnection,
  type ConnectionFacts,
  type Domain,
  type Failure,
  type NoResponse,
  noResponse,
  RequestContext,
  type ServerState,
} from './context.ts'
import { apiVersionsKey, isServed, unsupportedApiVersions } from './handlers/api-versions.ts'
import { SlowRequests } from './slow-requests.ts'

/** One API that this broker serves. */
export interface Api<Q extends Fields = Fields, R extends Fields = Fields> {
  readonly request: Message<Q>
  readonly response: Message<R>
  /**
   * All that fixes the order of requests happens before its first await. From then on one that is
   * pipelined uses no bytes of the request any more.
   */
  handle(ctx: RequestContext, request: IncomingFields<Q>): Promise<OutgoingFields<R> | NoResponse>
  /** The answer when the whole request failed. */
  fail(request: IncomingFields<Q>, failure: Failure, version: number): OutgoingFields<R>
  /** Versions that are served: an unstable last one is not. */
  readonly served: Range
  /** Lowest version that ApiVersions lists; the lowest served by default. */
  readonly listedMin: number
  /** For docs/protocol-support.md: what clients should know. */
  readonly remarks: string
  /** The next request of the connection may start before this one is answered. */
  readonly isPipelined: boolean
  /** Only the controller can carry it out: other brokers forward it. */
  readonly isForwarded: boolean
  /** Only brokers ask it: it is served on the listener for them. */
  readonly isOfBrokers: boolean
}

/** For requests of the controller that carry no timeout. */
const usualTimeoutMs = 30_000

export class Dispatcher {
  readonly #apis: ReadonlyMap<number, Api>
  readonly #domain: Domain
  readonly #server: ServerState
  readonly #slow: SlowRequests
  /** Requests that ended in an exception nobody foresaw. */
  unforeseen = 0

  constructor(apis: readonly Api[], domain: Domain, server: Omit<ServerState, 'carryOut'>) {
    this.#apis = new Map(apis.map(api => [api.request.apiKey!, api]))
    this.#domain = domain
    this.#server = { ...server, carryOut: (frame, client) => this.#carryOut(frame, client) }
    this.#slow = new SlowRequests(domain.io, () => domain.config().slowRequestMs)
  }

  /** Whether the next request of the connection may start before this one is answered. */
  isPipelined(frame: Uint8Array): boolean {
    return this.#apis.get((frame[0]! << 8) | frame[1]!)?.isPipelined ?? false
  }

  /**
   * Handles one frame (without its size); what fixes the order has happened when it returns its
   * promise. Resolves to the answer with its size in front, or undefined when none is wanted.
   * Rejects (DecodeError, CloseConnection) when the connection is to be closed. The frame of a pipelined
   * API is not needed any more when the promise is there.
   */
  async dispatch(frame: Uint8Array, connection: ConnectionFacts): Promise<Answer | undefined> {
    const header = decodeRequestHeader(frame)
    const api = this.#apis.get(header.apiKey)
    if (api === undefined || !this.#isServed(api, connection)) {
      throw new CloseConnection(`API ${header.apiKey} is not served`)
    }
    if (!includes(api.served, header.apiVersion)) {
      if (header.apiKey === apiVersionsKey) {
        const refused = unsupportedApiVersions(api)
        return { chunks: encodeResponse(api.response, 0, header.correlationId, refused) }
      }
      throw new CloseConnection(`${api.request.name} v${header.apiVersion} is not served`)
    }
    // Kafka passes over bytes after the body, and librdkafka leaves three when it asks for all topics.
    const options = { trailing: true }
    const request = decode(api.request, header.apiVersion, frame, header.bodyOffset, options)
    const ctx = new RequestContext(this.#domain, this.#server, connection, header)
    if (api.isForwarded) {
      const chunks = await this.#forwarded(api, ctx, request)
      this.#slow.answered(api.request, ctx, request)
      return { chunks }
    }
    const response = await this.#handle(api, ctx, request)
    // Of an envelope, what is in it was.
    if (!api.isOfBrokers) this.#slow.answered(api.request, ctx, request)
    if (response === noResponse) return undefined
    return { chunks: this.#encode(api, header, request, response), sent: ctx.sent }
  }

  #isServed(api: Api, connection: ConnectionFacts): boolean {
    return isServed({ config: this.#domain.config(), connection }, api)
  }

  /** At the controller, wherever that is. */
  async #forwarded(
    api: Api,
    ctx: RequestContext,
    request: IncomingFields<Fields>,
  ): Promise<Uint8Array[]> {
    const { header, connection } = ctx
    const { timeoutMs = usualTimeoutMs } = request as { timeoutMs?: number }
    const forwarded = {
      principal: connection.principal,
      host: connection.remoteAddress,
      deadlineMs: ctx.deadlineMs(timeoutMs),
      frame: (leftMs: number) => frameOf(api, header, request, leftMs),
    }
    try {
      const answer = await this.#domain.forwarder.forward(forwarded, () =>
        this.#asController(api, ctx, request),
      )
      return answer instanceof Uint8Array ? sized(answer) : answer
    } catch (error) {
      return this.#encode(api, header, request, this.#failed(api, ctx, request, error))
    }
  }

  /** Throws NOT_CONTROLLER: then another broker is to be asked. */
  async #asController(
    api: Api,
    ctx: RequestContext,
    request: IncomingFields<Fields>,
  ): Promise<Uint8Array[]> {
    try {
      const response = await api.handle(ctx, request)
      assert(response !== noResponse, 'what is forwarded is answered')
      return this.#encode(api, ctx.header, request, response)
    } catch (error) {
      if (error instanceof KafkaError && error.error === 'NOT_CONTROLLER') throw error
      return this.#encode(api, ctx.header, request, this.#failed(api, ctx, request, error))
    }
  }

  /** What came in an envelope. */
  async #carryOut(frame: Uint8Array, client: ConnectionFacts): Promise<Uint8Array[]> {
    const header = headerOf(frame)
    const api = this.#apis.get(header.apiKey)
    if (api === undefined || !api.isForwarded) {
      throw new KafkaError('INVALID_REQUEST', `API ${header.apiKey} is not to be forwarded`)
    }
    if (!includes(api.served, header.apiVersion)) throw new KafkaError('UNSUPPORTED_VERSION')
    const request = bodyOf(api, header, frame)
    const ctx = new RequestContext(this.#domain, this.#server, client, header)
    const answer = await this.#asController(api, ctx, request)
    this.#slow.answered(api.request, ctx, request)
    return answer
  }

  async #handle(api: Api, ctx: RequestContext, request: IncomingFields<Fields>) {
    try {
      return await api.handle(ctx, request)
    } catch (error) {
      return this.#failed(api, ctx, request, error)
    }
  }

  #failed(api: Api, ctx: RequestContext, request: IncomingFields<Fields>, error: unknown) {
    if (error instanceof CloseConnection) throw error
    return api.fail(request, this.#failure(api, ctx.header, error), ctx.version)
  }

  #encode(
    api: Api,
    header: RequestHeader,
    request: IncomingFields<Fields>,
    response: OutgoingFields<Fields>,
  ): Uint8Array[] {
    const { apiVersion, correlationId } = header
    try {
      return encodeResponse(api.response, apiVersion, correlationId, response)
    } catch (error) {
      const failure = api.fail(request, this.#failure(api, header, error), apiVersion)
      return encodeResponse(api.response, apiVersion, correlationId, failure)
    }
  }

  #failure(api: Api, header: RequestHeader, error: unknown): Failure {
    if (error instanceof KafkaError) {
      return { errorCode: error.code, errorMessage: error.message }
    }
    this.unforeseen++
    const stack = error instanceof Error ? error.stack : String(error)
    this.#domain.io.report.error(
      { api: api.request.name, version: header.apiVersion, clientId: header.clientId, stack },
      'a request failed unexpectedly',
    )
    return { errorCode: errorCode('UNKNOWN_SERVER_ERROR'), errorMessage: null }
  }
}

/** The request as it came, with what is left of its time. */
function frameOf(
  api: Api,
  { apiVersion, correlationId, clientId }: RequestHeader,
  request: IncomingFields<Fields>,
  timeoutMs: number,
): Uint8Array {
  const fields = 'timeoutMs' in request ? { ...request, timeoutMs } : request
  const chunks = encodeRequest(api.request, apiVersion, correlationId, clientId, fields)
  return Buffer.concat(chunks).subarray(4)
}

function sized(answer: Uint8Array): Uint8Array[] {
  const size = Buffer.alloc(4)
  size.writeInt32BE(answer.length)
  return [size, answer]
}

/** Throws INVALID_REQUEST. */
function headerOf(frame: Uint8Array): RequestHeader {
  return wellFormed(() => decodeRequestHeader(frame))
}

/** Throws INVALID_REQUEST. */
function bodyOf(api: Api, { apiVersion, bodyOffset }: RequestHeader, frame: Uint8Array) {
  return wellFormed(() => decode(api.request, apiVersion, frame, bodyOffset, { trailing: true }))
}

function wellFormed<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw new KafkaError('INVALID_REQUEST', `what is in the envelope: ${error.message}`)
  }
}
