/**
 * The one place from which a broker calls another: to fetch as a follower, to forward what only the
 * controller can do, to write transaction markers.
 *
 * Each broker has as many connections as there are *lanes* to it: a broker answers a connection in
 * order, so who holds one on purpose (a fetcher waits for records) has a lane of its own. A connection
 * that broke, or whose broker has moved to another address, is opened again by the next request in its
 * lane. A broker that cannot be reached is tried again after 50 ms, then twice as long each time, up to
 * a second; a request waits for that, as long as its own deadline allows.
 */
import type { Io } from '../io/io.ts'
import { pause } from '../io/pause.ts'
import type { Fields, IncomingFields, Message } from '../protocol/schema.ts'
import type { Address } from './cluster.ts'
import { type Body, ConnectionError } from './connection.ts'
import { Connections, type FrameOptions } from './connections.ts'

export interface PeersOptions {
  readonly clientId: string
  /** Where a broker is now, on the listener for brokers; undefined: it is not registered. */
  addressOf(brokerId: number): Address | undefined
}

/** What it says of answers holds for connections of its lane that are opened from now on. */
export interface PeerRequestOptions extends FrameOptions {
  /** Monotonic: an answer that is not there by then is given up, and the lane's connection with it. */
  readonly deadlineMs: number
}

/** A broker as far as reaching it is concerned. */
interface Reach {
  failures: number
  /** Monotonic: not before. */
  retryAtMs: number
}

const connectTimeoutMs = 10_000
const minBackoffMs = 50
const maxBackoffMs = 1000

/** Connections to the other brokers of the cluster. */
export class Peers {
  readonly #io: Io
  readonly #options: PeersOptions
  readonly #connections: Connections
  readonly #reach = new Map<number, Reach>()
  /** By lane and broker: where its connection leads, and what its answers may take. */
  readonly #lanes = new Map<string, { address: Address; frames: FrameOptions }>()

  constructor(io: Io, options: PeersOptions) {
    this.#io = io
    this.#options = options
    this.#connections = new Connections(io, {
      clientId: options.clientId,
      connectTimeoutMs,
      frames: lane => this.#lanes.get(lane)?.frames,
    })
  }

  /**
   * Asks broker `brokerId` in `lane`; requests in one lane are answered in order. Rejects with
   * ConnectionError (the other may or may not have done it), or KafkaError UNSUPPORTED_VERSION.
   */
  async request<Q extends Fields, S extends Fields>(
    brokerId: number,
    lane: string,
    request: Message<Q>,
    response: Message<S>,
    body: Body<Q>,
    options: PeerRequestOptions,
  ): Promise<IncomingFields<S>> {
    const connection = await this.#open(brokerId, lane, options)
    return await connection.request(request, response, body, options.deadlineMs)
  }

  /** Where a broker is now; undefined: it is not registered. */
  addressOf(brokerId: number): Address | undefined {
    return this.#options.addressOf(brokerId)
  }

  /** Closes the lane's connection: a request under way there rejects at once. */
  closeLane(brokerId: number, lane: string): void {
    const name = laneName(brokerId, lane)
    this.#lanes.delete(name)
    this.#connections.closeLane(name)
  }

  /** Requests under way reject at once, later ones too. Idempotent. */
  close(): void {
    this.#connections.close()
  }

  async #open(brokerId: number, lane: string, { deadlineMs, ...frames }: PeerRequestOptions) {
    const reach = this.#reachOf(brokerId)
    await this.#waitUntil(Math.min(reach.retryAtMs, deadlineMs))
    this.#connections.closed.throwIfAborted()
    // Only now: while this waited, the broker may have come back elsewhere.
    const address = this.#options.addressOf(brokerId)
    if (address === undefined) {
      throw new ConnectionError('REFUSED', `broker ${brokerId} is not registered`)
    }
    const name = laneName(brokerId, lane)
    const known = this.#lanes.get(name)
    if (known !== undefined && !sameAddress(known.address, address)) {
      this.#connections.closeLane(name)
      reach.failures = 0
    }
    this.#lanes.set(name, { address, frames })
    try {
      const connection = await this.#connections.open(address, name, deadlineMs)
      reach.failures = 0
      return connection
    } catch (error) {
      this.#failed(reach)
      throw error
    }
  }

  #reachOf(brokerId: number): Reach {
    const known = this.#reach.get(brokerId)
    if (known !== undefined) return known
    const reach = { failures: 0, retryAtMs: Number.NEGATIVE_INFINITY }
    this.#reach.set(brokerId, reach)
    return reach
  }

  /** Requests that waited for one attempt fail with it together: that is one failure. */
  #failed(reach: Reach): void {
    const nowMs = this.#io.clock.monotonicMs()
    if (nowMs < reach.retryAtMs) return
    reach.retryAtMs = nowMs + Math.min(maxBackoffMs, minBackoffMs * 2 ** reach.failures)
    reach.failures++
  }

  async #waitUntil(atMs: number): Promise<void> {
    const waitMs = atMs - this.#io.clock.monotonicMs()
    if (waitMs > 0) await pause(this.#io.clock, waitMs, this.#connections.closed)
  }
}

function laneName(brokerId: number, lane: string): string {
  return `${brokerId} ${lane}`
}

function sameAddress(one: Address, other: Address): boolean {
  return one.host === other.host && one.port === other.port
}
