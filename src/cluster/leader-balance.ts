/**
 * Leaders go back to the replicas that are preferred, by themselves: after a broker was restarted it
 * leads nothing, and the others do its work. The controller looks every
 * `leader.imbalance.check.interval.seconds`; at most a thousand partitions a time, as Kafka does.
 */
import type { Io } from '../io/io.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { Controller } from './controller.ts'
import { imbalanced } from './elections.ts'
import type { Image } from './image.ts'

const mostAtOnce = 1000

/** As it is now: `isEnabled` may change while the broker runs. */
export interface LeaderBalanceConfig {
  readonly isEnabled: boolean
  readonly intervalMs: number
}

/** Runs on every broker; only on the controller it does something. */
export class LeaderBalance {
  readonly #io: Io
  readonly #image: Image
  readonly #controller: Controller
  readonly #config: () => LeaderBalanceConfig
  #cancelTimer = () => {}
  #isClosed = false

  constructor(io: Io, image: Image, controller: Controller, config: () => LeaderBalanceConfig) {
    this.#io = io
    this.#image = image
    this.#controller = controller
    this.#config = config
    this.#wait(config().intervalMs)
  }

  close(): void {
    this.#isClosed = true
    this.#cancelTimer()
  }

  #wait(delayMs: number): void {
    const timer = this.#io.clock.timer(delayMs, () => void this.#check())
    this.#cancelTimer = () => timer.cancel()
  }

  async #check(): Promise<void> {
    const { isEnabled, intervalMs } = this.#config()
    let isMore = false
    if (isEnabled && this.#controller.isActive) {
      const found = imbalanced(this.#image, mostAtOnce)
      const isDone = found.length > 0 && (await this.#elect(found, intervalMs))
      isMore = isDone && found.length === mostAtOnce
    }
    if (!this.#isClosed) this.#wait(isMore ? 0 : intervalMs)
  }

  /** Whether all were tried, and more can be. */
  async #elect(
    found: readonly { readonly topic: string; readonly index: number }[],
    intervalMs: number,
  ): Promise<boolean> {
    const deadlineMs = this.#io.clock.monotonicMs() + intervalMs
    try {
      const outcomes = await this.#controller.electLeaders('preferred', found, { deadlineMs })
      const moved = outcomes.filter(({ error }) => error === undefined).length
      this.#io.report.info({ partitions: moved }, 'gave leaderships back to preferred replicas')
      return moved === found.length
    } catch (error) {
      // Another controller looks at its own time.
      if (error instanceof KafkaError || this.#isClosed) return false
      throw error
    }
  }
}
