/** A log whose disk has no room: appends are refused at once, but for one each second that tries. */
import type { Clock } from '../io/io.ts'
import { KafkaError } from '../protocol/errors.ts'

const retryMs = 1000

/** What appends are refused with. */
export function diskFull(folder: string): KafkaError {
  return new KafkaError('KAFKA_STORAGE_ERROR', `no room on the disk of ${folder}`)
}

/** Of one log. */
export class FullDisk {
  /** Set while the disk is full: when the next append is let through. */
  #untilMs: number | undefined

  /** Throws KAFKA_STORAGE_ERROR. */
  refuse(clock: Clock, folder: string): void {
    if (this.#untilMs === undefined) return
    const nowMs = clock.monotonicMs()
    if (nowMs < this.#untilMs) throw diskFull(folder)
    this.#untilMs = nowMs + retryMs
  }

  /** A write found no room; answers whether that is new. */
  found(clock: Clock): boolean {
    const isNew = this.#untilMs === undefined
    this.#untilMs = clock.monotonicMs() + retryMs
    return isNew
  }

  /** A write found room; answers whether that is new. */
  over(): boolean {
    const isNew = this.#untilMs !== undefined
    this.#untilMs = undefined
    return isNew
  }
}
