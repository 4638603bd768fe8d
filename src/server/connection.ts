/**
 * Hop 1: one connection. Cuts frames, starts requests in order, writes answers in order.
 *
 * A request is started when the one before has returned its promise, so whatever fixes the order of
 * two appends has happened by then. Only answers of pipelined APIs (Produce) are waited for
 * together; after any other request nothing is started until it is answered, so that a client
 * holds at most one large answer.
 *
 * A socket is not read while a frame waits to be started: too much is in flight here, or in all
 * connections together (memory.ts), or the client does not read its answers.
 */
import type { Clock, Socket, SocketHandlers, Timer } from '../io/io.ts'
import { anonymous } from '../security/principal.ts'
import { CloseConnection, type ConnectionFacts } from './context.ts'
import { type FrameBuffers, FrameReader } from './frame-reader.ts'
import type { Holder, Memory } from './memory.ts'

/** What a connection needs of the server. */
export interface ConnectionHost {
  readonly clock: Clock
  readonly memory: Memory
  readonly frameBuffers: FrameBuffers
  isPipelined(frame: Uint8Array): boolean
  /** A frame of a pipelined request is valid until this returns its promise; others are kept. */
  dispatch(frame: Uint8Array, connection: ConnectionFacts): Promise<Answer | undefined>
  /** The connection was closed by us, because of `error`. */
  broken(connection: ConnectionFacts, error: unknown): void
  closed(connection: Connection): void
}

/** What goes back for a request. */
export interface Answer {
  readonly chunks: readonly Uint8Array[]
  /** Called once when nobody reads the chunks any more. */
  readonly sent?: (() => void) | undefined
}

export interface ConnectionLimits {
  readonly requestMaxBytes: number
  /** −1: never closed for being idle. */
  readonly maxIdleMs: number
}

/** Requests whose answers are outstanding on one connection, and their bytes. */
const maxInFlight = 1000
const maxInFlightBytes = 16 * 1024 * 1024

/** How long a client may take to read the last answers of a connection that ends. */
const lingerMs = 5000

/** One request that has been started; answers are written in this order. */
interface InFlight {
  readonly bytes: number
  isSettled: boolean
  answer: Answer | undefined
  /** Set: close instead of answering. */
  error: unknown
}

export class Connection implements SocketHandlers, Holder {
  readonly facts: ConnectionFacts
  readonly #host: ConnectionHost
  readonly #socket: Socket
  readonly #limits: ConnectionLimits
  readonly #reader: FrameReader
  readonly #hurry = new AbortController()
  /** Complete frames that wait to be started. */
  readonly #frames: Uint8Array[] = []
  readonly #inFlight: InFlight[] = []
  #waitingBytes = 0
  #inFlightBytes = 0
  /** Nothing is started before the last request in flight is answered. */
  #isHeld = false
  /** Written and not yet sent, as `Memory` knows it. */
  #unsentBytes = 0
  /** Received and not yet answered, as `Memory` knows it. */
  #receivedBytes = 0
  /** The socket takes no more until `drain`. */
  #isBlocked = false
  #isPaused = false
  #isFlushQueued = false
  /** What came after the last frame was no frame. */
  #failure: unknown
  #state: 'open' | 'stopping' | 'ending' | 'closed' = 'open'
  #activeMs: number
  #idleTimer: Timer | undefined
  #lingerTimer: Timer | undefined

  /** Accepted by `origin.listener`. */
  constructor(
    host: ConnectionHost,
    socket: Socket,
    origin: Pick<ConnectionFacts, 'id' | 'listener'>,
    limits: ConnectionLimits,
  ) {
    const { localAddress, localPort, remoteAddress, remotePort } = socket
    this.facts = {
      ...origin,
      localAddress,
      localPort,
      remoteAddress,
      remotePort,
      principal: anonymous,
      hurry: this.#hurry.signal,
    }
    this.#host = host
    this.#socket = socket
    this.#limits = limits
    this.#reader = new FrameReader(limits.requestMaxBytes, host.frameBuffers)
    this.#activeMs = host.clock.monotonicMs()
    host.memory.add(this)
    this.#watchIdle()
  }

  get heldByClient(): number {
    return this.#reader.unfinishedBytes + this.#unsentBytes
  }

  data(chunk: Uint8Array): void {
    if (this.#state !== 'open') return
    this.#activeMs = this.#host.clock.monotonicMs()
    this.#receivedBytes += chunk.length
    this.#host.memory.take(chunk.length)
    try {
      for (const frame of this.#reader.push(chunk)) this.#receive(frame)
    } catch (error) {
      // What came whole before it is answered first.
      this.#state = 'stopping'
      this.#failure = error
    }
    this.#pump()
    this.#endWhenDone()
  }

  drain(): void {
    this.#activeMs = this.#host.clock.monotonicMs()
    this.#isBlocked = false
    this.#countSent()
    this.#pump()
  }

  close(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#idleTimer?.cancel()
    this.#lingerTimer?.cancel()
    this.#hurry.abort()
    this.#host.memory.remove(this)
    this.#host.memory.give(this.#receivedBytes + this.#unsentBytes)
    this.#receivedBytes = 0
    this.#unsentBytes = 0
    this.#frames.length = 0
    this.#reader.drop()
    this.#host.closed(this)
  }

  resume(): void {
    this.#pump()
  }

  shed(): void {
    if (this.#state === 'ending') return
    this.#break(new CloseConnection('it holds most of the memory for requests and answers'))
    this.#socket.destroy()
  }

  /** Answers what came whole, then closes. Nobody waits for more data from now on. */
  stop(): void {
    if (this.#state !== 'open') return
    this.#state = 'stopping'
    this.#hurry.abort()
    this.#pump()
    this.#endWhenDone()
  }

  /** Closes now. */
  destroy(): void {
    this.#socket.destroy()
  }

  /** What has to wait, or may be kept, is copied. */
  #receive(frame: Uint8Array): void {
    const isNext = this.#frames.length === 0 && this.#mayStart()
    if (isNext && this.#host.isPipelined(frame)) this.#start(frame)
    else {
      this.#frames.push(new Uint8Array(frame))
      this.#waitingBytes += frame.length
    }
  }

  /** Starts what may be started; the socket is read only when nothing is left waiting. */
  #pump(): void {
    const { memory } = this.#host
    while (this.#frames.length > 0 && this.#mayStart()) {
      const frame = this.#frames.shift()!
      this.#waitingBytes -= frame.length
      this.#start(frame)
    }
    if (this.#state !== 'open') return
    const { isFull } = memory
    if (isFull) memory.wait(this)
    this.#setPaused(isFull || this.#frames.length > 0 || this.#isBlocked)
  }

  #mayStart(): boolean {
    const isWelcome = this.#state === 'open' || this.#state === 'stopping'
    const isRoom = this.#inFlight.length < maxInFlight && this.#inFlightBytes < maxInFlightBytes
    return isWelcome && isRoom && !this.#isHeld && !this.#isBlocked
  }

  #start(frame: Uint8Array): void {
    const request: InFlight = {
      bytes: frame.length,
      isSettled: false,
      answer: undefined,
      error: undefined,
    }
    this.#inFlight.push(request)
    this.#inFlightBytes += request.bytes
    this.#isHeld = !this.#host.isPipelined(frame)
    this.#host.dispatch(frame, this.facts).then(
      answer => this.#settle(request, answer, undefined),
      error => this.#settle(request, undefined, error),
    )
  }

  #settle(request: InFlight, answer: Answer | undefined, error: unknown): void {
    request.isSettled = true
    request.answer = answer
    request.error = error
    this.#inFlightBytes -= request.bytes
    if (this.#state === 'closed') answer?.sent?.()
    if (this.#isFlushQueued) return
    // One write acknowledges many requests at once: their answers leave in one write too.
    this.#isFlushQueued = true
    queueMicrotask(() => {
      this.#isFlushQueued = false
      if (this.#state === 'ending' || this.#state === 'closed') return
      this.#flush()
      this.#pump()
      this.#endWhenDone()
    })
  }

  /** Writes the answers that are next in order. */
  #flush(): void {
    const answers: Answer[] = []
    let failure: unknown
    while (failure === undefined && this.#inFlight[0]?.isSettled) {
      const { answer, error } = this.#inFlight.shift()!
      failure = error
      if (answer !== undefined) answers.push(answer)
    }
    if (answers.length > 0) this.#write(answers)
    if (failure !== undefined) {
      this.#break(failure)
      return
    }
    if (this.#inFlight.length === 0) this.#isHeld = false
    this.#countReceived()
  }

  #write(answers: readonly Answer[]): void {
    const chunks = answers.flatMap(answer => answer.chunks)
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    this.#activeMs = this.#host.clock.monotonicMs()
    this.#unsentBytes += bytes
    this.#host.memory.take(bytes)
    if (!this.#socket.write(chunks, allSent(answers))) this.#isBlocked = true
    this.#countSent()
  }

  /** Gives back what the socket has sent since. */
  #countSent(): void {
    const sent = this.#unsentBytes - this.#socket.bufferedBytes
    if (sent <= 0) return
    this.#unsentBytes -= sent
    this.#host.memory.give(sent)
  }

  /** Gives back the requests that are answered: what remains is unfinished, waiting or in flight. */
  #countReceived(): void {
    const held = this.#reader.unfinishedBytes + this.#waitingBytes + this.#inFlightBytes
    const answered = this.#receivedBytes - held
    if (answered <= 0) return
    this.#receivedBytes -= answered
    this.#host.memory.give(answered)
  }

  #setPaused(isPaused: boolean): void {
    if (isPaused === this.#isPaused) return
    this.#isPaused = isPaused
    if (isPaused) this.#socket.pause()
    else this.#socket.resume()
  }

  #endWhenDone(): void {
    if (this.#state !== 'stopping') return
    if (this.#frames.length > 0 || this.#inFlight.length > 0) return
    if (this.#failure !== undefined) this.#break(this.#failure)
    else this.#end()
  }

  #break(error: unknown): void {
    if (this.#state === 'closed' || this.#state === 'ending') return
    this.#host.broken(this.facts, error)
    this.#end()
  }

  /** Sends what is buffered, then closes; a client that does not read it is cut off. */
  #end(): void {
    this.#state = 'ending'
    this.#hurry.abort()
    this.#frames.length = 0
    this.#lingerTimer = this.#host.clock.timer(lingerMs, () => this.#socket.destroy())
    this.#socket.end()
    // The client's end is only seen by reading; what comes before it is ignored.
    this.#setPaused(false)
  }

  /** As in Kafka also while a request waits: a paused socket does not tell that its client is gone. */
  #watchIdle(): void {
    const { maxIdleMs } = this.#limits
    if (maxIdleMs < 0) return
    const { clock } = this.#host
    const check = () => {
      const leftMs = this.#activeMs + maxIdleMs - clock.monotonicMs()
      if (leftMs > 0) this.#idleTimer = clock.timer(leftMs, check)
      else this.#socket.destroy()
    }
    this.#idleTimer = clock.timer(maxIdleMs, check)
  }
}

function allSent(answers: readonly Answer[]): (() => void) | undefined {
  const those = answers.flatMap(({ sent }) => sent ?? [])
  if (those.length === 0) return undefined
  return () => {
    for (const sent of those) sent()
  }
}
