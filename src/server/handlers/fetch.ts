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
 * Consumers and followers (partition-read.ts) are served alike. That only the high watermark moved
 * answers no follower: it hears of it with its next answer, as from Apache Kafka.
 */
import type { Slab } from '../../base/slabs.ts'
import type { FetchRequest, FetchResponse } from '../../protocol/messages/fetch.ts'
import type { Isolation, Partition } from '../../replica/partition.ts'
import type { Failure, RequestContext } from '../context.ts'
import { type CurrentLeaders, currentLeaders } from '../current-leaders.ts'
import type { FetchContext, SessionRequest } from '../fetch-sessions.ts'
import { fetcherOf, PartitionRead, type ReadLimits } from '../partition-read.ts'

type TopicAnswer = FetchResponse['responses'][number]
type PartitionAnswer = TopicAnswer['partitions'][number]

export async function fetch(ctx: RequestContext, request: FetchRequest): Promise<FetchResponse> {
  const fetcher = fetcherOf(ctx, request)
  const isolation = request.isolationLevel === 1 ? 'read_committed' : 'read_uncommitted'
  const session = openSession(ctx, request, fetcher.kind === 'follower')
  const maxBytes = Math.max(0, Math.min(request.maxBytes, ctx.config.fetchMaxBytes))
  const reads = session.partitions.map(wanted => new PartitionRead(ctx, wanted, fetcher, isolation))
  const minBytes = Math.min(request.minBytes, maxBytes)
  await untilReadable(ctx, reads, minBytes, ctx.deadlineMs(request.maxWaitMs))

  const granted = ctx.server.memory.grant(Math.min(maxBytes, allowedBytes(reads)))
  try {
    return await answer(ctx, session, reads, granted, isolation)
  } finally {
    ctx.server.memory.give(granted)
  }
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
        followerLogStart: data.logStartOffset,
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

/** The most that partitions with something to read may take. */
function allowedBytes(reads: readonly PartitionRead[]): number {
  const allowed = ({ bytes, wanted }: PartitionRead) =>
    bytes > 0 ? Math.max(0, wanted.maxBytes) : 0
  return reads.reduce((sum, read) => sum + allowed(read), 0)
}

function readableBytes(reads: readonly PartitionRead[]): number {
  return reads.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** Parks until `minBytes` are readable, an error is to be told, or the waiting is over. */
async function untilReadable(
  ctx: RequestContext,
  reads: readonly PartitionRead[],
  minBytes: number,
  deadlineMs: number,
): Promise<void> {
  const { clock } = ctx.io
  const { hurry } = ctx.connection
  const isReady = () => readableBytes(reads) >= minBytes || reads.some(read => read.hasNews())
  const waitMs = deadlineMs - clock.monotonicMs()
  if (reads.length === 0 || waitMs <= 0 || hurry.aborted || isReady()) return
  await new Promise<void>(resolve => {
    const cancels = new Map<PartitionRead, () => void>()
    const finish = () => {
      timer.cancel()
      hurry.removeEventListener('abort', finish)
      for (const cancel of cancels.values()) cancel()
      resolve()
    }
    let missing = minBytes - readableBytes(reads)
    const park = (read: PartitionRead) => {
      const wake = () => {
        const before = read.bytes
        read.look()
        missing -= read.bytes - before
        // Leadership may be gone: what that means is for the read to say.
        if (missing <= 0 || read.hasNews() || !read.isStillServed()) finish()
        else park(read)
      }
      cancels.set(read, (read.partition as Partition).onceProgress(wake))
    }
    const timer = clock.timer(waitMs, finish)
    hurry.addEventListener('abort', finish)
    for (const read of reads) park(read)
  })
}

/** Reads in order and shapes the answer. */
async function answer(
  ctx: RequestContext,
  session: FetchContext,
  reads: readonly PartitionRead[],
  maxBytes: number,
  isolation: Isolation,
): Promise<FetchResponse> {
  const leaders = currentLeaders(ctx, { leader: 12, endpoints: 16 })
  const topics = new Map<string, TopicAnswer & { partitions: PartitionAnswer[] }>()
  const slabs: Slab[] = []
  const release = () => {
    for (const slab of slabs.splice(0)) slab.release()
  }
  let left = maxBytes
  let isEmpty = true
  for (const read of reads) {
    const { wanted } = read
    if (read.isIdle(session)) continue
    const limits = {
      maxBytes: Math.max(0, Math.min(left, wanted.maxBytes)),
      atLeastOneBatch: isEmpty,
    }
    const { data, bytes, slabs: held } = await readPartition(ctx, read, limits, isolation, leaders)
    slabs.push(...held)
    // Most answers have nothing to release: they leave as one write.
    if (held.length > 0) ctx.sent = release
    left -= bytes
    isEmpty &&= bytes === 0
    const { errorCode, highWatermark, logStartOffset = -1, preferredReadReplica = -1 } = data
    const news = {
      errorCode,
      hasAdvice: data.divergingEpoch !== undefined || preferredReadReplica !== -1,
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
  read: PartitionRead,
  limits: ReadLimits,
  isolation: Isolation,
  leaders: CurrentLeaders,
): Promise<{ data: PartitionAnswer; bytes: number; slabs: readonly Slab[] }> {
  const { wanted } = read
  const partitionIndex = wanted.index
  const noneAborted = isolation === 'read_committed' ? [] : null
  try {
    const found = await read.read(limits)
    const { highWatermark, lastStableOffset, logStartOffset, chunks, bytes, slabs = [] } = found
    const { divergence, preferredReplica, abortedTransactions = noneAborted } = found
    const data: PartitionAnswer = {
      partitionIndex,
      errorCode: 0,
      highWatermark,
      lastStableOffset,
      logStartOffset,
      abortedTransactions,
      records: chunks,
      ...(divergence !== undefined && { divergingEpoch: divergence }),
      ...(preferredReplica !== undefined && { preferredReadReplica: preferredReplica }),
    }
    return { data, bytes, slabs }
  } catch (error) {
    const { errorCode } = ctx.refusal(error)
    const currentLeader = leaders.after(error, wanted.topicId, wanted.topic, wanted.index)
    const data: PartitionAnswer = {
      partitionIndex,
      errorCode,
      highWatermark: -1,
      logStartOffset: read.logStartAfter(error),
      abortedTransactions: noneAborted,
      records: noRecords,
      ...(currentLeader !== undefined && { currentLeader }),
    }
    return { data, bytes: 0, slabs: [] }
  }
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
