/**
 * Virtual time: a heap of events, each at a time, ties broken by a seeded draw.
 *
 * Time passes only from one event to the next. The running hash of all events is the fingerprint
 * of a run: equal seeds give equal fingerprints, or something real leaked into the world.
 */

import { Prng } from './random.ts'

/** One thing that will happen. */
export interface Event {
  readonly atMs: number
  readonly kind: string
  readonly run: () => void
  cancelled: boolean
  readonly tie: number
  readonly sequence: number
}

/** The queue of all that will happen. */
export class EventQueue {
  readonly #heap: Event[] = []
  readonly #ties: Prng
  readonly #kinds = new Map<string, number>()
  #sequence = 0
  #nowMs = 0
  #hashHigh = 0x243f6a88
  #hashLow = 0x85a308d3
  #processed = 0

  constructor(seed: number | bigint) {
    this.#ties = new Prng(seed, 'ties')
  }

  /** Virtual milliseconds since the beginning. */
  get nowMs(): number {
    return this.#nowMs
  }

  /** Events that have run. */
  get processed(): number {
    return this.#processed
  }

  /** The running hash of all events and notes so far, 16 hexadecimal digits. */
  get fingerprint(): string {
    return hex(this.#hashHigh) + hex(this.#hashLow)
  }

  /** Lets `run` happen once, `delayMs` (≥ 0) from now. `kind` goes into the fingerprint. */
  schedule(delayMs: number, kind: string, run: () => void): Event {
    const event: Event = {
      atMs: this.#nowMs + Math.max(0, delayMs),
      kind,
      run,
      cancelled: false,
      tie: this.#ties.u32(),
      sequence: this.#sequence++,
    }
    this.#heap.push(event)
    this.#rise(this.#heap.length - 1)
    return event
  }

  /** Runs the next event; false when there is none. */
  step(): boolean {
    for (;;) {
      const event = this.#takeFirst()
      if (event === undefined) return false
      if (event.cancelled) continue
      this.#nowMs = event.atMs
      this.#processed++
      this.note(this.#kindNumber(event.kind))
      this.note(event.atMs * 1024)
      this.note(event.tie)
      event.run()
      return true
    }
  }

  /** Mixes a number into the fingerprint: a size, a checksum, an outcome. */
  note(value: number): void {
    const low = value | 0
    const high = (value / 2 ** 32) | 0
    this.#hashHigh = Math.imul(this.#hashHigh ^ low, 0x9e3779b1) ^ (this.#hashLow >>> 15)
    this.#hashLow = Math.imul(this.#hashLow ^ high ^ this.#hashHigh, 0x85ebca77) ^ (low << 7)
  }

  #kindNumber(kind: string): number {
    let number = this.#kinds.get(kind)
    if (number === undefined) {
      number = [...kind].reduce((hash, c) => Math.imul(hash ^ c.charCodeAt(0), 16777619), 5381)
      this.#kinds.set(kind, number)
    }
    return number
  }

  #takeFirst(): Event | undefined {
    const first = this.#heap[0]
    const last = this.#heap.pop()
    if (first !== undefined && last !== undefined && last !== first) {
      this.#heap[0] = last
      this.#sink(0)
    }
    return first
  }

  #rise(from: number): void {
    const heap = this.#heap
    const event = heap[from]!
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(event, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = event
  }

  #sink(from: number): void {
    const heap = this.#heap
    const event = heap[from]!
    let at = from
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, event)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = event
  }
}

function isBefore(a: Event, b: Event): boolean {
  if (a.atMs !== b.atMs) return a.atMs < b.atMs
  return a.tie !== b.tie ? a.tie < b.tie : a.sequence < b.sequence
}

function hex(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0')
}
