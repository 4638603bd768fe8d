/**
 * The connections of a client: one for each broker, which all share, and beside it *lanes*.
 *
 * A broker answers a connection in order. What it holds on purpose (a Fetch that waits for records,
 * JoinGroup and SyncGroup that wait for other members) would hold everything behind it, so who sends
 * such a request does it in a lane of its own: a further connection to the same broker, under a name.
 *
 * A connection that was lost (or closed by a broker, as idle ones are after ten minutes) is opened
 * again by the next who asks for it. Who asks while one is being opened waits for that one.
 */
import type { Io } from '../io/io.ts'
import { abortable } from './abort.ts'
import type { Address } from './cluster.ts'
import {
  Connection,
  ConnectionError,
  type ConnectionOptions,
  type ConnectionWatch,
} from './connection.ts'

export interface ConnectionsOptions {
  readonly clientId: string
  /** For one attempt: a lost packet must not take the whole deadline of a call. */
  readonly connectTimeoutMs: number
  /** What answers in a lane may take; by default as a connection has it. */
  readonly frames?: ((lane: string) => FrameOptions | undefined) | undefined
  /** Watches a connection to an address, in a lane. */
  readonly watcher?: ((address: Address, lane: string) => ConnectionWatch) | undefined
}

/** Of the answers on a connection. */
export type FrameOptions = Pick<ConnectionOptions, 'maxFrameBytes' | 'frameMemory'>

interface Entry {
  readonly address: Address
  readonly lane: string
  readonly opening: Promise<Connection>
  open?: Connection
}

export class Connections {
  readonly #io: Io
  readonly #options: ConnectionsOptions
  readonly #entries = new Map<string, Entry>()
  readonly #closing = new AbortController()

  constructor(io: Io, options: ConnectionsOptions) {
    this.#io = io
    this.#options = options
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted
  }

  /** Aborted when this is closed; its reason is a ConnectionError. */
  get closed(): AbortSignal {
    return this.#closing.signal
  }

  /**
   * The connection to `address`, in `lane` ('' is the one that is shared), opened where there is none;
   * rejects with ConnectionError at `deadlineMs` (monotonic) at the latest.
   */
  async open(address: Address, lane: string, deadlineMs: number): Promise<Connection> {
    this.#closing.signal.throwIfAborted()
    const key = `${lane} ${address.host} ${address.port}`
    const known = this.#entries.get(key)
    if (known?.open !== undefined && known.open.failure === undefined) return known.open
    const isOpening = known !== undefined && known.open === undefined
    const { opening } = isOpening ? known : this.#begin(key, address, lane)
    return await this.#until(opening, address, deadlineMs)
  }

  /** One that is open, in no lane. */
  get any(): Connection | undefined {
    for (const { open, lane } of this.#entries.values()) {
      if (lane === '' && open !== undefined && open.failure === undefined) return open
    }
    return undefined
  }

  /** Closes those of a lane: who had it is gone. Requests in it reject. */
  closeLane(lane: string): void {
    for (const [key, entry] of this.#entries) if (entry.lane === lane) this.#drop(key, entry)
  }

  /** Brokers are at these addresses alone: others are closed, unless something is under way there. */
  keep(addresses: readonly Address[]): void {
    for (const [key, entry] of this.#entries) {
      if (entry.open === undefined || entry.open.requestsInFlight > 0) continue
      const { host, port } = entry.address
      if (addresses.some(each => each.host === host && each.port === port)) continue
      this.#drop(key, entry)
    }
  }

  /** Requests under way and waits for a connection reject at once. Idempotent. */
  close(): void {
    if (this.isClosed) return
    this.#closing.abort(
      new ConnectionError('CLOSED', 'this client was closed', { retriable: false }),
    )
    for (const [key, entry] of this.#entries) this.#drop(key, entry)
  }

  #begin(key: string, address: Address, lane: string): Entry {
    const opening = this.#openNow(address, lane)
    const entry: Entry = { address, lane, opening }
    this.#entries.set(key, entry)
    opening.then(
      connection => {
        entry.open = connection
      },
      () => {
        if (this.#entries.get(key) === entry) this.#entries.delete(key)
      },
    )
    return entry
  }

  async #openNow(address: Address, lane: string): Promise<Connection> {
    const { clientId, connectTimeoutMs, watcher } = this.#options
    const startMs = this.#io.clock.monotonicMs()
    const connection = await Connection.open(this.#io, {
      ...address,
      clientId,
      deadlineMs: startMs + connectTimeoutMs,
      ...this.#options.frames?.(lane),
      watch: watcher?.(address, lane),
    })
    if (this.isClosed) connection.close()
    return connection
  }

  /** Others may wait longer for the same. */
  async #until(
    opening: Promise<Connection>,
    { host, port }: Address,
    deadlineMs: number,
  ): Promise<Connection> {
    const { promise, reject } = Promise.withResolvers<never>()
    const waitMs = Math.max(0, deadlineMs - this.#io.clock.monotonicMs())
    const timer = this.#io.clock.timer(waitMs, () =>
      reject(new ConnectionError('TIMED_OUT', `no connection to ${host}:${port} in time`)),
    )
    try {
      return await abortable(Promise.race([opening, promise]), this.#closing.signal)
    } finally {
      timer.cancel()
    }
  }

  #drop(key: string, { opening }: Entry): void {
    this.#entries.delete(key)
    opening.then(
      connection => connection.close(),
      () => {},
    )
  }
}
