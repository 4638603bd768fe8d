/**
 * The members of etcd as one partner: whom to ask, with which credentials, and what a failure means.
 *
 * All is asked of one member until it fails; then of the next one. What is known not to have reached
 * a member, or may be done twice, goes to the next one within the same call. Else the outcome is
 * unknown, and it is the caller's to send it again: replication.md §2.
 */
import { type CallOptions, Code, ConnectError } from '@connectrpc/connect'
import { EtcdEndpoint, type EtcdTls } from './etcd-endpoint.ts'
import { type Io, StoreAccessError, StoreRequestError, StoreUnavailableError } from './io.ts'

/** Where etcd is, and how to speak with it. */
export interface EtcdOptions {
  /** `host:port` of members, at least one. */
  readonly endpoints: readonly string[]
  /** Before every key; '' for none. */
  readonly namespace: string
  /** Absent: without encryption. */
  readonly tls?: EtcdTls
  readonly credentials?: { readonly user: string; readonly password: string }
  /** After so long a lease ends: what is asked has to be answered well before, in milliseconds. */
  readonly sessionTimeoutMs: number
}

/** How a call goes. */
export interface Call {
  /** For the messages of errors. */
  readonly name: string
  /** A second time does no harm. */
  readonly isRepeatable: boolean
  /** At one member, in milliseconds. */
  readonly timeoutMs: number
}

type Verdict = 'refused' | 'stale token' | 'no access' | 'unknown'

/** One process's way to etcd. */
export class EtcdConnection {
  readonly #report: Io['report']
  readonly #options: EtcdOptions
  readonly #endpoints: readonly EtcdEndpoint[]
  readonly #closing = new AbortController()
  #current = 0
  #token: Promise<string> | undefined

  constructor(report: Io['report'], options: EtcdOptions) {
    this.#report = report
    this.#options = options
    this.#endpoints = options.endpoints.map(address => new EtcdEndpoint(address, options.tls))
  }

  get endpoints(): readonly EtcdEndpoint[] {
    return this.#endpoints
  }

  /** Whom the next call asks. */
  get endpoint(): EtcdEndpoint {
    return this.#endpoints[this.#current]!
  }

  /**
   * Asks members until one answers, each at most once; `only` asks that one. Throws
   * StoreRequestError for a refusal, StoreUnavailableError when there is no answer, StoreAccessError.
   */
  async call<T>(
    call: Call,
    ask: (endpoint: EtcdEndpoint, options: CallOptions) => Promise<T>,
    only?: EtcdEndpoint,
  ): Promise<T> {
    const failures: string[] = []
    const most = only === undefined ? this.#endpoints.length : 1
    for (let tries = 0, renewals = 0; tries < most; tries++) {
      const endpoint = only ?? this.endpoint
      const state = { isSent: false }
      try {
        const options = await this.prepare(endpoint, call.timeoutMs)
        state.isSent = true
        return await ask(endpoint, { ...options, timeoutMs: call.timeoutMs })
      } catch (cause) {
        if (this.#closing.signal.aborted) throw closedError()
        const error = ConnectError.from(cause)
        const verdict = verdictOf(error)
        if (verdict === 'refused') throw new StoreRequestError(error.rawMessage, { cause })
        if (verdict === 'no access') throw accessError(endpoint, error)
        if (verdict === 'stale token') {
          this.forgetToken()
          // It was not carried out: that a token ends is in the order of things.
          if (renewals++ < 1) tries--
          else failures.push(failureText(endpoint, error))
          continue
        }
        failures.push(failureText(endpoint, error))
        this.leave(endpoint)
        // Frozen, or cut off: watches that are open there wait for nothing.
        if (error.code === Code.DeadlineExceeded) endpoint.abort('it did not answer in time')
        if (state.isSent && !call.isRepeatable) break
      }
    }
    throw new StoreUnavailableError(`etcd gave no answer to ${call.name}: ${failures.join('; ')}`)
  }

  /** Makes sure of a connection and a token. Throws ConnectError. */
  async prepare(endpoint: EtcdEndpoint, timeoutMs: number): Promise<CallOptions> {
    if (this.#closing.signal.aborted) throw closedError()
    await endpoint.connect(timeoutMs)
    const signal = this.#closing.signal
    const { credentials } = this.#options
    if (credentials === undefined) return { signal }
    this.#token ??= this.#authenticate(endpoint, timeoutMs)
    const token = await this.#token
    return token === '' ? { signal } : { signal, headers: { token } }
  }

  /** The next calls ask another member, unless they do so already. */
  leave(endpoint: EtcdEndpoint): void {
    if (endpoint === this.endpoint) this.#current = (this.#current + 1) % this.#endpoints.length
  }

  /** The next call asks for a new one. */
  forgetToken(): void {
    this.#token = undefined
  }

  /** All that goes on ends; calls reject from now on. */
  close(): void {
    this.#closing.abort()
    for (const endpoint of this.#endpoints) endpoint.abort('closed')
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted
  }

  /** '' when etcd asks nobody for one. */
  async #authenticate(endpoint: EtcdEndpoint, timeoutMs: number): Promise<string> {
    const { user, password } = this.#options.credentials!
    try {
      const { signal } = this.#closing
      return (await endpoint.auth.authenticate({ name: user, password }, { timeoutMs, signal }))
        .token
    } catch (error) {
      if (ConnectError.from(error).rawMessage.includes('authentication is not enabled')) {
        this.#report.warn(
          { endpoint: endpoint.address },
          'etcd does not ask for credentials: anybody who reaches it can change the cluster',
        )
        return ''
      }
      this.forgetToken()
      throw error
    }
  }
}

/** What the store says once it is closed. */
export function closedError(): StoreUnavailableError {
  return new StoreUnavailableError('the metadata store is closed')
}

function accessError(endpoint: EtcdEndpoint, error: ConnectError): StoreAccessError {
  return new StoreAccessError(
    `etcd ${endpoint.address} refuses: ${error.rawMessage} (see metadata.store.user, metadata.store.password, and the role of that user)`,
    { cause: error },
  )
}

function failureText({ address }: EtcdEndpoint, { rawMessage }: ConnectError): string {
  // OpenSSL's lines hold the reason between numbers and file names.
  const reason = /error:[0-9A-F]+:[^:]*:[^:]*:([^:]+)/.exec(rawMessage)?.[1] ?? rawMessage
  const hint = hints.find(([pattern]) => pattern.test(reason))
  return `${address}: ${reason || 'no reason given'}${hint === undefined ? '' : ` (${hint[1]})`}`
}

const hints: readonly (readonly [RegExp, string])[] = [
  [
    /protocol error|stream closed|before secure|wrong version number|closed$/i,
    'is it etcd, and does it speak TLS there? then say etcds://, else etcd://',
  ],
  [
    /first certificate|self.signed|issuer certificate/i,
    'metadata.store.ssl.ca.file says who vouches for it',
  ],
  [/alert .*certificate/i, 'it wants another one: metadata.store.ssl.certificate.file'],
  [/key values mismatch/i, 'the files of certificate and key do not belong together'],
]

/** What a failure says of the request; texts are those of etcd 3.4 to 3.6. */
function verdictOf({ code, rawMessage }: ConnectError): Verdict {
  if (/invalid auth token|auth store is old/.test(rawMessage)) return 'stale token'
  if (/authentication failed|user name is empty|user name not found/.test(rawMessage)) {
    return 'no access'
  }
  switch (code) {
    case Code.Unauthenticated:
      return 'stale token'
    case Code.PermissionDenied:
      return 'no access'
    case Code.InvalidArgument:
    case Code.NotFound:
    case Code.AlreadyExists:
    case Code.FailedPrecondition:
    case Code.OutOfRange:
      return 'refused'
    case Code.ResourceExhausted:
      // Else it has no room (an alarm that a person lifts), or too many requests.
      return /larger than max|too large/.test(rawMessage) ? 'refused' : 'unknown'
    default:
      return 'unknown'
  }
}
