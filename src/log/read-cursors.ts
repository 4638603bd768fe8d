/**
 * Where the last reads of a segment ended. Who reads on from there needs no index, and nothing that lies
 * before: an entry of the index leads to the batch before the one that is wanted, which may be large.
 */

import type { OffsetStretch } from './offset-index.ts'

/** Consumers that read one segment at the same time, each at its own place. */
const maxCursors = 16

interface Cursor extends OffsetStretch {
  readonly baseOffset: number
}

/** Of one segment. */
export class ReadCursors {
  /** Newest last. */
  readonly #cursors: Cursor[] = []
  /** Rises when what they say is not true any more. */
  generation = 0

  /** Where the first batch with `offset` or a larger one begins, below `size`, when that is known. */
  find(offset: number, size: number): OffsetStretch | undefined {
    return this.#cursors.find(cursor => cursor.baseOffset === offset && cursor.position < size)
  }

  /** A read that began in `generation` ended before `offset`, at `position`. */
  note(offset: number, position: number, generation: number): void {
    const isKnown = this.#cursors.some(({ baseOffset }) => baseOffset === offset)
    if (generation !== this.generation || isKnown) return
    if (this.#cursors.length === maxCursors) this.#cursors.shift()
    const cursor = { baseOffset: offset, position, lastOffset: undefined, endPosition: position }
    this.#cursors.push(cursor)
  }

  clear(): void {
    this.#cursors.length = 0
    this.generation++
  }
}
