/**
 * The metadata store on etcd (3.4 or later), by its v3 API.
 *
 * Reads and transactions are linearizable. A large range is read in pages, all of one revision. A
 * lease is kept by single calls. The member that does not answer a call in time is left, and whatever
 * goes on there is broken off. Each process that has been here for an hour compacts, now and then, the
 * history that it saw end an hour ago; that several do so does no harm.
 */
import { type Call, EtcdConnection, type EtcdOptions } from './etcd-connection.ts'
import { entryOf, KeySpace, successor } from './etcd-keys.ts'
import {
  Compare_CompareTarget,
  type KeyValue,
  type ResponseHeader,
  type ResponseOp,
} from './etcd-pb.ts'
import { EtcdWatch } from './etcd-watch.ts'
import {
  type Clock,
  type Compare,
  type Entry,
  type Io,
  type KeyRange,
  type Lease,
  type MetadataStore,
  type Op,
  StoreRequestError,
  StoreUnavailableError,
  type Timer,
  type TxnResult,
  type Watch,
  type WatchSink,
} from './io.ts'
import { checkTxnSize } from './store-model.ts'

/** Keys that one answer holds. */
const pageKeys = 1000n

/** How often history is compacted, and how much of it stays. */
const compactionEveryMs = 5 * 60_000
const historyMs = 60 * 60_000

/** What etcd says of itself. */
export interface EtcdVersion {
  /** As `3.5.14`, of the members that answered. */
  readonly versions: readonly string[]
  /** All that the cluster has. */
  readonly memberCount: number
}

/** etcd, as one process has it. Connections are made when they are needed. */
export class EtcdStore implements MetadataStore {
  readonly #clock: Clock
  readonly #connection: EtcdConnection
  readonly #keySpace: KeySpace
  readonly #watches = new Set<Watch>()
  readonly #sessionTimeoutMs: number
  readonly #callMs: number
  readonly #history: { readonly atMs: number; readonly revision: bigint }[] = []
  #compaction: Timer
  #revision = 0n
  #clusterId: bigint | undefined

  constructor({ clock, report }: Pick<Io, 'clock' | 'report'>, options: EtcdOptions) {
    this.#clock = clock
    this.#connection = new EtcdConnection(report, options)
    this.#keySpace = new KeySpace(options.namespace)
    this.#sessionTimeoutMs = options.sessionTimeoutMs
    this.#callMs = Math.min(5000, Math.max(2000, options.sessionTimeoutMs / 3))
    this.#compaction = this.#armCompaction()
  }

  async get(range: KeyRange, atRevision = 0n): Promise<{ entries: Entry[]; revision: bigint }> {
    const wanted = this.#keySpace.range(range)
    const entries: Entry[] = []
    let key = wanted.key
    let first: bigint | undefined
    for (;;) {
      const revision = atRevision > 0n ? atRevision : (first ?? 0n)
      const page = { key, rangeEnd: wanted.rangeEnd, limit: pageKeys, revision }
      const known = this.#revision
      const { kvs, more, header } = await this.#connection.call(
        this.#repeatable('a read'),
        (endpoint, options) => endpoint.kv.range(page, options),
      )
      this.#checkSame(header!, known)
      first ??= header!.revision
      for (const kv of kvs) entries.push(entryOf(this.#keySpace, kv))
      if (!more) break
      key = successor(kvs.at(-1)!.key)
    }
    this.#saw(first)
    return { entries, revision: first }
  }

  async txn(
    compares: readonly Compare[],
    then: readonly Op[],
    otherwise: readonly Op[] = [],
  ): Promise<TxnResult> {
    checkTxnSize(compares, then, otherwise)
    const request = {
      compare: compares.map(compare => this.#compare(compare)),
      success: then.map(op => this.#operation(op)),
      failure: otherwise.map(op => this.#operation(op)),
    }
    const call = { name: 'a transaction', isRepeatable: false, timeoutMs: this.#callMs }
    const known = this.#revision
    const { succeeded, header, responses } = await this.#connection.call(
      call,
      (endpoint, options) => endpoint.kv.txn(request, options),
    )
    this.#checkSame(header!, known)
    const { revision } = header!
    this.#saw(revision)
    return { succeeded, revision, responses: responses.map(response => this.#found(response)) }
  }

  watch(range: KeyRange, fromRevision: bigint, sink: WatchSink): Watch {
    const watch = new EtcdWatch(
      this.#clock,
      this.#connection,
      this.#keySpace,
      range,
      fromRevision,
      {
        events: (batch, revision) => {
          this.#saw(revision)
          sink.events(batch, revision)
        },
        compacted: revision => {
          this.#watches.delete(watch)
          sink.compacted(revision)
        },
        broken: error => {
          this.#watches.delete(watch)
          sink.broken(error)
        },
      },
      this.#sessionTimeoutMs,
    )
    this.#watches.add(watch)
    return {
      close: () => {
        this.#watches.delete(watch)
        watch.close()
      },
    }
  }

  async grantLease(ttlMs: number): Promise<Lease> {
    const request = { TTL: BigInt(Math.ceil(ttlMs / 1000)) }
    // One that is granted twice ends by itself.
    const { ID: id } = await this.#connection.call(
      this.#repeatable('a lease'),
      (endpoint, options) => endpoint.lease.leaseGrant(request, options),
    )
    return { id, keepAlive: () => this.#keepAlive(id) }
  }

  async revokeLease(id: bigint): Promise<void> {
    try {
      await this.#connection.call(this.#repeatable('a revocation'), (endpoint, options) =>
        endpoint.lease.leaseRevoke({ ID: id }, options),
      )
    } catch (error) {
      const isGone = error instanceof StoreRequestError && /not found/.test(error.message)
      if (!isGone) throw error
    }
  }

  async close(): Promise<void> {
    this.#compaction.cancel()
    for (const watch of this.#watches) watch.close()
    this.#watches.clear()
    this.#connection.close()
  }

  /** `host:port` of the member that is asked next. */
  get askedMember(): string {
    return this.#connection.endpoint.address
  }

  /** Asks every member that is named; those that do not answer are left out. */
  async version(): Promise<EtcdVersion> {
    const call = this.#repeatable('what it is')
    const { members } = await this.#connection.call(call, (endpoint, options) =>
      endpoint.cluster.memberList({}, options),
    )
    const asked = this.#connection.endpoints.map(member =>
      this.#connection
        .call(call, (endpoint, options) => endpoint.maintenance.status({}, options), member)
        .then(({ version }) => version),
    )
    const answers = await Promise.allSettled(asked)
    const versions = answers.flatMap(answer =>
      answer.status === 'fulfilled' ? [answer.value] : [],
    )
    return { versions, memberCount: members.length }
  }

  /** Of a lease that is over the answer has TTL 0, which is no error. */
  async #keepAlive(id: bigint): Promise<number> {
    const timeoutMs = Math.min(2000, Math.max(500, this.#sessionTimeoutMs / 6))
    const call = { ...this.#repeatable('a sign of life'), timeoutMs }
    const seconds = await this.#connection.call(call, async (endpoint, options) => {
      const headers = { ...(options.headers as Record<string, string>), hasleader: 'true' }
      const answers = endpoint.lease.leaseKeepAlive(once({ ID: id }), { ...options, headers })
      for await (const { TTL } of answers) return TTL
      throw new StoreUnavailableError('etcd ended the stream without an answer')
    })
    return Number(seconds) * 1000
  }

  #repeatable(name: string): Call {
    return { name, isRepeatable: true, timeoutMs: this.#callMs }
  }

  #compare({ key, target, equals }: Compare) {
    return {
      key: this.#keySpace.bytes(key),
      target: targets[target],
      targetUnion: { case: target, value: equals } as const,
    }
  }

  #operation(op: Op) {
    if ('put' in op) {
      const { value, lease } = op
      const put = { key: this.#keySpace.bytes(op.put), value, lease: lease?.id ?? 0n }
      return { request: { case: 'requestPut', value: put } } as const
    }
    return 'get' in op
      ? ({ request: { case: 'requestRange', value: this.#keySpace.range(op.get) } } as const)
      : ({
          request: { case: 'requestDeleteRange', value: this.#keySpace.range(op.delete) },
        } as const)
  }

  #found({ response }: ResponseOp): Entry[] {
    const kvs: readonly KeyValue[] = response.case === 'responseRange' ? response.value.kvs : []
    return kvs.map(kv => entryOf(this.#keySpace, kv))
  }

  /**
   * What is linearizable never goes back: then this is another etcd, or one that was restored, and
   * nothing that this process knows of it is true any more. Throws StoreUnavailableError.
   */
  #checkSame({ clusterId, revision }: ResponseHeader, known: bigint): void {
    this.#clusterId ??= clusterId
    if (clusterId === this.#clusterId && revision >= known) return
    throw new StoreUnavailableError(
      'this is not the etcd that it was: it was restored, or the addresses belong to different ones. Start this process again once that is in order',
    )
  }

  #saw(revision: bigint): void {
    if (revision > this.#revision) this.#revision = revision
  }

  #armCompaction(): Timer {
    return this.#clock.timer(compactionEveryMs, () => {
      this.#compaction = this.#armCompaction()
      void this.#compact()
    })
  }

  async #compact(): Promise<void> {
    const nowMs = this.#clock.monotonicMs()
    this.#history.push({ atMs: nowMs, revision: this.#revision })
    let revision = 0n
    while (this.#history[0]!.atMs <= nowMs - historyMs) revision = this.#history.shift()!.revision
    if (revision === 0n) return
    try {
      await this.#connection.call(this.#repeatable('a compaction'), (endpoint, options) =>
        endpoint.kv.compact({ revision }, options),
      )
    } catch (error) {
      // Another process was there first, or etcd is away: it comes round again.
      const isHarmless =
        error instanceof StoreRequestError || error instanceof StoreUnavailableError
      if (!isHarmless) throw error
    }
  }
}

const targets = {
  createRevision: Compare_CompareTarget.CREATE,
  modRevision: Compare_CompareTarget.MOD,
  version: Compare_CompareTarget.VERSION,
  lease: Compare_CompareTarget.LEASE,
} as const

async function* once<T>(value: T): AsyncGenerator<T> {
  yield value
}
