/**
 * How much room is left on the disk of one data directory, so that producers are stopped before the
 * last of it is gone: what is left then is for the group commits of consumers, for compaction, and for
 * the checkpoints and the metadata store, which may lie on the same disk.
 *
 * The disk is asked at most once a second, and only when something is appended; in between, what was
 * appended since is taken off. So there is no timer, and no burst is too quick. Once it was low, some
 * more than the bound has to be free before producers go on.
 */
import type { Io } from '../io/io.ts'
import { KafkaError } from '../protocol/errors.ts'

/** The shortest time between two looks at the disk. */
const lookMs = 1000

/** By default so many bytes stay free, and no more than this part of the disk. */
const defaultBytes = 1024 ** 3
const defaultPart = 0.02

/** So much more than the bound has to be free again. */
const hysteresis = 1 / 8

/** Nothing was changed, for want of room: it may be tried again. */
export class NoRoomError extends KafkaError {
  constructor(message: string) {
    super('KAFKA_STORAGE_ERROR', message)
  }
}

/** The room on the disk of one directory. */
export class DiskRoom {
  readonly #io: Io
  readonly #path: string
  readonly #minFreeBytes: () => number
  #lookedMs = Number.NEGATIVE_INFINITY
  #looking: Promise<void> | undefined
  #totalBytes = 0
  /** As the last look found it; unknown until then. */
  #availableBytes = Number.POSITIVE_INFINITY
  /** Appended since the last look began. */
  #takenBytes = 0
  /** The largest that was refused since the last look: a disk without room for it is low, too. */
  #refusedBytes = 0
  #isLow = false

  /** `minFreeBytes` is log.dir.min.free.bytes, as it is now: −1 is the default, 0 no bound. */
  constructor(io: Io, path: string, minFreeBytes: () => number) {
    this.#io = io
    this.#path = path
    this.#minFreeBytes = minFreeBytes
  }

  /** So many bytes are on their way to the disk. */
  taken(bytes: number): void {
    this.#takenBytes += bytes
  }

  /** Throws KAFKA_STORAGE_ERROR, which producers retry, when less would be free than has to be. */
  refuseUnlessEnough(bytes: number): void {
    if (this.#minFreeBytes() === 0) return
    this.#lookSoon()
    const freeBytes = this.#availableBytes - this.#takenBytes
    if (!this.#isLow && freeBytes - bytes >= this.#bound()) return
    this.#refusedBytes = Math.max(this.#refusedBytes, bytes)
    throw new KafkaError(
      'KAFKA_STORAGE_ERROR',
      `the disk of ${this.#path} is nearly full: producers wait until more than ${size(this.#bound())} are free`,
    )
  }

  /** Asks the disk now, if there is a bound. A disk that does not say is no reason to stop anybody. */
  async look(): Promise<void> {
    if (this.#minFreeBytes() === 0) return
    this.#lookedMs = this.#io.clock.monotonicMs()
    const before = this.#takenBytes
    try {
      const { totalBytes, availableBytes } = await this.#io.disk.space(this.#path)
      this.#totalBytes = totalBytes
      this.#availableBytes = availableBytes
    } catch {
      this.#availableBytes = Number.POSITIVE_INFINITY
    }
    this.#takenBytes -= before
    this.#judge()
  }

  #lookSoon(): void {
    const isRecent = this.#io.clock.monotonicMs() - this.#lookedMs < lookMs
    if (isRecent || this.#looking !== undefined) return
    this.#looking = this.look().finally(() => {
      this.#looking = undefined
    })
  }

  #bound(): number {
    const wanted = this.#minFreeBytes()
    if (wanted >= 0) return wanted
    return Math.min(defaultBytes, Math.floor(this.#totalBytes * defaultPart))
  }

  #judge(): void {
    const bound = this.#bound()
    const enough = this.#isLow ? bound * (1 + hysteresis) : bound
    const isLow = this.#availableBytes - this.#refusedBytes < enough
    this.#refusedBytes = 0
    if (isLow === this.#isLow) return
    this.#isLow = isLow
    const fields = { directory: this.#path, availableBytes: this.#availableBytes }
    if (!isLow) {
      this.#io.report.info(fields, 'there is room on the disk again: producers go on')
      return
    }
    this.#io.report.error(
      fields,
      `less than ${size(bound)} are free on this disk: producers are stopped, consumers go on. Free some room, shorten retention (retention.ms, retention.bytes), or lower log.dir.min.free.bytes`,
    )
  }
}

function size(bytes: number): string {
  const mebibytes = bytes / 1024 ** 2
  return mebibytes >= 10 ? `${Math.round(mebibytes)} MiB` : `${mebibytes.toFixed(1)} MiB`
}
