/**
 * A watch of etcd, on a stream of its own.
 *
 * A large answer comes in fragments, and a fragment may end within a revision: its last revision is
 * held back until the next one has come. Every third of the time after which the watch counts as dead
 * a sign of life is asked for; it may overtake events (etcd 3.4), so it proves nothing else. The
 * member ends the stream when it has no leader: else it could stay silent about what others decided.
 *
 * A watch that ends is not opened again here: the sink knows the last revision that it has.
 */
import { ConnectError } from '@connectrpc/connect'
import type { EtcdConnection } from './etcd-connection.ts'
import type { EtcdEndpoint } from './etcd-endpoint.ts'
import { entryOf, type KeySpace } from './etcd-keys.ts'
import { type Event, Event_EventType, type WatchResponse } from './etcd-pb.ts'
import type { Clock, KeyRange, StoreEvent, Timer, Watch, WatchSink } from './io.ts'
import { StoreUnavailableError } from './io.ts'

/** What a member is asked on the stream. */
type Request =
  | { readonly case: 'createRequest'; readonly value: object }
  | { readonly case: 'progressRequest'; readonly value: object }

/** One watch; silent once closed. */
export class EtcdWatch implements Watch {
  readonly #clock: Clock
  readonly #keySpace: KeySpace
  readonly #sink: WatchSink
  readonly #deadMs: number
  readonly #abort = new AbortController()
  readonly #requests = new RequestQueue()
  #heardMs: number
  #timer: Timer | undefined
  #held: Event[] = []

  constructor(
    clock: Clock,
    connection: EtcdConnection,
    keySpace: KeySpace,
    range: KeyRange,
    fromRevision: bigint,
    sink: WatchSink,
    deadMs: number,
  ) {
    this.#clock = clock
    this.#keySpace = keySpace
    this.#sink = sink
    this.#deadMs = deadMs
    this.#heardMs = clock.monotonicMs()
    const value = { ...keySpace.range(range), startRevision: fromRevision, fragment: true }
    this.#requests.push({ case: 'createRequest', value })
    void this.#run(connection)
  }

  close(): void {
    this.#timer?.cancel()
    this.#abort.abort()
    this.#requests.end()
  }

  async #run(connection: EtcdConnection): Promise<void> {
    const { endpoint } = connection
    this.#askForLife(endpoint)
    // What the sink throws is a bug of its owner, and not to be taken for the end of the stream.
    const opened = await this.#open(connection, endpoint).catch(toFailure)
    if (opened instanceof Error) return this.#end(connection, endpoint, opened)
    for (;;) {
      const next = await opened.next().catch(toFailure)
      if (this.#abort.signal.aborted) return
      if (next instanceof Error) return this.#end(connection, endpoint, next)
      if (next.done === true) {
        return this.#end(connection, endpoint, new Error('etcd ended the watch'))
      }
      this.#heardMs = this.#clock.monotonicMs()
      if (!this.#take(next.value, connection)) return
    }
  }

  async #open(
    connection: EtcdConnection,
    endpoint: EtcdEndpoint,
  ): Promise<AsyncIterator<WatchResponse>> {
    const { headers } = await connection.prepare(endpoint, this.#deadMs)
    const answers = endpoint.watch.watch(this.#requests.stream(), {
      headers: { ...(headers as Record<string, string>), hasleader: 'true' },
      signal: this.#abort.signal,
    })
    return answers[Symbol.asyncIterator]()
  }

  /** False when the watch is over. */
  #take(response: WatchResponse, connection: EtcdConnection): boolean {
    if (response.compactRevision > 0n) {
      this.close()
      this.#sink.compacted(response.compactRevision)
      return false
    }
    if (response.canceled) {
      // A token that has ended is told as a lack of permission.
      connection.forgetToken()
      this.#break(new Error(`etcd ended the watch: ${response.cancelReason}`))
      return false
    }
    this.#held.push(...response.events)
    const last = this.#held.at(-1)?.kv?.modRevision
    const whole = response.fragment
      ? this.#held.filter(({ kv }) => kv!.modRevision !== last)
      : this.#held
    this.#held = response.fragment ? this.#held.filter(({ kv }) => kv!.modRevision === last) : []
    this.#deliver(whole)
    return true
  }

  #deliver(events: readonly Event[]): void {
    for (let at = 0; at < events.length && !this.#abort.signal.aborted; ) {
      const revision = events[at]!.kv!.modRevision
      const batch: StoreEvent[] = []
      for (; events[at]?.kv?.modRevision === revision; at++) {
        batch.push(this.#storeEvent(events[at]!))
      }
      this.#sink.events(batch, revision)
    }
  }

  #storeEvent({ type, kv }: Event): StoreEvent {
    const entry = entryOf(this.#keySpace, kv!)
    if (type === Event_EventType.PUT) return { type: 'put', entry }
    return { type: 'delete', key: entry.key, modRevision: entry.modRevision }
  }

  #askForLife(endpoint: EtcdEndpoint): void {
    this.#timer = this.#clock.timer(this.#deadMs / 3, () => {
      if (this.#clock.monotonicMs() - this.#heardMs >= this.#deadMs) {
        endpoint.abort('a watch was silent for too long')
        return
      }
      this.#requests.push({ case: 'progressRequest', value: {} })
      this.#askForLife(endpoint)
    })
  }

  #end(connection: EtcdConnection, endpoint: EtcdEndpoint, cause: Error): void {
    if (this.#abort.signal.aborted || connection.isClosed) return
    connection.leave(endpoint)
    this.#break(cause)
  }

  #break(cause: Error): void {
    this.close()
    this.#sink.broken(new StoreUnavailableError(cause.message, { cause }))
  }
}

function toFailure(error: unknown): Error {
  return error instanceof Error ? error : ConnectError.from(error)
}

/** What is to be sent on a stream that stays open. */
class RequestQueue {
  readonly #waiting: Request[] = []
  #isEnded = false
  #wake = () => {}

  push(request: Request): void {
    this.#waiting.push(request)
    this.#wake()
  }

  end(): void {
    this.#isEnded = true
    this.#wake()
  }

  async *stream() {
    while (!this.#isEnded) {
      const next = this.#waiting.shift()
      if (next !== undefined) yield { requestUnion: next }
      else await new Promise<void>(resolve => (this.#wake = resolve))
    }
  }
}
