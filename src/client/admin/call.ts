/**
 * One call of an admin: its deadline and its signal, through however many requests it takes.
 *
 * Requests about topics go to the controller. Brokers of KRaft clusters, and Ottla's, pass them on;
 * older ones refuse with NOT_CONTROLLER, thing by thing: only those that were refused so go again.
 */
import { pause } from '../../io/pause.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type { Fields, IncomingFields, Message } from '../../protocol/schema.ts'
import { abortable } from '../abort.ts'
import { OptionError } from '../bootstrap.ts'
import { type Caller, type CallOptions, type Cluster, callsWith } from '../cluster.ts'
import { type Body, ConnectionError } from '../connection.ts'

/** Of the time that is left, what a broker may take for a change; the rest is for its answer. */
const brokersShare = 0.75

export class AdminCall {
  readonly cluster: Cluster
  readonly #ending = new AbortController()
  readonly #timeoutMs: number
  readonly #deadlineMs: number

  /** Throws OptionError for a `timeoutMs` that is none. */
  constructor(cluster: Cluster, timeoutMs: number) {
    if (!(typeof timeoutMs === 'number' && timeoutMs > 0 && timeoutMs < 2 ** 31)) {
      const why = `${timeoutMs} is no number of milliseconds from 1 to 2147483647`
      throw new OptionError('timeoutMs', why)
    }
    this.cluster = cluster
    this.#timeoutMs = timeoutMs
    this.#deadlineMs = cluster.clock.monotonicMs() + timeoutMs
  }

  /** For calls of the cluster. Throws ConnectionError TIMED_OUT when no time is left. */
  get options(): CallOptions {
    return { signal: this.#signal, timeoutMs: this.#leftMs() }
  }

  /** The cluster, every call of which ends as this one does. Throws as `options`. */
  get caller(): Caller {
    return callsWith(this.cluster, this.options)
  }

  /** How long a broker may take for a change. Throws as `options`. */
  get brokerTimeoutMs(): number {
    return Math.ceil(this.#leftMs() * brokersShare)
  }

  /** Every request of it rejects with `reason`. */
  end(reason: unknown): void {
    this.#ending.abort(reason)
  }

  /** Throws the reason of `end`. */
  throwIfEnded(): void {
    this.#signal.throwIfAborted()
  }

  /**
   * A request to the controller, asked for again when it was lost; to any broker while none is known.
   * Rejects with ClientError.
   */
  async toController<Q extends Fields, S extends Fields>(
    request: Message<Q>,
    response: Message<S>,
    body: Body<Q>,
  ): Promise<IncomingFields<S>> {
    for (let attempt = 0; ; attempt++) {
      const { controllerId, brokers } = await this.caller.metadata([])
      const isKnown = brokers.some(({ nodeId }) => nodeId === controllerId)
      if (!isKnown) return await this.caller.call(request, response, body)
      try {
        return await abortable(this.#ask(controllerId, request, response, body), this.#signal)
      } catch (error) {
        const isLost = error instanceof ConnectionError && error.code !== 'TIMED_OUT'
        if (!isLost || !(await this.backoff(attempt))) throw error
      }
    }
  }

  /**
   * Has `send` settle items, and again those that were refused for as long as that may pass. Results
   * are in the order of `items`, and those of `send` in the order of what it was given.
   */
  async settle<Item, Value>(
    items: readonly Item[],
    send: (open: readonly Item[]) => Promise<(Value | KafkaError)[]>,
  ): Promise<(Value | KafkaError)[]> {
    const results = new Map<Item, Value | KafkaError>()
    let open = items
    for (let attempt = 0; open.length > 0; attempt++) {
      const answers = await send(open)
      for (const [index, item] of open.entries()) results.set(item, answers[index]!)
      open = open.filter(item => mayPass(results.get(item)))
      if (open.length > 0 && !(await this.backoff(attempt))) break
    }
    return items.map(item => results.get(item)!)
  }

  /** Waits before another attempt; false when the deadline would pass. Rejects when this has ended. */
  async backoff(attempt: number): Promise<boolean> {
    const { clock } = this.cluster
    const delayMs = this.cluster.nextBackoffMs(attempt)
    if (clock.monotonicMs() + delayMs >= this.#deadlineMs) return false
    await pause(clock, delayMs, this.#signal)
    this.throwIfEnded()
    return true
  }

  async #ask<Q extends Fields, S extends Fields>(
    brokerId: number,
    request: Message<Q>,
    response: Message<S>,
    body: Body<Q>,
  ): Promise<IncomingFields<S>> {
    const connection = await this.cluster.connection(brokerId, '', this.#deadlineMs)
    return await connection.request(request, response, body, this.#deadlineMs)
  }

  get #signal(): AbortSignal {
    return this.#ending.signal
  }

  #leftMs(): number {
    this.throwIfEnded()
    const leftMs = this.#deadlineMs - this.cluster.clock.monotonicMs()
    if (leftMs > 0) return leftMs
    throw new ConnectionError('TIMED_OUT', `not finished in ${this.#timeoutMs} ms`)
  }
}

/** What was not done, and would be when it is asked for again. */
const passing: ReadonlySet<unknown> = new Set([
  'NOT_CONTROLLER',
  'THROTTLING_QUOTA_EXCEEDED',
  'UNKNOWN_TOPIC_ID',
])

function mayPass(result: unknown): boolean {
  return result instanceof KafkaError && passing.has(result.error)
}
