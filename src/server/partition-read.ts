/**
 * One partition of a Fetch, as who fetches it may see it.
 *
 * A consumer reads below the high watermark: from the leader, and since v11 from a follower too, to
 * which the leader sends it when it is nearer (KIP-392). A follower says who it is, with its broker
 * epoch (KIP-903, v15+; an older version cannot, and is refused); how far it has come is noted when the
 * request comes, before it waits; it reads to the end of the log. One that is out of sync gets nothing
 * while its replica is throttled and the rate is above the limit (KIP-73).
 */
import type { Member } from '../cluster/partition-state.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { FetchRequest } from '../protocol/messages/fetch.ts'
import type {
  Divergence,
  FollowerFetch,
  Isolation,
  Partition,
  ReadResult,
} from '../replica/partition.ts'
import { addressOf } from './advertised.ts'
import type { RequestContext } from './context.ts'
import type { FetchContext, FetchPartition } from './fetch-sessions.ts'

/** Who fetches; a replica without a broker epoch cannot be told from its earlier life. */
export type Fetcher =
  | { readonly kind: 'consumer'; readonly rack: string; readonly mayReadFollowers: boolean }
  | { readonly kind: 'follower'; readonly member: Member }
  | { readonly kind: 'unknown replica' }

/** First version of a consumer that follows the advice to read elsewhere. */
const readsFollowersSince = 11

export function fetcherOf({ version }: RequestContext, request: FetchRequest): Fetcher {
  const { replicaId, replicaEpoch } =
    version >= 15 ? request.replicaState : { replicaId: request.replicaId, replicaEpoch: -1 }
  if (replicaId < 0) {
    // Another negative id is of a tool that wants this replica.
    const mayReadFollowers = replicaId === -1 && version >= readsFollowersSince
    return { kind: 'consumer', rack: mayReadFollowers ? request.rackId : '', mayReadFollowers }
  }
  if (replicaEpoch < 0) return { kind: 'unknown replica' }
  return { kind: 'follower', member: [replicaId, BigInt(replicaEpoch)] }
}

/** Records, and advice where there are none: where the logs part, or whom to ask. */
export interface Found extends ReadResult {
  readonly divergence: Divergence | undefined
  readonly preferredReplica: number | undefined
}

/** How much of one partition an answer has room for. */
export interface ReadLimits {
  readonly maxBytes: number
  readonly atLeastOneBatch: boolean
}

const noRoom: ReadLimits = { maxBytes: 0, atLeastOneBatch: false }

/** See above. */
export class PartitionRead {
  readonly wanted: FetchPartition
  /** Or why it cannot be read. */
  readonly partition: Partition | KafkaError
  /** Readable when last looked, within the partition's limit. */
  bytes = 0
  readonly #ctx: RequestContext
  readonly #fetcher: Fetcher
  readonly #isolation: Isolation
  #preferredReplica: number | undefined

  constructor(
    ctx: RequestContext,
    wanted: FetchPartition,
    fetcher: Fetcher,
    isolation: Isolation = 'read_uncommitted',
  ) {
    this.wanted = wanted
    this.#ctx = ctx
    this.#fetcher = fetcher
    this.#isolation = isolation
    this.partition = this.#orRefusal(() => this.#find())
    if (!(this.partition instanceof KafkaError)) this.look()
  }

  /** What can be read now. */
  look(): void {
    const { fetchOffset, maxBytes } = this.wanted
    const partition = this.partition as Partition
    const reader = this.#fetcher.kind === 'follower' ? 'follower' : this.#isolation
    const available = this.#isThrottled ? 0 : partition.availableBytes(fetchOffset, reader)
    // Whatever the limit, one batch may be read.
    this.bytes = Math.min(available, Math.max(1, maxBytes))
  }

  /** Whether the answer for this partition is not "nothing new": it must not wait. */
  hasNews(): boolean {
    const { partition } = this
    if (partition instanceof KafkaError || this.#preferredReplica !== undefined) return true
    const { fetchOffset, currentLeaderEpoch, lastFetchedEpoch } = this.wanted
    const isOutOfRange =
      fetchOffset < partition.logStartOffset || fetchOffset > partition.logEndOffset
    const isOtherEpoch = currentLeaderEpoch !== -1 && currentLeaderEpoch !== partition.readableEpoch
    if (isOutOfRange || isOtherEpoch) return true
    const parts = this.#orRefusal(() => partition.divergence(lastFetchedEpoch, fetchOffset))
    return parts !== undefined
  }

  /** Whether there is nothing to read, and nothing else to say in this session. */
  isIdle(session: FetchContext): boolean {
    const { partition, wanted } = this
    if (this.bytes > 0 || partition instanceof KafkaError) return false
    const { highWatermark, logStartOffset } = partition
    return session.knows(wanted, highWatermark, logStartOffset) && !this.hasNews()
  }

  /** Whether it is still this replica that requests for the partition come to. */
  isStillServed(): boolean {
    return this.#orRefusal(() => this.#replica()) === this.partition
  }

  /** Throws what the fetch of this partition is refused with. */
  async read(limits: ReadLimits): Promise<Found> {
    const { partition } = this
    const isolation = this.#isolation
    if (partition instanceof KafkaError) throw partition
    const preferredReplica = this.#preferredReplica
    if (this.#fetcher.kind === 'follower') {
      const fetch = this.#followerFetch(this.#fetcher.member)
      const room = this.#isThrottled ? noRoom : limits
      const result = await partition.readForFollower({ ...fetch, ...room })
      const { leader } = this.#ctx.domain.replicas.throttles
      const { topic, index } = partition
      if (result.bytes > 0 && leader.covers(topic, index)) leader.record(result.bytes)
      return { ...result, preferredReplica }
    }
    const { fetchOffset: offset, currentLeaderEpoch, lastFetchedEpoch } = this.wanted
    const divergence = partition.divergence(lastFetchedEpoch, offset)
    const room = divergence === undefined && preferredReplica === undefined ? limits : noRoom
    const result = await partition.read({ offset, currentLeaderEpoch, isolation, ...room })
    return { ...result, divergence, preferredReplica }
  }

  /** A follower that ends below our log start begins anew there: it need not ask where; −1: unknown. */
  logStartAfter(error: unknown): number {
    const isOutside = error instanceof KafkaError && error.error === 'OFFSET_OUT_OF_RANGE'
    if (!isOutside || this.#fetcher.kind !== 'follower') return -1
    const replica = this.#orRefusal(() => this.#replica())
    return replica instanceof KafkaError ? -1 : replica.logStartOffset
  }

  /** Members of the ISR are never held up: that would only make them leave it. */
  get #isThrottled(): boolean {
    const { partition } = this
    if (this.#fetcher.kind !== 'follower' || partition instanceof KafkaError) return false
    const { leader } = this.#ctx.domain.replicas.throttles
    return (
      leader.isExceeded() &&
      leader.covers(partition.topic, partition.index) &&
      !partition.isInSync(this.#fetcher.member)
    )
  }

  #find(): Partition {
    const fetcher = this.#fetcher
    const partition = this.#replica()
    if (fetcher.kind === 'follower') partition.onFollowerFetch(this.#followerFetch(fetcher.member))
    else if (fetcher.kind === 'consumer') this.#prefer(partition, fetcher.rack)
    return partition
  }

  #replica(): Partition {
    const ctx = this.#ctx
    const { topicId, topic, index } = this.wanted
    const fetcher = this.#fetcher
    const { name } = ctx.topic(topicId, topic)
    if (fetcher.kind === 'unknown replica') throw new KafkaError('NOT_LEADER_OR_FOLLOWER')
    const mayFollow = fetcher.kind === 'consumer' && fetcher.mayReadFollowers
    return mayFollow ? ctx.domain.replicas.readable(name, index) : ctx.leader(name, index)
  }

  #prefer(partition: Partition, rack: string): void {
    const { config, image } = this.#ctx
    if (rack === '' || !config.rackAwareReads) return
    this.#preferredReplica = partition.preferredReplica(this.wanted.fetchOffset, rack, brokerId => {
      const broker = image.broker(brokerId)
      const isReachable = broker !== undefined && addressOf(this.#ctx, broker) !== undefined
      return isReachable ? broker.rack : undefined
    })
  }

  #followerFetch(member: Member): FollowerFetch {
    const { fetchOffset: offset, lastFetchedEpoch, currentLeaderEpoch } = this.wanted
    const { followerLogStart: logStartOffset } = this.wanted
    return { member, offset, lastFetchedEpoch, currentLeaderEpoch, logStartOffset }
  }

  #orRefusal<T>(run: () => T): T | KafkaError {
    try {
      return run()
    } catch (error) {
      if (error instanceof KafkaError) return error
      throw error
    }
  }
}
