/**
 * Fast fencing: a broker whose process is gone is fenced at once, not when its lease runs out
 * (replication.md §5.6).
 *
 * The controller keeps a connection, on which nothing is said, to every broker; every other broker
 * keeps one to the controller. When it closes and the port refuses a new one, no process is there any
 * more, and the lease named in the registration that was watched is revoked: once refused is enough for
 * the controller, another broker asks the port of the controller twice. A broker that started again
 * has another lease, so it is not touched. What is paused, cut off or out of reach does not refuse:
 * that goes by its lease. And a port that never answered says nothing; perhaps it cannot be reached
 * from here at all. So each broker connects to each registration once, for a moment: whoever becomes
 * the controller when it and others die together knows whose ports are to answer.
 *
 * This is a hint and never a safety argument: a registration revoked by mistake costs its broker a
 * moment, until it has registered again.
 */
import { type Io, NetworkError, type SocketHandlers } from '../io/io.ts'
import type { Image } from './image.ts'

export interface FastFencingOptions {
  readonly brokerId: number
  readonly image: Image
  /** Where a broker listens for others; undefined: it does not say. */
  addressOf(brokerId: number): { readonly host: string; readonly port: number } | undefined
  /** Ends a registration by the id of its lease; no error when it is gone. */
  revoke(lease: bigint): Promise<void>
}

/** A registration that is watched, or is to be reached once. */
interface Watched {
  readonly brokerId: number
  readonly brokerEpoch: bigint
  readonly lease: bigint
  /** False: one answer is all that is wanted. */
  readonly isKept: boolean
  /** Ends what goes on for it at the moment. */
  stop: () => void
  isOver: boolean
}

const connectTimeoutMs = 5000
/** A connection that lasted so long was one: until then its end is no news. */
const settledMs = 1000
const [firstPauseMs, longestPauseMs] = [10, 1000]

/** Watches as long as it is open. */
export class FastFencing {
  readonly #io: Io
  readonly #options: FastFencingOptions
  readonly #unsubscribe: () => void
  /** By broker id. */
  readonly #watched = new Map<number, Watched>()
  /** Broker epochs of registrations that answered here, by broker id. */
  readonly #reached = new Map<number, bigint>()

  constructor(io: Io, options: FastFencingOptions) {
    this.#io = io
    this.#options = options
    this.#unsubscribe = options.image.subscribe(({ brokers, controller }) => {
      if (controller || brokers.size > 0) this.#follow()
    })
    this.#follow()
  }

  close(): void {
    this.#unsubscribe()
    for (const watched of this.#watched.values()) end(watched)
    this.#watched.clear()
  }

  #follow(): void {
    const { image, brokerId: own } = this.#options
    const { controllerId } = image
    for (const watched of this.#watched.values()) {
      const isKept = own === controllerId || watched.brokerId === controllerId
      const isSame = image.broker(watched.brokerId)?.brokerEpoch === watched.brokerEpoch
      if (isKept === watched.isKept && isSame) continue
      end(watched)
      this.#watched.delete(watched.brokerId)
      if (!isSame) this.#reached.delete(watched.brokerId)
    }
    for (const { brokerId, brokerEpoch, lease } of image.brokers()) {
      const isKept = own === controllerId || brokerId === controllerId
      if (brokerId === own || this.#watched.has(brokerId)) continue
      const facts = { brokerId, brokerEpoch, lease, isKept }
      const watched: Watched = { ...facts, stop: () => {}, isOver: false }
      this.#watched.set(brokerId, watched)
      if (isKept || !this.#hasAnswered(watched)) void this.#watch(watched)
    }
  }

  #hasAnswered({ brokerId, brokerEpoch }: Watched): boolean {
    return this.#reached.get(brokerId) === brokerEpoch
  }

  async #watch(watched: Watched): Promise<void> {
    const { clock } = this.#io
    let refusals = 0
    let pauseMs = firstPauseMs
    while (!watched.isOver) {
      const startMs = clock.monotonicMs()
      const code = await this.#connection(watched)
      if (watched.isOver) return
      if (code === undefined) {
        if (!watched.isKept) return
        refusals = 0
        if (clock.monotonicMs() - startMs >= settledMs) {
          pauseMs = firstPauseMs
          continue
        }
      } else if (code === 'ECONNREFUSED' && watched.isKept && this.#hasAnswered(watched)) {
        refusals++
        if (refusals >= this.#refusalsNeeded() && (await this.#fence(watched))) return
        if (refusals === 1) pauseMs = firstPauseMs
      }
      await this.#pause(watched, pauseMs)
      pauseMs = Math.min(2 * pauseMs, longestPauseMs)
    }
  }

  #refusalsNeeded(): number {
    const { image, brokerId } = this.#options
    return image.controllerId === brokerId ? 1 : 2
  }

  /** Resolves when a connection was there and is not any more; with a code when there was none. */
  #connection(watched: Watched): Promise<string | undefined> {
    const address = this.#options.addressOf(watched.brokerId)
    if (address === undefined) return Promise.resolve('ENOTFOUND')
    const { promise, resolve } = Promise.withResolvers<string | undefined>()
    const handlers: SocketHandlers = { data() {}, drain() {}, close: () => resolve(undefined) }
    this.#io.network
      .connect({ ...address, timeoutMs: connectTimeoutMs }, () => handlers)
      .then(
        socket => {
          this.#reached.set(watched.brokerId, watched.brokerEpoch)
          if (watched.isOver || !watched.isKept) socket.destroy()
          watched.stop = () => socket.destroy()
        },
        error => {
          if (!(error instanceof NetworkError)) throw error
          resolve(error.code)
        },
      )
    return promise
  }

  /** False: it could not be done, and is tried again. */
  async #fence({ brokerId, brokerEpoch, lease }: Watched): Promise<boolean> {
    const { image, revoke } = this.#options
    if (image.broker(brokerId)?.brokerEpoch !== brokerEpoch) return true
    this.#io.report.info({ brokerId, brokerEpoch }, 'a broker has no process any more: fenced')
    try {
      await revoke(lease)
      return true
    } catch (error) {
      this.#io.report.warn({ brokerId, error }, 'could not fence a broker')
      return false
    }
  }

  #pause(watched: Watched, delayMs: number): Promise<void> {
    return new Promise(resolve => {
      const timer = this.#io.clock.timer(delayMs, resolve)
      watched.stop = () => {
        timer.cancel()
        resolve()
      }
    })
  }
}

function end(watched: Watched): void {
  watched.isOver = true
  watched.stop()
}
