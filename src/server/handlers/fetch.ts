/**
 * Fetch (key 1), v4–18.
 *
 * What a request asks for is first put together from its session (fetch-sessions.ts), then weighed:
 * the readable bytes of every partition are known without a read. A request short of `minBytes` is
 * parked on its partitions until enough is there, one of them has an error to tell, `maxWaitMs` is
 * over, or nobody waits any more. Then the partitions are read in order, each within its own limit
 * and what the whole answer has left; the first batch found is sent whatever its size, so that a
 * consumer always gets on.
 *
 * A follower is served like a consumer, with these differences: it says who it is, with its broker
 * epoch (KIP-903, v15+; an older version cannot, and is refused); how far it has come is noted when
 * the request comes, before it waits; it reads to the end of the log. That only the high watermark
 * moved answers no request: a follower hears of it with its next answer, as from Apache Kafka.
 */
import type { Member } from '../../cluster/partition-state.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type { FetchRequest, FetchResponse } from '../../protocol/messages/fetch.ts'
import type {
  Divergence,
  FollowerFetch,
  Isolation,
  Partition,
  ReadResult,
} from '../../replica/partition.ts'
import type { Failure, RequestContext } from '../context.ts'
import { type CurrentLeaders, currentLeaders } from '../current-leaders.ts'
import type { FetchContext, FetchPartition, SessionRequest } from '../fetch-sessions.ts'

type TopicAnswer = FetchResponse['responses'][number]
type PartitionAnswer = TopicAnswer['partitions'][number]

export async function fetch(ctx: RequestContext, request: FetchRequest): Promise<FetchResponse> {
  const fetcher = fetcherOf(ctx, request)
  const session = openSession(ctx, request, fetcher !== 'consumer')
  const maxBytes = Math.max(0, Math.min(request.maxBytes, ctx.config.fetchMaxBytes))
  const reads = session.partitions.map(wanted => readOf(ctx, wanted, fetcher))
  const minBytes = Math.min(request.minBytes, maxBytes)
  await untilReadable(ctx, reads, minBytes, ctx.deadlineMs(request.maxWaitMs))

  const isolation = request.isolationLevel === 1 ? 'read_committed' : 'read_uncommitted'
  const granted = ctx.server.memory.grant(Math.min(maxBytes, allowedBytes(reads)))
  try {
    return await answer(ctx, session, reads, granted, isolation)
  } finally {
    ctx.server.memory.give(granted)
  }
}

/** A replica without a broker epoch is none that can be told from its earlier life. */
type Fetcher = Member | 'consumer' | 'unknown replica'

function fetcherOf({ version }: RequestContext, request: FetchRequest): Fetcher {
  if (version < 15) return request.replicaId < 0 ? 'consumer' : 'unknown replica'
  const { replicaId, replicaEpoch } = request.replicaState
  if (replicaId < 0) return 'consumer'
  return replicaEpoch < 0 ? 'unknown replica' : [replicaId, BigInt(replicaEpoch)]
}

function openSession(
  ctx: RequestContext,
  request: FetchRequest,
  isFollower: boolean,
): FetchContext {
  const flat: SessionRequest = {
    sessionId: request.sessionId,
    sessionEpoch: ctx.version >= 7 ? request.sessionEpoch : -1,
    usesTopicIds: ctx.version >= 13,
    isFollower,
    partitions: request.topics.flatMap(({ topicId, topic, partitions }) =>
      partitions.map(data => ({
        topicId,
        topic,
        index: data.partition,
        fetchOffset: data.fetchOffset,
        maxBytes: data.partitionMaxBytes,
        currentLeaderEpoch: data.currentLeaderEpoch,
        lastFetchedEpoch: data.lastFetchedEpoch,
        highWatermark: -1,
        logStartOffset: -1,
      })),
    ),
    forgotten: request.forgottenTopicsData.flatMap(({ topicId, topic, partitions }) =>
      partitions.map(index => ({ topicId, topic, index })),
    ),
  }
  return ctx.server.sessions.open(flat, ctx.io.clock.monotonicMs())
}

/** One partition of this fetch. */
interface Read {
  readonly wanted: FetchPartition
  /** Or why it cannot be read. */
  readonly partition: Partition | KafkaError
  readonly follower: Member | undefined
  /** Readable now, within the partition's limit. */
  bytes: number
}

function readOf(ctx: RequestContext, wanted: FetchPartition, fetcher: Fetcher): Read {
  const follower = typeof fetcher === 'string' ? undefined : fetcher
  try {
    if (fetcher === 'unknown replica') throw new KafkaError('NOT_LEADER_OR_FOLLOWER')
    const partition = ctx.leader(ctx.topic(wanted.topicId, wanted.topic).name, wanted.index)
    if (follower !== undefined) partition.onFollowerFetch(followerFetch(follower, wanted))
    return { wanted, partition, follower, bytes: readable(partition, wanted, follower) }
  } catch (error) {
    if (error instanceof KafkaError) return { wanted, partition: error, follower, bytes: 0 }
    throw error
  }
}

function followerFetch(member: Member, wanted: FetchPartition): FollowerFetch {
  const { fetchOffset: offset, lastFetchedEpoch, currentLeaderEpoch } = wanted
  return { member, offset, lastFetchedEpoch, currentLeaderEpoch }
}

function readable(
  partition: Partition,
  { fetchOffset, maxBytes }: FetchPartition,
  follower: Member | undefined,
): number {
  // Whatever the limit, one batch may be read.
  const isFollower = follower !== undefined
  return Math.min(partition.availableBytes(fetchOffset, isFollower), Math.max(1, maxBytes))
}

/** The most that partitions with something to read may take. */
function allowedBytes(reads: readonly Read[]): number {
  const allowed = ({ bytes, wanted }: Read) => (bytes > 0 ? Math.max(0, wanted.maxBytes) : 0)
  return reads.reduce((sum, read) => sum + allowed(read), 0)
}

function readableBytes(reads: readonly Read[]): number {
  return reads.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** Whether the answer for this partition is not "nothing new": it must not wait. */
function hasErrorToTell({ partition, wanted }: Read): boolean {
  if (partition instanceof KafkaError) return true
  const { fetchOffset, currentLeaderEpoch, lastFetchedEpoch } = wanted
  const isOutOfRange =
    fetchOffset < partition.logStartOffset || fetchOffset > partition.logEndOffset
  const isOtherEpoch = currentLeaderEpoch !== -1 && currentLeaderEpoch !== partition.leaderEpoch
  if (isOutOfRange || isOtherEpoch) return true
  try {
    return partition.divergence(lastFetchedEpoch, fetchOffset) !== undefined
  } catch (error) {
    if (error instanceof KafkaError) return true
    throw error
  }
}

/** Parks until `minBytes` are readable, an error is to be told, or the waiting is over. */
async function untilReadable(
  ctx: RequestContext,
  reads: readonly Read[],
  minBytes: number,
  deadlineMs: number,
): Promise<void> {
  const { clock } = ctx.io
  const { hurry } = ctx.connection
  const isReady = () => readableBytes(reads) >= minBytes || reads.some(hasErrorToTell)
  const waitMs = deadlineMs - clock.monotonicMs()
  if (reads.length === 0 || waitMs <= 0 || hurry.aborted || isReady()) return
  await new Promise<void>(resolve => {
    const cancels = new Map<Read, () => void>()
    const finish = () => {
      timer.cancel()
      hurry.removeEventListener('abort', finish)
      for (const cancel of cancels.values()) cancel()
      resolve()
    }
    let missing = minBytes - readableBytes(reads)
    const park = (read: Read) => {
      const partition = read.partition as Partition
      const wake = () => {
        const before = read.bytes
        read.bytes = readable(partition, read.wanted, read.follower)
        missing -= read.bytes - before
        // Leadership may be gone: what that means is for the read to say.
        if (missing <= 0 || hasErrorToTell(read) || !isLed(ctx, partition)) finish()
        else park(read)
      }
      cancels.set(read, partition.onceProgress(wake))
    }
    const timer = clock.timer(waitMs, finish)
    hurry.addEventListener('abort', finish)
    for (const read of reads) park(read)
  })
}

function isLed(ctx: RequestContext, partition: Partition): boolean {
  try {
    return ctx.leader(partition.topic, partition.index) === partition
  } catch (error) {
    if (error instanceof KafkaError) return false
    throw error
  }
}

/** Reads in order and shapes the answer. */
async function answer(
  ctx: RequestContext,
  session: FetchContext,
  reads: readonly Read[],
  maxBytes: number,
  isolation: Isolation,
): Promise<FetchResponse> {
  const leaders = currentLeaders(ctx, { leader: 12, endpoints: 16 })
  const topics = new Map<string, TopicAnswer & { partitions: PartitionAnswer[] }>()
  let left = maxBytes
  let isEmpty = true
  for (const read of reads) {
    const { wanted } = read
    const limit = Math.max(0, Math.min(left, wanted.maxBytes))
    const { data, bytes } = await readPartition(ctx, read, limit, isEmpty, isolation, leaders)
    left -= bytes
    isEmpty &&= bytes === 0
    const { errorCode, highWatermark, logStartOffset = -1 } = data
    const news = {
      errorCode,
      hasAdvice: data.divergingEpoch !== undefined,
      bytes,
      highWatermark: Number(highWatermark),
      logStartOffset: Number(logStartOffset),
    }
    if (!session.tell(wanted, news)) continue
    const { topicId, topic } = wanted
    const key = `${topicId}/${topic}`
    const answers = topics.get(key)
    if (answers === undefined) topics.set(key, { topicId, topic, partitions: [data] })
    else answers.partitions.push(data)
  }
  const nodeEndpoints = leaders.endpoints()
  return { sessionId: session.sessionId, responses: [...topics.values()], nodeEndpoints }
}

const noRecords = new Uint8Array(0)

async function readPartition(
  ctx: RequestContext,
  read: Read,
  maxBytes: number,
  atLeastOneBatch: boolean,
  isolation: Isolation,
  leaders: CurrentLeaders,
): Promise<{ data: PartitionAnswer; bytes: number }> {
  const { wanted } = read
  const partitionIndex = wanted.index
  const abortedTransactions = isolation === 'read_committed' ? [] : null
  try {
    const result = await readRecords(read, maxBytes, atLeastOneBatch, isolation)
    const { highWatermark, lastStableOffset, logStartOffset, chunks, bytes, divergence } = result
    const data: PartitionAnswer = {
      partitionIndex,
      errorCode: 0,
      highWatermark,
      lastStableOffset,
      logStartOffset,
      abortedTransactions,
      records: chunks,
      ...(divergence !== undefined && { divergingEpoch: divergence }),
    }
    return { data, bytes }
  } catch (error) {
    const { errorCode } = ctx.refusal(error)
    const currentLeader = leaders.after(error, wanted.topicId, wanted.topic, wanted.index)
    const data: PartitionAnswer = {
      partitionIndex,
      errorCode,
      highWatermark: -1,
      abortedTransactions,
      records: noRecords,
      ...(currentLeader !== undefined && { currentLeader }),
    }
    return { data, bytes: 0 }
  }
}

/** Throws what the fetch of this partition is refused with. */
async function readRecords(
  { wanted, partition, follower }: Read,
  maxBytes: number,
  atLeastOneBatch: boolean,
  isolation: Isolation,
): Promise<ReadResult & { readonly divergence: Divergence | undefined }> {
  if (partition instanceof KafkaError) throw partition
  if (follower !== undefined) {
    const fetch = followerFetch(follower, wanted)
    return partition.readForFollower({ ...fetch, maxBytes, atLeastOneBatch })
  }
  const { fetchOffset: offset, currentLeaderEpoch, lastFetchedEpoch } = wanted
  const divergence = partition.divergence(lastFetchedEpoch, offset)
  const limits =
    divergence === undefined
      ? { maxBytes, atLeastOneBatch }
      : { maxBytes: 0, atLeastOneBatch: false }
  const result = await partition.read({ offset, currentLeaderEpoch, isolation, ...limits })
  return { ...result, divergence }
}

/** From v7 the whole request has an error code, and no partitions with it. */
export function fetchFailure(
  request: FetchRequest,
  { errorCode }: Failure,
  version: number,
): FetchResponse {
  if (version >= 7) return { errorCode, responses: [] }
  return {
    responses: request.topics.map(({ topic, topicId, partitions }) => ({
      topic,
      topicId,
      partitions: partitions.map(({ partition }) => ({
        partitionIndex: partition,
        errorCode,
        highWatermark: -1,
        abortedTransactions: null,
        records: noRecords,
      })),
    })),
  }
}
