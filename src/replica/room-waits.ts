/**
 * Replicas whose log could not be opened, or made, for want of room on its disk.
 *
 * Each is tried again, all together and a few seconds apart, until there is room, or nobody wants it
 * here any more. Meanwhile its partition is out of use, so a leadership that fell to this broker goes
 * to another complete replica; not at once, for a disk that is full for a moment only costs less than
 * that, and all disks may be full (replication.md §9).
 */
import type { Io, Timer } from '../io/io.ts'

/** Between two tries. */
const retryMs = 5000

/** As long as a leader whose disk fills up leads on. */
const patienceMs = 15_000

/** What is tried again. */
export interface RoomWait {
  readonly topic: string
  readonly topicId: string
  readonly index: number
}

interface Waiting extends RoomWait {
  readonly sinceMs: number
}

export class RoomWaits {
  readonly #io: Io
  readonly #retry: (wait: RoomWait, isLong: boolean) => void
  /** By `<topic id>/<n>`. */
  readonly #waiting = new Map<string, Waiting>()
  #timer: Timer | undefined
  #isClosed = false

  /** `isLong`: others should lead what this broker leads. What `retry` does not fail again is over. */
  constructor(io: Io, retry: (wait: RoomWait, isLong: boolean) => void) {
    this.#io = io
    this.#retry = retry
  }

  /** It could not be opened: for the first time, or once more. */
  add(wait: RoomWait, error: Error): void {
    const key = keyOf(wait)
    if (this.#isClosed || this.#waiting.has(key)) return
    this.#waiting.set(key, { ...wait, sinceMs: this.#io.clock.monotonicMs() })
    const { topic, index } = wait
    this.#io.report.error(
      { topic, partition: index, error },
      'a partition is out of use until there is room on its disk: free some, it is tried again',
    )
    this.#timer ??= this.#arm()
  }

  /** It is open; or not wanted here any more, or failed for another reason. */
  end(wait: RoomWait, isOpen: boolean): void {
    if (!this.#waiting.delete(keyOf(wait))) return
    const { topic, index } = wait
    if (isOpen) {
      this.#io.report.info({ topic, partition: index }, 'there is room: the partition is in use')
    }
    if (this.#waiting.size === 0) this.#stop()
  }

  close(): void {
    this.#isClosed = true
    this.#stop()
  }

  #stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #arm(): Timer {
    return this.#io.clock.timer(retryMs, () => {
      this.#timer = this.#arm()
      const longSinceMs = this.#io.clock.monotonicMs() - patienceMs
      for (const wait of [...this.#waiting.values()]) {
        this.#retry(wait, wait.sinceMs <= longSinceMs)
      }
    })
  }
}

function keyOf({ topicId, index }: RoomWait): string {
  return `${topicId}/${index}`
}
