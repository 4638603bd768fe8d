/**
 * Keeps the image in step with the metadata store.
 *
 * It reads everything at one revision R, then watches from R + 1 and applies whole revisions in
 * order. A watch whose history is gone is answered by reading all again and applying the
 * difference; one that broke is opened again after the last revision applied.
 */
import type { Io, MetadataStore, StoreEvent, Watch } from '../io/io.ts'
import { within } from './deadline.ts'
import type { Image } from './image.ts'
import { everything, keys } from './keys.ts'

const retryMs = 200
const tellEveryMs = 5000

interface Waiter {
  readonly revision: bigint
  readonly resolve: () => void
}

/** Feeds one image; the only writer of it. */
export class ImageFeed {
  readonly #io: Io
  readonly #store: MetadataStore
  readonly #image: Image
  #watch: Watch | undefined
  #waiters: Waiter[] = []
  #isClosed = false
  #cancelRetry = () => {}
  #quietUntilMs = Number.NEGATIVE_INFINITY

  constructor(io: Io, store: MetadataStore, image: Image) {
    this.#io = io
    this.#store = store
    this.#image = image
  }

  /** Resolves when the image is whole for the first time; keeps trying while the store is away. */
  async start(): Promise<void> {
    await this.#readAll()
  }

  close(): void {
    this.#isClosed = true
    this.#watch?.close()
    this.#cancelRetry()
  }

  /** Resolves once `revision` is applied; REQUEST_TIMED_OUT at the monotonic deadline, if any. */
  reached(revision: bigint, deadlineMs?: number): Promise<void> {
    if (this.#image.revision >= revision) return Promise.resolve()
    const applied = new Promise<void>(resolve => this.#waiters.push({ revision, resolve }))
    return deadlineMs === undefined ? applied : within(this.#io.clock, applied, deadlineMs)
  }

  /**
   * Resolves once the image shows all that a controller had done when this was called. Throws
   * REQUEST_TIMED_OUT at the monotonic deadline, StoreUnavailableError.
   */
  async caughtUp(deadlineMs: number): Promise<void> {
    // Each of its transactions writes this key.
    const known = this.#store.get({ key: keys.controllerSeq })
    const { entries } = await within(this.#io.clock, known, deadlineMs)
    if (entries[0] !== undefined) await this.reached(entries[0].modRevision, deadlineMs)
  }

  async #readAll(): Promise<void> {
    while (!this.#isClosed) {
      try {
        const { entries, revision } = await this.#store.get({ prefix: everything })
        if (this.#isClosed) return
        this.#apply(this.#image.difference(entries, revision), revision)
        this.#openWatch()
        return
      } catch (error) {
        this.#tell(error as Error, 'could not read the metadata store, trying again')
        await new Promise<void>(resolve => this.#retryLater(resolve))
      }
    }
  }

  #openWatch(): void {
    if (this.#isClosed) return
    const watch = this.#store.watch({ prefix: everything }, this.#image.revision + 1n, {
      events: (batch, revision) => {
        if (this.#watch === watch) this.#apply(batch, revision)
      },
      compacted: revision => {
        this.#io.report.warn({ revision }, 'metadata history is gone, reading all again')
        void this.#readAll()
      },
      broken: error => {
        this.#tell(error, 'the watch of the metadata store broke, trying again')
        this.#retryLater(() => this.#openWatch())
      },
    })
    this.#watch = watch
  }

  /** A store that is away is away for many tries. */
  #tell(error: Error, message: string): void {
    const nowMs = this.#io.clock.monotonicMs()
    if (nowMs < this.#quietUntilMs) return
    this.#quietUntilMs = nowMs + tellEveryMs
    this.#io.report.warn({ error: error.message }, message)
  }

  #retryLater(run: () => void): void {
    const timer = this.#io.clock.timer(retryMs, run)
    this.#cancelRetry = () => timer.cancel()
  }

  #apply(events: readonly StoreEvent[], revision: bigint): void {
    this.#image.apply(events, revision)
    const due = this.#waiters.filter(waiter => waiter.revision <= revision)
    if (due.length === 0) return
    this.#waiters = this.#waiters.filter(waiter => waiter.revision > revision)
    for (const waiter of due) waiter.resolve()
  }
}
