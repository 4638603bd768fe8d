/** The listeners of a broker and the connections they accepted. */
import type { Listener as OpenListener, Socket, SocketHandlers } from '../io/io.ts'
import { DecodeError } from '../protocol/reader.ts'
import { apis } from './apis.ts'
import { Connection, type ConnectionHost } from './connection.ts'
import { CloseConnection, type ConnectionFacts, type Domain } from './context.ts'
import { Dispatcher } from './dispatch.ts'
import { FetchSessions } from './fetch-sessions.ts'
import { FrameBuffers } from './frame-reader.ts'
import { Memory } from './memory.ts'

/** Where a listener is bound. */
export interface BoundListener {
  readonly name: string
  readonly host: string
  readonly port: number
}

/** At most one line about broken connections in this time: anyone can break one. */
const reportEveryMs = 1000

const ignoring: SocketHandlers = { data: () => {}, drain: () => {}, close: () => {} }

export class Server {
  readonly #domain: Domain
  readonly #dispatcher: Dispatcher
  readonly #host: ConnectionHost
  readonly #connections = new Set<Connection>()
  readonly #perAddress = new Map<string, number>()
  #listeners: OpenListener[] = []
  #lastId = 0
  #onEmpty: (() => void) | undefined
  #isServing = false
  /** Accepted before `serve`, and not read until then. */
  #early: Socket[] = []
  #isStopping = false
  #reportedMs = -Infinity
  #unreported = 0

  constructor(domain: Domain) {
    this.#domain = domain
    const { io } = domain
    const config = domain.config()
    const memory = new Memory(config.queuedMaxBytes)
    const sessions = new FetchSessions(io.random, config.fetchSessionSlots)
    this.#dispatcher = new Dispatcher(apis, domain, { sessions, memory })
    this.#host = {
      clock: io.clock,
      memory,
      frameBuffers: new FrameBuffers(),
      isPipelined: frame => this.#dispatcher.isPipelined(frame),
      dispatch: (frame, connection) => this.#dispatcher.dispatch(frame, connection),
      broken: (connection, error) => this.#broken(connection, error),
      closed: connection => this.#closed(connection),
    }
  }

  /** Requests without a socket: for tests, and for the broker's own. */
  get dispatcher(): Dispatcher {
    return this.#dispatcher
  }

  /** Open now. */
  get connectionCount(): number {
    return this.#connections.size
  }

  /** Opens all listeners and serves. Throws as `bind` does. */
  async start(): Promise<BoundListener[]> {
    const bound = await this.bind()
    this.serve()
    return bound
  }

  /**
   * Opens all listeners, in the order of `listeners`; who connects waits until `serve`. When one
   * cannot be opened, those before it are closed again and the error is thrown (EADDRINUSE, EACCES,
   * EADDRNOTAVAIL). A broker has its ports, and can register them, before it is ready to answer.
   */
  async bind(): Promise<BoundListener[]> {
    const { listeners, listenBacklog: backlog } = this.#domain.config()
    const bound: BoundListener[] = []
    try {
      for (const { name, host, port } of listeners) {
        const listener = await this.#domain.io.network.listen({ host, port, backlog }, socket =>
          this.#accept(socket, name),
        )
        this.#listeners.push(listener)
        bound.push({ name, host: listener.host, port: listener.port })
      }
    } catch (error) {
      await this.#closeListeners()
      throw error
    }
    return bound
  }

  /** Reads the requests of those who connected, from now on at once. */
  serve(): void {
    this.#isServing = true
    for (const socket of this.#early.splice(0)) socket.resume()
  }

  /**
   * Accepts nothing more, answers what came whole, and closes; whoever is not done at the monotonic
   * `deadlineMs` is cut off.
   */
  async stop(deadlineMs: number): Promise<void> {
    this.#isStopping = true
    await this.#closeListeners()
    for (const connection of this.#connections) connection.stop()
    if (this.#connections.size === 0) return
    const { clock } = this.#domain.io
    await new Promise<void>(resolve => {
      const timer = clock.timer(Math.max(0, deadlineMs - clock.monotonicMs()), () => {
        for (const connection of this.#connections) connection.destroy()
        resolve()
      })
      this.#onEmpty = () => {
        timer.cancel()
        resolve()
      }
    })
  }

  async #closeListeners(): Promise<void> {
    await Promise.all(this.#listeners.map(listener => listener.close()))
    this.#listeners = []
  }

  #accept(socket: Socket, listener: string): SocketHandlers {
    const { remoteAddress } = socket
    const config = this.#domain.config()
    const fromThere = this.#perAddress.get(remoteAddress) ?? 0
    const most =
      config.maxConnectionsPerIpOverrides.get(remoteAddress) ?? config.maxConnectionsPerIp
    const isTooMany = this.#connections.size >= config.maxConnections || fromThere >= most
    if (isTooMany || this.#isStopping) {
      if (isTooMany) this.#report({ remoteAddress }, 'a connection beyond the limits was closed')
      socket.destroy()
      return ignoring
    }
    this.#perAddress.set(remoteAddress, fromThere + 1)
    const connection = new Connection(
      this.#host,
      socket,
      { id: ++this.#lastId, listener },
      {
        requestMaxBytes: config.requestMaxBytes,
        maxIdleMs: config.connectionsMaxIdleMs,
      },
    )
    this.#connections.add(connection)
    if (!this.#isServing) {
      socket.pause()
      this.#early.push(socket)
    }
    return connection
  }

  #closed(connection: Connection): void {
    if (!this.#connections.delete(connection)) return
    const { remoteAddress, id } = connection.facts
    this.#domain.groups.disconnected(id)
    const left = this.#perAddress.get(remoteAddress)! - 1
    if (left > 0) this.#perAddress.set(remoteAddress, left)
    else this.#perAddress.delete(remoteAddress)
    if (this.#connections.size === 0) this.#onEmpty?.()
  }

  #broken({ remoteAddress, remotePort }: ConnectionFacts, error: unknown): void {
    if (error instanceof DecodeError || error instanceof CloseConnection) {
      this.#report({ remoteAddress, remotePort, reason: error.message }, 'a connection was closed')
      return
    }
    const stack = error instanceof Error ? error.stack : String(error)
    this.#report({ remoteAddress, remotePort, stack }, 'a connection was closed unexpectedly')
  }

  #report(fields: Record<string, unknown>, message: string): void {
    const nowMs = this.#domain.io.clock.monotonicMs()
    if (nowMs - this.#reportedMs < reportEveryMs) {
      this.#unreported++
      return
    }
    const more = this.#unreported > 0 ? { unreported: this.#unreported } : {}
    this.#domain.io.report.warn({ ...fields, ...more }, message)
    this.#reportedMs = nowMs
    this.#unreported = 0
  }
}
