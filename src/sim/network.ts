/**
 * The network of a simulated world: byte streams between machines, found by name and port.
 *
 * A stream is two pipes. A pipe takes what the sender writes, as far as the window lets it; the rest
 * is buffered. Bytes travel in order with a random delay and may be cut anywhere; what is on its
 * way arrives even when the sender has given up by then, and waits for a reader that is paused.
 */

import {
  type Listener,
  type Network,
  NetworkError,
  type Socket,
  type SocketHandlers,
} from '../io/io.ts'
import type { EventQueue } from './events.ts'
import type { Execution } from './execution.ts'
import type { Prng } from './random.ts'

/** Bytes of a pipe that the kernels hold: sent and not yet read. */
const windowBytes = 256 * 1024

/** Above this many unsent bytes `write` asks to wait for `drain`. */
const highWaterBytes = 64 * 1024

/** A process as the network needs it: its machine, and that it may be paused or dead. */
export interface Endpoint {
  readonly host: string
  readonly address: string
  readonly execution: Execution
}

type Accept = (socket: Socket) => SocketHandlers

interface Port {
  readonly owner: Endpoint
  readonly accept: Accept
}

/** The network, as the test sees it. */
export class SimulatedNetwork {
  /** Bounds of the time that bytes, ends and connects travel one way. */
  delayMs = { min: 0.05, max: 1 }
  /** The same from one machine to another, by `from to`, where it differs. */
  readonly delayOf = new Map<string, { min: number; max: number }>()
  /** How often a delivery is cut at a random byte. */
  splitChance = 0.1
  readonly #events: EventQueue
  readonly #random: Prng
  readonly #ports = new Map<string, Port>()
  readonly #addresses = new Map<string, string>()
  readonly #down = new Set<string>()
  readonly #cuts = new Set<string>()
  readonly #streams = new Set<SimulatedSocket>()
  #nextPort = 40_000

  constructor(events: EventQueue, random: Prng) {
    this.#events = events
    this.#random = random
  }

  /** The network as one process has it. */
  attach(process: Endpoint): Network {
    this.#addresses.set(process.host, process.host)
    this.#addresses.set(process.address, process.host)
    return {
      listen: (options, accept) => this.#listen(process, options, accept),
      connect: (options, attach) => this.#connect(process, options, attach),
    }
  }

  /** The process died: its ports are free; its peers see a reset, or nothing when the machine died. */
  detach(process: Endpoint, machineDied: boolean): void {
    for (const [key, port] of this.#ports) if (port.owner === process) this.#ports.delete(key)
    if (machineDied) this.#down.add(process.host)
    for (const socket of this.#streams) {
      if (socket.owner === process) socket.abandon(!machineDied)
    }
  }

  /** The machine is up: what its dead processes were connected to notices. */
  booted(host: string): void {
    if (!this.#down.delete(host)) return
    for (const socket of this.#streams) {
      if (!socket.owner.execution.alive && socket.owner.host === host) socket.disown()
    }
  }

  /** The process goes on after a pause: what its sockets took meanwhile is read. */
  resumed(process: Endpoint): void {
    for (const socket of this.#streams) if (socket.owner === process) socket.goOn()
  }

  /** Nothing gets from `from` to `to` until `heal`; it waits, as with TCP. */
  cut(from: string, to: string): void {
    this.#cuts.add(`${from} ${to}`)
  }

  /** Undoes one cut. */
  join(from: string, to: string): void {
    this.#cuts.delete(`${from} ${to}`)
    for (const socket of this.#streams) socket.carry()
  }

  /** Undoes all cuts. */
  heal(): void {
    this.#cuts.clear()
    for (const socket of this.#streams) socket.carry()
  }

  /** Resets every connection that `host` has part in, or those with one other machine. */
  reset(host: string, other?: string): void {
    for (const socket of this.#streams) {
      if (socket.owner.host !== host) continue
      if (other === undefined || socket.peerHost === other) socket.reset()
    }
  }

  /** The most that a socket holds which its peer's machine did not take yet. */
  get mostBufferedBytes(): number {
    return [...this.#streams].reduce((most, { bufferedBytes }) => Math.max(most, bufferedBytes), 0)
  }

  /** Nothing passes from `from` to `to` now. */
  isCut(from: string, to: string): boolean {
    return this.#down.has(from) || this.#down.has(to) || this.#cuts.has(`${from} ${to}`)
  }

  /** When something sent now arrives. */
  arrivalMs(from: string, to: string): number {
    const { min, max } = this.delayOf.get(`${from} ${to}`) ?? this.delayMs
    return this.#events.nowMs + this.#random.between(min, max)
  }

  at(atMs: number, kind: string, run: () => void): void {
    this.#events.schedule(atMs - this.#events.nowMs, kind, run)
  }

  /** Lets something arrive after one way of the network. */
  later(kind: string, from: string, to: string, run: () => void): void {
    this.at(this.arrivalMs(from, to), kind, run)
  }

  /** Lets something local happen in an event of its own. */
  soon(kind: string, run: () => void): void {
    this.#events.schedule(0, kind, run)
  }

  /** How many of `available` bytes arrive together. */
  deliverable(available: number): number {
    if (available < 2 || !this.#random.chance(this.splitChance)) return available
    return 1 + this.#random.below(available - 1)
  }

  note(value: number): void {
    this.#events.note(value)
  }

  forget(socket: SimulatedSocket): void {
    this.#streams.delete(socket)
  }

  async #listen(
    owner: Endpoint,
    { host, port }: { host: string; port: number },
    accept: Accept,
  ): Promise<Listener> {
    if (!owner.execution.alive) return new Promise(() => {})
    const what = `cannot listen on ${host}:${port}`
    if (!this.#isOwn(owner, host)) throw new NetworkError('EADDRNOTAVAIL', what)
    const bound = port === 0 ? this.#freePort(owner.host) : port
    const key = `${owner.host}:${bound}`
    if (this.#ports.has(key)) throw new NetworkError('EADDRINUSE', what)
    const entry = { owner, accept }
    this.#ports.set(key, entry)
    return {
      host,
      port: bound,
      close: async () => {
        if (this.#ports.get(key) === entry) this.#ports.delete(key)
      },
    }
  }

  #connect(
    owner: Endpoint,
    { host, port, timeoutMs }: { host: string; port: number; timeoutMs: number },
    attach: Accept,
  ): Promise<Socket> {
    const target = isLoopback(host) ? owner.host : this.#addresses.get(host)
    const what = `cannot connect to ${host}:${port}`
    return new Promise((resolve, reject) => {
      if (!owner.execution.alive) return
      const timeout = this.#events.schedule(timeoutMs, 'connect timeout', () =>
        owner.execution.deliver(() =>
          reject(new NetworkError('ETIMEDOUT', `${what} within ${timeoutMs} ms`)),
        ),
      )
      const answer = (act: () => void) =>
        this.later('connect answer', target ?? owner.host, owner.host, () => {
          if (timeout.cancelled || this.#events.nowMs >= timeout.atMs) return
          timeout.cancelled = true
          owner.execution.deliver(act)
        })
      const refuse = (code: string) =>
        answer(() => reject(new NetworkError(code, `${what}: ${code}`)))
      if (target === undefined) return refuse('ENOTFOUND')
      this.later('connect', owner.host, target, () => {
        if (this.isCut(owner.host, target) || this.isCut(target, owner.host)) return
        const listening = this.#ports.get(`${target}:${port}`)
        if (listening === undefined) return refuse('ECONNREFUSED')
        answer(() => resolve(this.#open(owner, attach, listening, port)))
      })
    })
  }

  #open(client: Endpoint, attach: Accept, { owner, accept }: Port, port: number): Socket {
    const clientPort = this.#freePort(client.host)
    const near = new SimulatedSocket(this, client, clientPort, owner, port)
    const far = new SimulatedSocket(this, owner, port, client, clientPort)
    near.join(far)
    for (const socket of [near, far]) this.#streams.add(socket)
    if (owner.execution.alive) {
      this.later('accept', client.host, owner.host, () =>
        owner.execution.deliver(() => far.attach(accept(far))),
      )
    } else {
      far.abandon(true)
    }
    near.attach(attach(near))
    return near
  }

  #isOwn(owner: Endpoint, host: string): boolean {
    const every = host === '' || host === '0.0.0.0' || host === '::'
    return every || isLoopback(host) || host === owner.host || host === owner.address
  }

  #freePort(host: string): number {
    while (this.#ports.has(`${host}:${this.#nextPort}`)) this.#nextPort++
    return this.#nextPort++
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '127.0.0.1' || host === '::1'
}

/** What a pipe carries: bytes, the sender's end, or a reset. */
interface Cargo {
  readonly what: 'bytes' | 'end' | 'reset'
  bytes: Uint8Array
  readonly atMs: number
}

const nothing = new Uint8Array(0)

/** One end of a stream, and the pipe that leads away from it. */
class SimulatedSocket implements Socket {
  readonly owner: Endpoint
  readonly localAddress: string
  readonly localPort: number
  readonly remoteAddress: string
  readonly remotePort: number
  readonly #network: SimulatedNetwork
  #peer: SimulatedSocket = this
  #handlers: SocketHandlers | undefined
  /** Written and not yet sent. */
  #outgoing: Uint8Array[] = []
  #buffered = 0
  /** Of all that was written, and who is told when so much is sent. */
  #sentBytes = 0
  readonly #sents: { readonly at: number; readonly sent: () => void }[] = []
  /** Sent and on its way, in order. */
  #transit: Cargo[] = []
  #carrying = false
  /** Arrived and not yet read by the owner. */
  #incoming: Uint8Array[] = []
  /** Bytes on the way to here or not yet read: they fill the window. */
  #unread = 0
  #reading = false
  #paused = false
  #wantsDrain = false
  #ending = false
  #sentEnd = false
  #receivedEnd = false
  #closed = false

  constructor(
    network: SimulatedNetwork,
    owner: Endpoint,
    localPort: number,
    remote: Endpoint,
    remotePort: number,
  ) {
    this.#network = network
    this.owner = owner
    this.localAddress = owner.address
    this.localPort = localPort
    this.remoteAddress = remote.address
    this.remotePort = remotePort
  }

  join(peer: SimulatedSocket): void {
    this.#peer = peer
    peer.#peer = this
  }

  attach(handlers: SocketHandlers): void {
    this.#handlers = handlers
    this.#readSoon()
  }

  /** The owner was paused and is not any more. */
  goOn(): void {
    this.#readSoon()
  }

  get peerHost(): string {
    return this.#peer.owner.host
  }

  get bufferedBytes(): number {
    return this.#buffered
  }

  write(chunks: readonly Uint8Array[], sent?: () => void): boolean {
    if (this.#ending || this.#closed || !this.owner.execution.alive) {
      sent?.()
      return false
    }
    for (const chunk of chunks) {
      if (chunk.length === 0) continue
      this.#outgoing.push(chunk)
      this.#buffered += chunk.length
    }
    if (sent !== undefined) this.#sents.push({ at: this.#sentBytes + this.#buffered, sent })
    this.#flush()
    this.#wantsDrain ||= this.#buffered > highWaterBytes
    return !this.#wantsDrain
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#readSoon()
  }

  end(): void {
    if (this.#closed || !this.owner.execution.alive) return
    this.#ending = true
    this.#flush()
  }

  destroy(): void {
    if (this.#closed) return
    this.#leave()
    this.#network.soon('socket close', () => this.#notifyClose(undefined))
  }

  /** The connection breaks on both sides. */
  reset(): void {
    for (const side of [this, this.#peer]) side.#peer.#resetPeer()
  }

  /** The owner is dead; `noticed`: its machine lives and ends the connection for it. */
  abandon(noticed: boolean): void {
    if (noticed) {
      this.#leave()
      this.#network.forget(this)
    } else {
      this.#drop()
      this.#transit = []
    }
  }

  /** The machine of the dead owner is up again and answers for it. */
  disown(): void {
    this.#network.forget(this)
    this.#resetPeer()
  }

  /** Lets the first thing on the way arrive when its time comes. */
  carry(): void {
    const cargo = this.#transit[0]
    if (this.#carrying || cargo === undefined || this.#isCut) return
    this.#carrying = true
    this.#network.at(cargo.atMs, 'socket arrive', () => {
      this.#carrying = false
      if (this.#transit[0] !== cargo || this.#isCut) return
      if (cargo.what === 'bytes') this.#deliver(cargo)
      else this.#transit.shift()
      this.carry()
      if (cargo.what === 'reset') this.#peer.#fail()
      if (cargo.what === 'end') this.#peer.#onEnd()
    })
  }

  #resetPeer(): void {
    const [from, to] = [this.owner.host, this.peerHost]
    this.#network.later('socket reset', from, to, () => this.#peer.#fail())
  }

  get #ownerRuns(): boolean {
    const { alive, isPaused } = this.owner.execution
    return alive && !isPaused
  }

  get #isCut(): boolean {
    return this.#network.isCut(this.owner.host, this.peerHost)
  }

  /** Sends what the window lets through, then the end. */
  #flush(): void {
    const room = windowBytes - this.#peer.#unread
    // As TCP: a window that opened by a few bytes is not worth a packet.
    if (this.#buffered > 0 && room >= Math.min(this.#buffered, windowBytes / 4)) {
      this.#send('bytes', this.#take(room))
    }
    if (this.#buffered > 0) return
    if (this.#wantsDrain) {
      this.#wantsDrain = false
      this.#network.soon('socket drain', () => {
        this.owner.execution.deliver(() => {
          if (!this.#closed) this.#handlers?.drain()
        })
      })
    }
    if (this.#ending && !this.#sentEnd) {
      this.#sentEnd = true
      this.#send('end')
      if (this.#receivedEnd) this.#finish()
    }
  }

  #send(what: Cargo['what'], bytes: Uint8Array = nothing): void {
    const arrivalMs = this.#network.arrivalMs(this.owner.host, this.peerHost)
    const atMs = Math.max(arrivalMs, this.#transit.at(-1)?.atMs ?? 0)
    this.#transit.push({ what, bytes, atMs })
    this.#peer.#unread += bytes.length
    this.carry()
  }

  /** A copy of the first bytes that are not sent, at most `room`. */
  #take(room: number): Uint8Array {
    const taken = new Uint8Array(Math.min(room, this.#buffered))
    let filled = 0
    let whole = 0
    for (const chunk of this.#outgoing) {
      const part = chunk.subarray(0, taken.length - filled)
      taken.set(part, filled)
      filled += part.length
      if (part.length < chunk.length) {
        this.#outgoing[whole] = chunk.subarray(part.length)
        break
      }
      whole++
    }
    this.#outgoing.splice(0, whole)
    this.#buffered -= taken.length
    this.#sentBytes += taken.length
    this.#tellSent(this.#sentBytes)
    return taken
  }

  #tellSent(upTo: number): void {
    while ((this.#sents[0]?.at ?? Number.POSITIVE_INFINITY) <= upTo) this.#sents.shift()!.sent()
  }

  /** Hands over all of the bytes, or a first part of them. */
  #deliver(cargo: Cargo): void {
    const part = cargo.bytes.subarray(0, this.#network.deliverable(cargo.bytes.length))
    cargo.bytes = cargo.bytes.subarray(part.length)
    if (cargo.bytes.length === 0) this.#transit.shift()
    this.#network.note(part.length)
    this.#network.note(part[0]! | (part.at(-1)! << 8))
    this.#peer.#receive(part)
  }

  #receive(bytes: Uint8Array): void {
    if (this.#closed) {
      this.#resetPeer()
      return
    }
    this.#incoming.push(bytes)
    if (!this.#reading) this.#read()
  }

  /** The peer sends no more; it is seen after the bytes before it. */
  #onEnd(): void {
    this.#receivedEnd = true
    if (!this.#reading) this.#read()
  }

  #readSoon(): void {
    if (this.#reading || this.#closed) return
    if (this.#incoming.length === 0 && !this.#receivedEnd) return
    this.#reading = true
    this.#network.soon('socket read', () => {
      this.#reading = false
      this.#read()
    })
  }

  /** Hands one piece to the owner; the next one comes in an event of its own. */
  #read(): void {
    if (this.#paused || this.#closed || this.#handlers === undefined || !this.#ownerRuns) return
    const bytes = this.#incoming.shift()
    if (bytes === undefined) {
      if (!this.#receivedEnd) return
      if (this.#sentEnd) this.#finish()
      else this.end()
      return
    }
    this.#unread -= bytes.length
    this.#peer.#flush()
    const handlers = this.#handlers
    this.owner.execution.deliver(() => {
      handlers.data(bytes)
      // Who kept some of it without a copy shall notice.
      bytes.fill(0xdb)
    })
    this.#readSoon()
  }

  /** Goes without waiting; as in TCP, unread bytes turn the end into a reset. */
  #leave(): void {
    const what = this.#incoming.length > 0 ? 'reset' : 'end'
    const ended = this.#sentEnd
    this.#drop()
    if (what === 'reset' || !ended) this.#send(what)
  }

  #finish(): void {
    if (this.#closed || this.#incoming.length > 0) return
    this.#drop()
    this.#network.soon('socket close', () => this.#notifyClose(undefined))
  }

  #fail(): void {
    if (this.#closed) return
    this.#drop()
    this.#notifyClose(new NetworkError('ECONNRESET', 'connection reset by peer'))
  }

  #drop(): void {
    this.#closed = this.#ending = this.#sentEnd = true
    this.#outgoing = []
    this.#incoming = []
    this.#buffered = this.#unread = 0
    this.#wantsDrain = false
    this.#tellSent(Number.MAX_SAFE_INTEGER)
  }

  #notifyClose(error: Error | undefined): void {
    this.#network.forget(this)
    this.owner.execution.deliver(() => this.#handlers?.close(error))
  }
}
