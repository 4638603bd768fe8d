/**
 * What a metadata store may answer: 17 StoreModel of replication.md §12.
 *
 * A plain model of etcd, written apart from `io/store-model.ts`, which the simulated store runs on: of
 * each key all versions that it ever had. Every request is done here once more at its moment of
 * effect, and the two answers must be the same; a watch must get each revision that touches its range
 * once, whole, and in order, or hear that it is gone.
 */

import type { Compare, Entry, KeyRange, Op, StoreEvent, TxnResult, WatchSink } from '../io/io.ts'
import { maxTxnBytes, maxTxnOperations } from '../io/io.ts'

/** What a call came to: a value, or the store's refusal. */
export type Answer<T> = { readonly value: T } | { readonly error: unknown }

/** A key from a revision on; without an entry it is deleted. */
interface Version {
  readonly revision: bigint
  readonly entry: Entry | undefined
}

interface LeaseTerm {
  readonly ttlMs: number
  renewedMs: number
}

interface WatchTerm {
  readonly range: KeyRange
  next: bigint
  isOver: boolean
  /** Nobody is there to hear it, or it was closed. */
  readonly isDeaf: () => boolean
}

/** All that ever was in one store. A fresh one is at revision 1. */
export class StoreHistory {
  /** The first answer that was wrong. */
  failure: string | undefined
  #revision = 1n
  #compacted = 0n
  readonly #versions = new Map<string, Version[]>()
  /** By revision, from 2: the keys changed, in order, and when. */
  readonly #changes: { readonly keys: string[]; readonly atMs: number }[] = []
  readonly #leases = new Map<bigint, LeaseTerm>()
  readonly #watches = new Set<WatchTerm>()
  readonly #minTtlMs: number

  constructor(minTtlMs: number) {
    this.#minTtlMs = minTtlMs
  }

  get(range: KeyRange, atRevision: bigint | undefined, answer: Answer<{ entries: Entry[] }>): void {
    const at = atRevision || this.#revision
    const isKnown = at <= this.#revision && at >= this.#compacted - 1n
    this.#expect(isKnown === 'value' in answer, () => `get at ${at}: it is known: ${isKnown}`)
    if ('value' in answer) this.#expectEntries(answer.value.entries, this.#read(range, at), 'get')
  }

  txn(
    compares: readonly Compare[],
    then: readonly Op[],
    otherwise: readonly Op[],
    nowMs: number,
    answer: Answer<TxnResult>,
  ): void {
    const holds = compares.every(
      ({ key, target, equals }) => (this.#entry(key, this.#revision)?.[target] ?? 0n) === equals,
    )
    const branch = holds ? then : otherwise
    const mayRefuse = isRefused(compares, then, otherwise) || this.#hangsOnNothing(branch)
    this.#expect(mayRefuse === 'error' in answer, () => `refusal of a transaction: ${!mayRefuse}`)
    if ('error' in answer) return
    const { succeeded, revision, responses } = answer.value
    this.#expect(succeeded === holds, () => `compares: ${succeeded} instead of ${holds}`)
    const next = this.#revision + 1n
    const keys: string[] = []
    for (const [index, op] of branch.entries()) {
      if ('get' in op) {
        this.#expectEntries(responses[index] ?? [], this.#read(op.get, next), 'get in a txn')
      } else {
        this.#expectEntries(responses[index] ?? [], [], 'change in a txn')
        keys.push(...this.#change(op, next))
      }
    }
    this.#changed(keys, nowMs)
    this.#expect(revision === this.#revision, () => `revision ${revision}, not ${this.#revision}`)
  }

  granted(id: bigint, ttlMs: number, nowMs: number): void {
    this.#expect(!this.#leases.has(id), () => `lease ${id} was granted twice`)
    this.#leases.set(id, { ttlMs: Math.max(ttlMs, this.#minTtlMs), renewedMs: nowMs })
  }

  keptAlive(id: bigint, nowMs: number, remainingMs: number): void {
    const lease = this.#leases.get(id)
    const due = lease?.ttlMs ?? 0
    this.#expect(remainingMs === due, () => `lease ${id} has ${remainingMs} ms, not ${due}`)
    if (lease !== undefined) lease.renewedMs = nowMs
  }

  /** Never early. */
  expired(id: bigint, nowMs: number): void {
    const { ttlMs, renewedMs } = this.#leases.get(id) ?? { ttlMs: 0, renewedMs: 0 }
    const endMs = renewedMs + ttlMs
    this.#expect(nowMs >= endMs, () => `lease ${id} ends at ${nowMs} ms, not at ${endMs}`)
    this.revoked(id, nowMs)
  }

  revoked(id: bigint, nowMs: number): void {
    this.#leases.delete(id)
    const keys = this.#read({ prefix: '' }, this.#revision)
      .filter(({ lease }) => lease === id)
      .map(({ key }) => key)
    for (const key of keys) this.#set(key, undefined, this.#revision + 1n)
    this.#changed(keys, nowMs)
  }

  /** The history before `revision` may not be asked for any more. */
  compacted(revision: bigint): void {
    if (revision > this.#compacted) this.#compacted = revision
  }

  /** Its sink, looked at; `isDeaf` when it was closed by its owner, or the owner is no more. */
  watched(range: KeyRange, from: bigint, sink: WatchSink, isDeaf: () => boolean): WatchSink {
    const next = from > 0n ? from : this.#revision + 1n
    const watch: WatchTerm = { range, next, isOver: false, isDeaf }
    this.#watches.add(watch)
    const over = (what: string) => {
      this.#expect(!watch.isOver && !isDeaf(), () => `a watch that is over got ${what}`)
      watch.isOver = true
      this.#watches.delete(watch)
    }
    return {
      events: (batch, revision) => {
        this.#expect(!watch.isOver && !isDeaf(), () => 'a watch that is over got events')
        this.#delivered(watch, batch, revision)
        sink.events(batch, revision)
      },
      compacted: revision => {
        const isGone = watch.next < this.#compacted && revision === this.#compacted
        this.#expect(isGone, () => `a watch at ${watch.next} was told that ${revision} is gone`)
        over('compacted')
        sink.compacted(revision)
      },
      broken: error => {
        over('broken')
        sink.broken(error)
      },
    }
  }

  /** At the end of a run: what happened before `atMs` has come to every watch. */
  checkDelivered(atMs: number): void {
    const last = this.#changes.findLastIndex(change => change.atMs < atMs)
    for (const watch of this.#watches) {
      if (watch.isDeaf()) continue
      for (let revision = watch.next; revision <= BigInt(last + 2); revision++) {
        const isMissing = this.#touches(revision, watch.range)
        this.#expect(!isMissing, () => `revision ${revision} never came to a watch`)
      }
    }
  }

  #delivered(watch: WatchTerm, batch: readonly StoreEvent[], revision: bigint): void {
    const { range } = watch
    this.#expect(revision >= watch.next && revision <= this.#revision, () => {
      return `a watch got revision ${revision}, ${watch.next} was due, ${this.#revision} is there`
    })
    for (; watch.next < revision; watch.next++) {
      const isMissing = this.#touches(watch.next, range)
      this.#expect(!isMissing, () => `a watch got ${revision}, and not ${watch.next}`)
    }
    watch.next = revision + 1n
    const keys = this.#keysAt(revision).filter(key => isWithin(range, key))
    const isSame =
      keys.length === batch.length &&
      batch.every((event, index) => {
        const entry = this.#entry(keys[index]!, revision)
        if (event.type === 'put') return entry !== undefined && sameEntry(event.entry, entry)
        return entry === undefined && event.key === keys[index] && event.modRevision === revision
      })
    this.#expect(isSame, () => `a watch got other events of revision ${revision}`)
  }

  #change(op: Exclude<Op, { get: KeyRange }>, revision: bigint): string[] {
    if ('delete' in op) {
      const keys = this.#read(op.delete, revision).map(({ key }) => key)
      for (const key of keys) this.#set(key, undefined, revision)
      return keys
    }
    const { put: key, value, lease } = op
    const before = this.#entry(key, revision)
    const entry: Entry = {
      key,
      // A copy: whoever changes bytes that a store holds is found out.
      value: value.slice(),
      createRevision: before === undefined ? revision : before.createRevision,
      modRevision: revision,
      version: before === undefined ? 1n : before.version + 1n,
      lease: lease === undefined ? 0n : lease.id,
    }
    this.#set(key, entry, revision)
    return [key]
  }

  #set(key: string, entry: Entry | undefined, revision: bigint): void {
    let versions = this.#versions.get(key)
    if (versions === undefined) this.#versions.set(key, (versions = []))
    versions.push({ revision, entry })
  }

  /** `keys` were changed at the next revision; there is none when they are none. */
  #changed(keys: string[], atMs: number): void {
    if (keys.length === 0) return
    this.#revision++
    this.#changes.push({ keys, atMs })
  }

  #keysAt(revision: bigint): readonly string[] {
    return this.#changes[Number(revision - 2n)]?.keys ?? []
  }

  #touches(revision: bigint, range: KeyRange): boolean {
    return this.#keysAt(revision).some(key => isWithin(range, key))
  }

  #entry(key: string, at: bigint): Entry | undefined {
    return this.#versions.get(key)?.findLast(({ revision }) => revision <= at)?.entry
  }

  #read(range: KeyRange, at: bigint): Entry[] {
    const keys = 'key' in range ? [range.key] : [...this.#versions.keys()].sort()
    return keys.filter(key => isWithin(range, key)).flatMap(key => this.#entry(key, at) ?? [])
  }

  #hangsOnNothing(branch: readonly Op[]): boolean {
    return branch.some(op => 'put' in op && op.lease && !this.#leases.has(op.lease.id))
  }

  #expectEntries(found: readonly Entry[], due: readonly Entry[], what: string): void {
    const isSame =
      found.length === due.length && due.every((entry, at) => sameEntry(entry, found[at]!))
    this.#expect(isSame, () => `a ${what} found ${shown(found)}, not ${shown(due)}`)
  }

  #expect(isRight: boolean, what: () => string): void {
    if (!isRight) this.failure ??= `StoreModel: ${what()}`
  }
}

/** Whatever its compares come to. */
function isRefused(
  compares: readonly Compare[],
  then: readonly Op[],
  otherwise: readonly Op[],
): boolean {
  const sizes = [compares.length, then.length, otherwise.length]
  const texts = [...compares, ...then, ...otherwise].flatMap(part => {
    if ('target' in part) return [part.key]
    if ('put' in part) return [part.put, part.value]
    return Object.values('get' in part ? part.get : part.delete) as string[]
  })
  const bytes = texts.reduce((sum, text) => sum + Buffer.from(text).length, 0)
  return (
    Math.max(...sizes) > maxTxnOperations ||
    bytes > maxTxnBytes ||
    isTwice(then) ||
    isTwice(otherwise)
  )
}

/** Whether one branch puts a key twice, puts and deletes one, or puts one without a name. */
function isTwice(branch: readonly Op[]): boolean {
  const puts = branch.flatMap(op => ('put' in op ? [op.put] : []))
  const isDeleted = (key: string) => branch.some(op => 'delete' in op && isWithin(op.delete, key))
  return new Set(puts).size < puts.length || puts.some(key => key === '' || isDeleted(key))
}

function isWithin(range: KeyRange, key: string): boolean {
  return 'prefix' in range ? key.startsWith(range.prefix) : key === range.key
}

function sameEntry(a: Entry, b: Entry): boolean {
  return (
    a.key === b.key &&
    a.createRevision === b.createRevision &&
    a.modRevision === b.modRevision &&
    a.version === b.version &&
    a.lease === b.lease &&
    Buffer.compare(a.value, b.value) === 0
  )
}

function shown(entries: readonly Entry[]): string {
  return entries.map(({ key, modRevision }) => `${key}@${modRevision}`).join(' ') || 'nothing'
}
