/**
 * The metadata store as a pure model: keys with revisions, transactions, leases, history.
 *
 * It behaves as etcd (replication.md §2); the embedded and the simulated store are drivers around
 * it. A transaction is checked as a whole, then takes effect as a whole: every change of it carries
 * one revision. `changes` of each step are what a log must hold to `replay` it. The history of the
 * last revisions serves watches and reads in the past; what is older answers `compacted`.
 */

import {
  type Compare,
  type Entry,
  type KeyRange,
  maxTxnBytes,
  maxTxnOperations,
  type Op,
  type Random,
  type StoreEvent,
  StoreRequestError,
  type TxnResult,
} from './io.ts'

/** One thing that happened to the store; leases change no revision by themselves. */
export type Change =
  | {
      readonly type: 'put'
      readonly key: string
      readonly value: Uint8Array
      readonly lease: bigint
    }
  | { readonly type: 'delete'; readonly key: string }
  | { readonly type: 'grant'; readonly lease: bigint; readonly ttlMs: number }
  | { readonly type: 'revoke'; readonly lease: bigint }

/** What a call did: nothing when `changes` is empty. `revision` is the one after it. */
export interface Step {
  readonly revision: bigint
  readonly changes: readonly Change[]
}

/** All that a snapshot has to hold. */
export interface StoreContent {
  readonly revision: bigint
  readonly entries: readonly Entry[]
  readonly leases: readonly { readonly id: bigint; readonly ttlMs: number }[]
}

export interface StoreModelOptions {
  /** Revisions kept for watches and reads in the past. */
  readonly historyRevisions?: number
  /** Changes kept of them, at least those of the last revision; as many as there are by default. */
  readonly historyChanges?: number
  /** A shorter lease is granted as one of this length: 2 s in etcd. */
  readonly minTtlMs?: number
}

interface LeaseState {
  readonly ttlMs: number
  expiresAtMs: number
  readonly keys: Set<string>
}

/** One key before and after a revision. */
interface KeyChange {
  readonly key: string
  readonly before: Entry | undefined
  readonly after: Entry | undefined
}

/** The store without time, disk and network: every call is whole when it returns. */
export class StoreModel {
  readonly #entries = new Map<string, Entry>()
  readonly #leases = new Map<bigint, LeaseState>()
  readonly #historyRevisions: number
  readonly #historyChanges: number
  readonly #minTtlMs: number
  /** One element a revision; the first is of `#oldest`. */
  #history: KeyChange[][] = []
  /** In all of `#history`. */
  #changes = 0
  #lastValue: Uint8Array = new Uint8Array(0)
  #oldest = 2n
  #revision = 1n

  constructor(options: StoreModelOptions = {}) {
    this.#historyRevisions = options.historyRevisions ?? 10_000
    this.#historyChanges = options.historyChanges ?? Number.POSITIVE_INFINITY
    this.#minTtlMs = options.minTtlMs ?? 0
  }

  /** The last revision taken; 1 in a fresh store. */
  get revision(): bigint {
    return this.#revision
  }

  /** The first revision whose events are still known. */
  get oldestRevision(): bigint {
    return this.#oldest
  }

  /** Entries by key in order; with `atRevision` as they were then. Throws StoreRequestError. */
  get(range: KeyRange, atRevision?: bigint): { entries: Entry[]; revision: bigint } {
    const entries = this.#select(range)
    if (atRevision !== undefined && atRevision !== 0n) this.#rewind(entries, range, atRevision)
    return { entries: [...entries.values()].sort(byKey), revision: this.#revision }
  }

  /** Compares, then runs one branch. Throws StoreRequestError, and then nothing has happened. */
  txn(
    compares: readonly Compare[],
    then: readonly Op[],
    otherwise: readonly Op[] = [],
  ): { result: TxnResult; step: Step } {
    checkTxnSize(compares, then, otherwise)
    checkDuplicates(then)
    checkDuplicates(otherwise)
    const succeeded = compares.every(compare => this.#holds(compare))
    const branch = succeeded ? then : otherwise
    for (const op of branch) if ('put' in op) this.#checkLease(op.lease?.id ?? 0n)
    const changes: Change[] = []
    const revision = this.#revision + 1n
    const touched: KeyChange[] = []
    const responses = branch.map(op => {
      if ('get' in op) return [...this.#select(op.get).values()].sort(byKey)
      for (const change of this.#changesOf(op)) {
        changes.push(change)
        this.#apply(change, revision, touched)
      }
      return []
    })
    this.#take(touched)
    const step = { revision: this.#revision, changes }
    return { result: { succeeded, revision: this.#revision, responses }, step }
  }

  /** Grants a lease under an id that is free. */
  grant(id: bigint, ttlMs: number, nowMs: number): Step {
    if (id <= 0n || this.#leases.has(id)) throw new StoreRequestError(`lease id ${id} is taken`)
    const grant = { type: 'grant', lease: id, ttlMs: Math.max(ttlMs, this.#minTtlMs) } as const
    this.replay({ revision: this.#revision, changes: [grant] }, nowMs)
    return { revision: this.#revision, changes: [grant] }
  }

  /** Starts the TTL again; the remaining milliseconds, 0 when the lease is gone. */
  keepAlive(id: bigint, nowMs: number): number {
    const lease = this.#leases.get(id)
    if (lease === undefined) return 0
    lease.expiresAtMs = nowMs + lease.ttlMs
    return lease.ttlMs
  }

  /** Ends a lease and deletes its keys in one revision; nothing when it is gone. */
  revoke(id: bigint): Step {
    const lease = this.#leases.get(id)
    if (lease === undefined) return { revision: this.#revision, changes: [] }
    const changes: Change[] = [...lease.keys].sort().map(key => ({ type: 'delete', key }))
    changes.push({ type: 'revoke', lease: id })
    this.replay({ revision: this.#revision + (lease.keys.size > 0 ? 1n : 0n), changes }, 0)
    return { revision: this.#revision, changes }
  }

  /** Leases that are over at `nowMs`, in the order of their ends; each is for `revoke`. */
  expired(nowMs: number): bigint[] {
    return [...this.#leases]
      .filter(([, lease]) => lease.expiresAtMs <= nowMs)
      .sort(([, a], [, b]) => a.expiresAtMs - b.expiresAtMs)
      .map(([id]) => id)
  }

  /** When the next lease ends; infinite when there is none. */
  get nextExpiryMs(): number {
    let next = Number.POSITIVE_INFINITY
    for (const { expiresAtMs } of this.#leases.values()) next = Math.min(next, expiresAtMs)
    return next
  }

  /** Takes a step again as it happened; a lease in it starts at its full TTL. */
  replay(step: Step, nowMs: number): void {
    const touched: KeyChange[] = []
    for (const change of step.changes) {
      if (change.type === 'grant') {
        const expiresAtMs = nowMs + change.ttlMs
        this.#leases.set(change.lease, { ttlMs: change.ttlMs, expiresAtMs, keys: new Set() })
      } else if (change.type === 'revoke') {
        this.#leases.delete(change.lease)
      } else {
        this.#apply(change, step.revision, touched)
      }
    }
    this.#take(touched)
  }

  /** All that matters, for a snapshot. History is not part of it. */
  content(): StoreContent {
    return {
      revision: this.#revision,
      entries: [...this.#entries.values()],
      leases: [...this.#leases].map(([id, { ttlMs }]) => ({ id, ttlMs })),
    }
  }

  /** Starts from a snapshot; only in a fresh model. Leases start at their full TTL. */
  restore(content: StoreContent, nowMs: number): void {
    this.#revision = content.revision
    this.#oldest = content.revision + 1n
    for (const { id, ttlMs } of content.leases) {
      this.#leases.set(id, { ttlMs, expiresAtMs: nowMs + ttlMs, keys: new Set() })
    }
    for (const entry of content.entries) {
      this.#set(entry.key, { ...entry, value: this.#shared(entry.value) })
    }
  }

  /** Forgets the history before `revision`, as etcd's compaction does. */
  compact(revision: bigint): void {
    const gone = revision - this.#oldest
    if (gone <= 0n) return
    for (const { length } of this.#history.splice(0, Number(gone))) this.#changes -= length
    this.#oldest = revision
  }

  /** The events of one revision that touch `range`; undefined when it is forgotten or to come. */
  eventsAt(revision: bigint, range: KeyRange): StoreEvent[] | undefined {
    if (revision < this.#oldest) return undefined
    const changes = this.#history[Number(revision - this.#oldest)]
    return changes
      ?.filter(({ key }) => isIn(range, key))
      .map(({ key, after }) =>
        after === undefined
          ? { type: 'delete', key, modRevision: revision }
          : { type: 'put', entry: after },
      )
  }

  #select(range: KeyRange): Map<string, Entry> {
    if ('key' in range) {
      const entry = this.#entries.get(range.key)
      return new Map(entry && [[range.key, entry]])
    }
    return new Map([...this.#entries].filter(([key]) => isIn(range, key)))
  }

  #rewind(entries: Map<string, Entry>, range: KeyRange, to: bigint): void {
    if (to > this.#revision) throw new StoreRequestError(`revision ${to} is in the future`)
    if (to < this.#oldest - 1n) throw new StoreRequestError(`revision ${to} has been compacted`)
    for (let at = this.#history.length - 1; at > Number(to - this.#oldest); at--) {
      for (const { key, before } of this.#history[at]!) {
        if (!isIn(range, key)) continue
        if (before === undefined) entries.delete(key)
        else entries.set(key, before)
      }
    }
  }

  #holds({ key, target, equals }: Compare): boolean {
    return (this.#entries.get(key)?.[target] ?? 0n) === equals
  }

  #checkLease(id: bigint): void {
    if (id !== 0n && !this.#leases.has(id)) {
      throw new StoreRequestError(`requested lease not found: ${id}`)
    }
  }

  #changesOf(op: Exclude<Op, { get: KeyRange }>): Change[] {
    if ('put' in op) {
      return [{ type: 'put', key: op.put, value: op.value, lease: op.lease?.id ?? 0n }]
    }
    return [...this.#select(op.delete).keys()].sort().map(key => ({ type: 'delete', key }))
  }

  #apply(change: Change, revision: bigint, touched: KeyChange[]): void {
    if (change.type !== 'put' && change.type !== 'delete') return
    const { key } = change
    const before = this.#entries.get(key)
    const after: Entry | undefined =
      change.type === 'delete'
        ? undefined
        : {
            key,
            value: this.#shared(change.value),
            createRevision: before?.createRevision ?? revision,
            modRevision: revision,
            version: before === undefined ? 1n : before.version + 1n,
            lease: change.lease,
          }
    this.#set(key, after)
    touched.push({ key, before, after })
  }

  #set(key: string, after: Entry | undefined): void {
    const before = this.#entries.get(key)
    if (before !== undefined) this.#leases.get(before.lease)?.keys.delete(key)
    if (after === undefined) {
      this.#entries.delete(key)
    } else {
      this.#entries.set(key, after)
      this.#leases.get(after.lease)?.keys.add(key)
    }
  }

  /** Values that are equal and follow one another, as those of a topic's partitions, are one. */
  #shared(value: Uint8Array): Uint8Array {
    if (Buffer.compare(value, this.#lastValue) !== 0) this.#lastValue = value
    return this.#lastValue
  }

  /** Takes the next revision when keys changed. */
  #take(touched: KeyChange[]): void {
    if (touched.length === 0) return
    this.#revision++
    this.#history.push(touched)
    this.#changes += touched.length
    // Cut in larger pieces: a shift at every revision would move them all each time.
    if (this.#history.length >= this.#historyRevisions + 1000) {
      this.compact(this.#revision - BigInt(this.#historyRevisions) + 1n)
    }
    if (this.#changes >= 2 * this.#historyChanges) this.#forgetChanges()
  }

  #forgetChanges(): void {
    let kept = this.#history.length
    let changes = 0
    while (kept > 0 && changes < this.#historyChanges) changes += this.#history[--kept]!.length
    this.compact(this.#oldest + BigInt(kept))
  }
}

/** A fresh id for a lease: 63 random bits, never 0. */
export function leaseId(random: Random): bigint {
  return (BigInt(random.u32() >>> 1) << 32n) | BigInt((random.u32() | 1) >>> 0)
}

/** Whether a key is in a range. */
export function isIn(range: KeyRange, key: string): boolean {
  return 'key' in range ? key === range.key : key.startsWith(range.prefix)
}

function byKey(a: Entry, b: Entry): number {
  return a.key < b.key ? -1 : 1
}

/** Throws StoreRequestError for a transaction beyond the bounds of every store. */
export function checkTxnSize(
  compares: readonly Compare[],
  then: readonly Op[],
  otherwise: readonly Op[],
): void {
  if (Math.max(compares.length, then.length, otherwise.length) > maxTxnOperations) {
    throw new StoreRequestError(`too many operations: at most ${maxTxnOperations} a branch`)
  }
  let bytes = 0
  for (const { key } of compares) bytes += Buffer.byteLength(key)
  for (const op of [...then, ...otherwise]) {
    if ('put' in op) {
      if (op.put === '') throw new StoreRequestError('the key is empty')
      bytes += Buffer.byteLength(op.put) + op.value.length
    } else {
      const range = 'get' in op ? op.get : op.delete
      bytes += Buffer.byteLength('key' in range ? range.key : range.prefix)
    }
  }
  if (bytes > maxTxnBytes) {
    throw new StoreRequestError(`the request has ${bytes} bytes, more than ${maxTxnBytes}`)
  }
}

/** A key may be put once in a branch, and not in a range that the branch deletes. */
function checkDuplicates(branch: readonly Op[]): void {
  const deletes = branch.flatMap(op => ('delete' in op ? [op.delete] : []))
  const puts = new Set<string>()
  for (const op of branch) {
    if (!('put' in op)) continue
    if (puts.has(op.put) || deletes.some(range => isIn(range, op.put))) {
      throw new StoreRequestError(`duplicate key given in the transaction: ${op.put}`)
    }
    puts.add(op.put)
  }
}
