/**
 * The next moment at which each of many owners has something to do.
 *
 * A heap of entries. Moving an owner's moment forward in time costs nothing: its entry stays where
 * it is, and whoever is woken by it early looks again. Only an earlier moment gets an entry of its
 * own; the one it replaces is skipped when it comes up. So a heartbeat, which only makes deadlines
 * later, never touches the heap.
 */

interface Entry<Owner> {
  readonly atMs: number
  readonly owner: Owner
}

export class Deadlines<Owner> {
  readonly #heap: Entry<Owner>[] = []
  /** The moment of each owner's valid entry. */
  readonly #wakes = new Map<Owner, number>()

  /** Monotonic; Infinity when nobody waits. May be early. */
  get nextMs(): number {
    return this.#heap[0]?.atMs ?? Number.POSITIVE_INFINITY
  }

  /** The owner is to be woken at `atMs` or before. */
  wake(owner: Owner, atMs: number): void {
    if (atMs >= (this.#wakes.get(owner) ?? Number.POSITIVE_INFINITY)) return
    this.#wakes.set(owner, atMs)
    this.#push({ atMs, owner })
  }

  /** The owner waits for nothing any more. */
  forget(owner: Owner): void {
    this.#wakes.delete(owner)
  }

  /** Takes out those whose moment has come; whoever still waits says so again. */
  due(nowMs: number): Owner[] {
    const owners: Owner[] = []
    while (this.nextMs <= nowMs) {
      const { atMs, owner } = this.#pop()
      if (this.#wakes.get(owner) !== atMs) continue
      this.#wakes.delete(owner)
      owners.push(owner)
    }
    return owners
  }

  #push(entry: Entry<Owner>): void {
    const heap = this.#heap
    let at = heap.length
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (heap[parent]!.atMs <= entry.atMs) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = entry
  }

  #pop(): Entry<Owner> {
    const heap = this.#heap
    const first = heap[0]!
    const last = heap.pop()!
    const { length } = heap
    if (length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= length) break
      if (child + 1 < length && heap[child + 1]!.atMs < heap[child]!.atMs) child++
      if (heap[child]!.atMs >= last.atMs) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
    return first
  }
}
