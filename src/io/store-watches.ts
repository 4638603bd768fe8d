/**
 * Watches over a store model.
 *
 * A watch remembers the next revision it has to deliver and reads it from the model's history, so a
 * slow one misses nothing until the history itself is gone: then it ends with `compacted`. Nothing is
 * delivered beyond `published`, for the newest revisions may not be durable yet.
 */

import type { KeyRange, Watch, WatchSink } from './io.ts'
import type { StoreModel } from './store-model.ts'

/** All watches of one store. */
export class StoreWatches {
  readonly #model: StoreModel
  readonly #soon: (deliver: () => void) => void
  readonly #watches = new Set<OpenWatch>()
  #published: bigint

  /** `soon` calls its argument later, never inside the call. */
  constructor(model: StoreModel, soon: (deliver: () => void) => void) {
    this.#model = model
    this.#soon = soon
    this.#published = model.revision
  }

  /** Events of `range` from `fromRevision` on (0 or less: from the next revision). */
  open(
    range: KeyRange,
    fromRevision: bigint,
    sink: WatchSink,
    soon: (deliver: () => void) => void = this.#soon,
  ): Watch {
    const next = fromRevision > 0n ? fromRevision : this.#published + 1n
    const watch = new OpenWatch(this.#model, range, next, sink, soon)
    this.#watches.add(watch)
    watch.wake(this.#published)
    return {
      close: () => {
        watch.close()
        this.#watches.delete(watch)
      },
    }
  }

  /** Revisions up to this one may be seen. */
  publish(revision: bigint): void {
    this.#published = revision
    for (const watch of this.#watches) {
      if (watch.isClosed) this.#watches.delete(watch)
      else watch.wake(revision)
    }
  }

  /** Ends every watch. */
  break(error: Error): void {
    for (const watch of this.#watches) watch.break(error)
    this.#watches.clear()
  }

  /** Ends every watch without a word. */
  close(): void {
    for (const watch of this.#watches) watch.close()
    this.#watches.clear()
  }
}

class OpenWatch {
  readonly #model: StoreModel
  readonly #range: KeyRange
  readonly #sink: WatchSink
  readonly #soon: (deliver: () => void) => void
  #next: bigint
  #published = 0n
  #woken = false
  isClosed = false

  constructor(
    model: StoreModel,
    range: KeyRange,
    next: bigint,
    sink: WatchSink,
    soon: (deliver: () => void) => void,
  ) {
    this.#model = model
    this.#range = range
    this.#next = next
    this.#sink = sink
    this.#soon = soon
  }

  close(): void {
    this.isClosed = true
  }

  break(error: Error): void {
    this.#soon(() => {
      if (this.isClosed) return
      this.isClosed = true
      this.#sink.broken(error)
    })
  }

  wake(published: bigint): void {
    this.#published = published
    if (this.#woken || this.#next > published) return
    this.#woken = true
    this.#soon(() => {
      this.#woken = false
      this.#deliver()
    })
  }

  #deliver(): void {
    while (!this.isClosed && this.#next <= this.#published) {
      const revision = this.#next
      const events = this.#model.eventsAt(revision, this.#range)
      if (events === undefined) {
        this.isClosed = true
        this.#sink.compacted(this.#model.oldestRevision)
        return
      }
      this.#next = revision + 1n
      if (events.length > 0) this.#sink.events(events, revision)
    }
  }
}
