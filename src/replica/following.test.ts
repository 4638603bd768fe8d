import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Peers } from '../client/peers.ts'
import type { FetcherConfig } from '../config/fetcher-config.ts'
import type { LogConfig } from '../config/log-config.ts'
import { config as logConfig, openDirectory, topicId } from '../log/fixture.ts'
import type { Log } from '../log/log.ts'
import { type ErrorName, errorCode } from '../protocol/errors.ts'
import { fetchRequest, fetchResponse } from '../protocol/messages/fetch.ts'
import { buildBatch } from '../protocol/records/build.ts'
import { type ScriptedRequest, scriptedBroker } from '../sim/scripted-broker.ts'
import { simulated, type World } from '../sim/world.ts'
import { Fetchers } from './fetchers.ts'
import { fetcherConfig } from './fixture.ts'
import { Partition } from './partition.ts'

const leaderId = 2
const versions = new Map([[fetchRequest.apiKey!, 18]])

type Request = ReturnType<typeof fetchBody>
type Answer = Parameters<ScriptedRequest['answer']>[1] & object
interface PartitionAnswer {
  readonly error?: ErrorName
  readonly records?: Uint8Array
  readonly highWatermark?: number
  readonly logStartOffset?: number
  readonly divergingEpoch?: { epoch: number; endOffset: number }
}

function fetchBody(request: ScriptedRequest) {
  return request.body(fetchRequest)
}

function batch(baseOffset: number, leaderEpoch: number, ...values: string[]): Uint8Array {
  return buildBatch(
    { baseOffset, leaderEpoch },
    values.map(value => ({ timestamp: 1_767_225_600_000, value })),
  )
}

/** A follower whose leader is the test. */
class Stage {
  readonly world: World
  readonly log: Log
  readonly partition: Partition
  readonly #otherLog: Log
  readonly fetchers: Fetchers
  readonly seen: Request[] = []
  validUntilMs = Number.POSITIVE_INFINITY
  /** Partition 0 is throttled. */
  readonly throttle = {
    exceeded: false,
    bytes: 0,
    covers: (_: string, index: number) => index === 0,
    isExceeded: () => this.throttle.exceeded,
    record: (bytes: number) => void (this.throttle.bytes += bytes),
  }
  config: FetcherConfig = fetcherConfig
  readonly #unanswered: ScriptedRequest[] = []
  readonly #waiting: ((request: ScriptedRequest) => void)[] = []

  static async open(world: World, config: Partial<LogConfig> = {}): Promise<Stage> {
    const directory = await openDirectory(world.io('follower'))
    const openPartition = (partition: number) =>
      directory.openLog({ topic: 'words', partition, topicId, config: { ...logConfig, ...config } })
    const stage = new Stage(world, await openPartition(0), await openPartition(1))
    await scriptedBroker(world.io('leader'), 9092, versions, request => stage.#onRequest(request))
    return stage
  }

  private constructor(world: World, log: Log, otherLog: Log) {
    const io = world.io('follower')
    this.world = world
    this.log = log
    this.#otherLog = otherLog
    this.partition = new Partition(io.clock, this, log, logConfig, 0)
    this.fetchers = new Fetchers(io, {
      peers: new Peers(io, {
        clientId: 'broker-1',
        addressOf: () => ({ host: 'leader', port: 9092 }),
      }),
      self: () => (io.clock.monotonicMs() < this.validUntilMs ? [1, 77n] : undefined),
      config: () => this.config,
      throttle: this.throttle,
    })
  }

  #onRequest(request: ScriptedRequest): void {
    this.seen.push(fetchBody(request))
    const waiting = this.#waiting.shift()
    if (waiting === undefined) this.#unanswered.push(request)
    else waiting(request)
  }

  follow(leaderEpoch: number): void {
    this.fetchers.follow(this.partition, this.log, leaderId, leaderEpoch, true)
  }

  /** Partition 1, too. */
  followOther(leaderEpoch: number, isAwaited = true): void {
    const partition = new Partition(
      this.world.io('follower').clock,
      this,
      this.#otherLog,
      logConfig,
      0,
    )
    this.fetchers.follow(partition, this.#otherLog, leaderId, leaderEpoch, isAwaited)
  }

  /** The next Fetch. */
  async next(): Promise<ScriptedRequest> {
    const arrived = this.#unanswered.shift()
    return arrived ?? (await new Promise(resolve => void this.#waiting.push(resolve)))
  }

  /** Where the next Fetch begins. */
  async position() {
    const request = await this.next()
    const { topics } = fetchBody(request)
    const { fetchOffset, lastFetchedEpoch, currentLeaderEpoch } = topics[0]!.partitions[0]!
    return { request, fetchOffset, lastFetchedEpoch, currentLeaderEpoch }
  }

  /** Answers a Fetch for partition 0, and no others. */
  answer(request: ScriptedRequest, answer: PartitionAnswer, sessionId = 0): void {
    const { error, records = new Uint8Array(0), highWatermark = 0, ...rest } = answer
    const errors = { errorCode: error === undefined ? 0 : errorCode(error) }
    const data = { partitionIndex: 0, ...errors, highWatermark, records, ...rest }
    request.answer(fetchResponse, {
      sessionId,
      responses: [
        { topicId, partitions: [{ abortedTransactions: null, logStartOffset: 0, ...data }] },
      ],
    } as unknown as Answer as never)
  }
}

function staged(
  run: (stage: Stage) => Promise<void>,
  config: Partial<LogConfig> = {},
): Promise<void> {
  return simulated().run(async world => {
    const stage = await Stage.open(world, config)
    await run(stage)
    await stage.fetchers.close()
  })
}

test('a follower says who it is, in which epoch it follows, and where its log ends', () =>
  staged(async stage => {
    await stage.log.appendFetched(batch(0, 3, 'a', 'b'), 3)
    stage.follow(5)
    const { request, ...position } = await stage.position()
    assert.deepEqual(position, { fetchOffset: 2, lastFetchedEpoch: 3, currentLeaderEpoch: 5 })
    const { replicaState, maxWaitMs, minBytes, maxBytes, topics } = fetchBody(request)
    assert.deepEqual(replicaState, { replicaId: 1, replicaEpoch: 77 })
    assert.deepEqual([maxWaitMs, minBytes, maxBytes], [500, 1, 10 * 1024 * 1024])
    assert.equal(topics[0]!.partitions[0]!.partitionMaxBytes, 1024 * 1024)
  }))

test('what it fetched last is of the newest epoch in its table, not of its last batch', () =>
  staged(async stage => {
    await stage.log.appendFetched(batch(0, 3, 'a'), 3)
    await stage.log.becomeLeader(4)
    stage.follow(5)
    assert.equal((await stage.position()).lastFetchedEpoch, 4)
  }))

test('records are asked for from the end of those that came, and the high watermark follows', () =>
  staged(async stage => {
    stage.follow(5)
    stage.answer(await stage.next(), { records: batch(0, 5, 'a', 'b', 'c'), highWatermark: 2 })
    const { request, fetchOffset, lastFetchedEpoch } = await stage.position()
    assert.deepEqual([fetchOffset, lastFetchedEpoch], [3, 5])
    assert.equal(stage.partition.highWatermark, 2)
    stage.answer(request, { highWatermark: 9 })
    await stage.next()
    assert.equal(stage.partition.highWatermark, 3)
  }))

test('one Fetch is under way at a time', () =>
  staged(async stage => {
    stage.follow(5)
    await stage.next()
    await stage.world.sleep(400)
    assert.equal(stage.seen.length, 1)
  }))

test('with a sync after each write it tells of nothing that is not synced', () =>
  staged(
    async stage => {
      stage.follow(5)
      for (let offset = 0; offset < 20; offset++) {
        const { request, fetchOffset } = await stage.position()
        assert.equal(fetchOffset, offset)
        assert.ok(stage.log.durableEndOffset >= fetchOffset)
        stage.answer(request, { records: batch(offset, 5, 'a') })
      }
    },
    { flushMessages: 1 },
  ))

test('when the policy becomes to sync each write, it first syncs what it had', () =>
  staged(async stage => {
    stage.follow(5)
    stage.answer(await stage.next(), { records: batch(0, 5, 'a') })
    const { request } = await stage.position()
    assert.equal(stage.log.durableEndOffset, 0)
    stage.partition.configure({ ...logConfig, flushMessages: 1 })
    stage.answer(request, {})
    const { fetchOffset } = await stage.position()
    assert.deepEqual([fetchOffset, stage.log.durableEndOffset], [1, 1])
  }))

test('a new leadership cuts nothing by itself, however low the high watermark is', () =>
  staged(async stage => {
    await stage.log.appendFetched(batch(0, 3, 'a', 'b', 'c'), 3)
    stage.follow(4)
    const { request, fetchOffset } = await stage.position()
    assert.equal(fetchOffset, 3)
    stage.answer(request, { highWatermark: 1 })
    assert.equal((await stage.position()).fetchOffset, 3)
    await stage.fetchers.unfollow(stage.log)
    stage.follow(5)
    assert.equal((await stage.position()).fetchOffset, 3)
    assert.equal(stage.log.logEndOffset, 3)
  }))

test('where the tables part, the log is cut, in as many rounds as it takes', () =>
  staged(async stage => {
    for (const [offset, epoch] of [0, 1, 1, 2, 4, 4].entries()) {
      await stage.log.appendFetched(batch(offset, epoch, `${offset}`), epoch)
    }
    stage.follow(7)
    const first = await stage.position()
    assert.deepEqual([first.fetchOffset, first.lastFetchedEpoch], [6, 4])
    // The leader's epoch 3 ended at 5; here the newest one before it is epoch 2, which ended at 4.
    stage.answer(first.request, { divergingEpoch: { epoch: 3, endOffset: 5 } })
    const second = await stage.position()
    assert.deepEqual([second.fetchOffset, second.lastFetchedEpoch], [4, 2])
    stage.answer(second.request, { divergingEpoch: { epoch: 1, endOffset: 2 } })
    const third = await stage.position()
    assert.deepEqual([third.fetchOffset, third.lastFetchedEpoch], [2, 1])
    stage.answer(third.request, { records: batch(2, 7, 'new') })
    assert.equal((await stage.position()).fetchOffset, 3)
  }))

test('a log that has no epoch so old is cut from its first record', () =>
  staged(async stage => {
    await stage.log.appendFetched(Buffer.concat([batch(0, 5, 'a'), batch(1, 5, 'b')]), 5)
    stage.follow(7)
    const { request } = await stage.position()
    stage.answer(request, { divergingEpoch: { epoch: 2, endOffset: 1 } })
    const { fetchOffset, lastFetchedEpoch } = await stage.position()
    assert.deepEqual([fetchOffset, lastFetchedEpoch], [0, -1])
  }))

test('an epoch in which this broker led and wrote nothing goes with the first answer', () =>
  staged(async stage => {
    await stage.log.appendFetched(batch(0, 3, 'a'), 3)
    await stage.log.becomeLeader(4)
    stage.follow(5)
    const { request } = await stage.position()
    stage.answer(request, { divergingEpoch: { epoch: 3, endOffset: 1 } })
    const { fetchOffset, lastFetchedEpoch } = await stage.position()
    assert.deepEqual([fetchOffset, lastFetchedEpoch], [1, 3])
  }))

test('to cut committed records is an error that people are told of', () =>
  staged(async stage => {
    stage.follow(3)
    stage.answer(await stage.next(), { records: batch(0, 3, 'a', 'b'), highWatermark: 2 })
    const { request } = await stage.position()
    stage.answer(request, { divergingEpoch: { epoch: 3, endOffset: 1 } })
    await stage.next()
    assert.deepEqual([stage.log.logEndOffset, stage.partition.highWatermark], [0, 0])
    assert.match(stage.world.reported.at(-1)!.message, /committed records are cut/)
  }))

test('an answer to an earlier leadership’s request is not used, whatever it says', () =>
  staged(async stage => {
    const answers: PartitionAnswer[] = [
      { divergingEpoch: { epoch: 0, endOffset: 0 } },
      { records: batch(2, 3, 'old') },
      { error: 'OFFSET_OUT_OF_RANGE', logStartOffset: 100 },
      { highWatermark: 2 },
    ]
    await stage.log.appendFetched(batch(0, 3, 'a', 'b'), 3)
    for (const [index, answer] of answers.entries()) {
      stage.follow(4 + index)
      const { request } = await stage.position()
      await stage.fetchers.unfollow(stage.log)
      stage.follow(5 + index)
      stage.answer(request, answer)
      const next = await stage.position()
      const { fetchOffset, lastFetchedEpoch, currentLeaderEpoch } = next
      assert.deepEqual([fetchOffset, lastFetchedEpoch, currentLeaderEpoch], [2, 3, 5 + index])
      assert.deepEqual([stage.log.logEndOffset, stage.partition.highWatermark], [2, 0])
      await stage.fetchers.unfollow(stage.log)
      stage.answer(next.request, {})
    }
  }))

test('a request that waits for news is given up for a newcomer only if writes wait for that', () =>
  staged(async stage => {
    stage.follow(3)
    const { request } = await stage.position()
    stage.followOther(3, false)
    await stage.world.sleep(200)
    assert.equal(stage.seen.length, 1)
    // It comes along with the next request.
    stage.answer(request, {})
    await stage.next()
    assert.equal(stage.seen[1]!.topics[0]!.partitions.length, 2)

    await stage.fetchers.unfollow(stage.log)
    stage.follow(4)
    await stage.next()
    const epochs = stage.seen[2]!.topics[0]!.partitions.map(each => each.currentLeaderEpoch)
    assert.deepEqual(epochs.toSorted(), [3, 4])
  }))

test('a second part of an answer for the same partition is not used', () =>
  staged(async stage => {
    await stage.log.appendFetched(batch(0, 3, 'a'), 3)
    stage.follow(4)
    const { request } = await stage.position()
    const part = (records: Uint8Array, endOffset: number) => ({
      partitionIndex: 0,
      errorCode: 0,
      highWatermark: 0,
      abortedTransactions: null,
      divergingEpoch: { epoch: 0, endOffset },
      records,
    })
    const partitions = [part(batch(1, 4, 'b'), -1), part(new Uint8Array(0), 0)]
    request.answer(fetchResponse, { responses: [{ topicId, partitions }] })
    assert.equal((await stage.position()).fetchOffset, 2)
  }))

test('a log that ends below all that the leader has begins anew there', () =>
  staged(async stage => {
    await stage.log.appendFetched(batch(0, 3, 'a'), 3)
    stage.follow(4)
    stage.answer(await stage.next(), { error: 'OFFSET_OUT_OF_RANGE', logStartOffset: 50 })
    const { request, fetchOffset, lastFetchedEpoch } = await stage.position()
    assert.deepEqual([fetchOffset, lastFetchedEpoch], [50, -1])
    const { logStartOffset, highWatermark } = stage.partition
    assert.deepEqual([logStartOffset, highWatermark], [50, 50])
    // The leader's log starts inside a batch.
    stage.answer(request, {
      records: batch(48, 4, 'a', 'b', 'c'),
      highWatermark: 51,
      logStartOffset: 50,
    })
    assert.equal((await stage.position()).fetchOffset, 51)
    assert.deepEqual([stage.log.logStartOffset, stage.partition.highWatermark], [50, 51])
  }))

test('a log that ends above all that its leader has stays as it is', () =>
  staged(async stage => {
    await stage.log.appendFetched(batch(0, 3, 'a', 'b'), 3)
    stage.follow(4)
    stage.answer(await stage.next(), { error: 'OFFSET_OUT_OF_RANGE', logStartOffset: 0 })
    assert.equal((await stage.position()).fetchOffset, 2)
    assert.match(stage.world.reported.at(-1)!.message, /cannot follow the leader/)
  }))

test('records that the leader deleted are deleted here, but no further than the high watermark', () =>
  staged(async stage => {
    stage.follow(3)
    const records = batch(0, 3, 'a', 'b', 'c')
    stage.answer(await stage.next(), { records, highWatermark: 1, logStartOffset: 2 })
    const second = await stage.next()
    assert.equal(stage.log.logStartOffset, 1)
    stage.answer(second, { highWatermark: 3, logStartOffset: 2 })
    await stage.next()
    assert.equal(stage.log.logStartOffset, 2)
  }))

test('a corrupt batch of the leader is never appended, and asked for again', () =>
  staged(async stage => {
    stage.follow(3)
    const corrupt = batch(0, 3, 'a')
    corrupt[65]! ^= 1
    for (let round = 0; round < 3; round++) {
      const { request, fetchOffset } = await stage.position()
      assert.equal(fetchOffset, 0)
      stage.answer(request, { records: corrupt, highWatermark: 1 })
    }
    stage.answer(await stage.next(), { records: batch(0, 3, 'a'), highWatermark: 1 })
    assert.equal((await stage.position()).fetchOffset, 1)
    const told = stage.world.reported.filter(({ level }) => level === 'error')
    assert.equal(told.length, 1)
    assert.equal((told[0]!.fields['error'] as { error: string }).error, 'CORRUPT_MESSAGE')
  }))

test('a leader that refuses is asked again, less and less often, and nobody is told of what passes', () =>
  staged(async stage => {
    stage.follow(3)
    const refusals: ErrorName[] = [
      'NOT_LEADER_OR_FOLLOWER',
      'FENCED_LEADER_EPOCH',
      'UNKNOWN_LEADER_EPOCH',
      'UNKNOWN_TOPIC_ID',
    ]
    const askedAtMs: number[] = []
    for (let round = 0; round < 12; round++) {
      const request = await stage.next()
      askedAtMs.push(stage.world.nowMs)
      stage.answer(request, { error: refusals[round % refusals.length]! })
    }
    const pausesMs = askedAtMs.slice(1).map((atMs, index) => atMs - askedAtMs[index]!)
    assert.ok(pausesMs[0]! < 100, `${pausesMs}`)
    assert.ok(pausesMs.at(-1)! >= 1000 && pausesMs.at(-1)! < 1100, `${pausesMs}`)
    assert.deepEqual(stage.world.reported, [])
    stage.answer(await stage.next(), { records: batch(0, 3, 'a') })
    assert.equal((await stage.position()).fetchOffset, 1)
  }))

test('a broker whose registration ran out asks nobody, and uses no answer', () =>
  staged(async stage => {
    stage.follow(3)
    const request = await stage.next()
    stage.validUntilMs = 0
    stage.answer(request, { records: batch(0, 3, 'a') })
    await stage.world.sleep(5000)
    assert.deepEqual([stage.seen.length, stage.log.logEndOffset], [1, 0])
    stage.validUntilMs = Number.POSITIVE_INFINITY
    assert.equal((await stage.position()).fetchOffset, 0)
  }))

test('within a session it names what changed, and after its loss everything', () =>
  staged(async stage => {
    stage.follow(3)
    const first = await stage.next()
    assert.deepEqual([fetchBody(first).sessionId, fetchBody(first).sessionEpoch], [0, 0])
    stage.answer(first, { records: batch(0, 3, 'a') }, 9)
    const second = fetchBody(await stage.next())
    assert.deepEqual([second.sessionId, second.sessionEpoch, second.topics.length], [9, 1, 1])
  }))

test('a session with nothing new is asked for nothing; a leader that forgot it is told all', () =>
  staged(async stage => {
    stage.follow(3)
    stage.answer(await stage.next(), {}, 9)
    const second = await stage.next()
    assert.deepEqual(fetchBody(second).topics, [])
    second.answer(fetchResponse, {
      errorCode: errorCode('FETCH_SESSION_ID_NOT_FOUND'),
      responses: [],
    })
    const third = fetchBody(await stage.next())
    assert.deepEqual([third.sessionEpoch, third.topics.length], [0, 1])
  }))

test('an answer that is lost with its connection leaves nothing of the session', () =>
  staged(async stage => {
    stage.follow(3)
    stage.answer(await stage.next(), {}, 9)
    const second = await stage.next()
    second.socket.destroy()
    const third = fetchBody(await stage.next())
    assert.deepEqual([third.sessionEpoch, third.topics.length], [0, 1])
  }))

test('a full disk holds the partition, and it goes on when there is room', () =>
  staged(async stage => {
    stage.follow(3)
    const request = await stage.next()
    stage.world.disk('follower').fault = (operation, path) =>
      operation === 'write' && path.endsWith('.log') ? 'ENOSPC' : undefined
    stage.answer(request, { records: batch(0, 3, 'a'), highWatermark: 1 })
    const again = await stage.position()
    assert.deepEqual([again.fetchOffset, stage.partition.highWatermark], [0, 0])
    stage.world.disk('follower').fault = undefined
    stage.answer(again.request, { records: batch(0, 3, 'a'), highWatermark: 1 })
    for (;;) {
      const { request: next, fetchOffset } = await stage.position()
      if (fetchOffset === 1) break
      stage.answer(next, { records: batch(0, 3, 'a'), highWatermark: 1 })
    }
    assert.equal(stage.partition.highWatermark, 1)
  }))

/** What a Fetch asks for, as it would be without a session. */
function askedFor(request: ScriptedRequest): number[] {
  const partitions = fetchBody(request).topics.flatMap(topic => topic.partitions)
  return partitions.map(({ partition }) => partition).sort()
}

/** The first Fetch for two partitions. */
async function askedForBoth(stage: Stage): Promise<ScriptedRequest> {
  let request = await stage.next()
  while (askedFor(request).length < 2) {
    stage.answer(request, {})
    request = await stage.next()
  }
  return request
}

test('a slow disk holds its own partition: others are asked for, and missed for a short time only', () =>
  staged(async stage => {
    stage.follow(3)
    stage.followOther(3)
    const request = await askedForBoth(stage)
    const records = batch(0, 3, 'x'.repeat(1_000_000))
    stage.world.disk('follower').callMs = { min: 200, max: 200 }
    stage.answer(request, { records })
    const meanwhile = await stage.next()
    assert.deepEqual(askedFor(meanwhile), [1])
    const { maxWaitMs, maxBytes } = fetchBody(meanwhile)
    assert.deepEqual([maxWaitMs, maxBytes], [20, 10 * 1024 * 1024 - records.length])
    await stage.world.sleep(5000)
    stage.answer(meanwhile, {})
    assert.deepEqual(askedFor(await stage.next()), [0, 1])
  }))

test('while half of what it may hold is being written, it asks for nothing', () =>
  staged(async stage => {
    stage.config = { ...fetcherConfig, responseMaxBytes: 1_500_000 }
    stage.follow(3)
    stage.followOther(3)
    const request = await askedForBoth(stage)
    const before = stage.seen.length
    stage.world.disk('follower').callMs = { min: 200, max: 200 }
    stage.answer(request, { records: batch(0, 3, 'x'.repeat(1_000_000)) })
    await stage.world.sleep(150)
    assert.equal(stage.seen.length, before)
    assert.deepEqual(askedFor(await stage.next()), [0, 1])
  }))

test('those to whom one leader gave records are asked for behind the others', () =>
  staged(async stage => {
    stage.follow(3)
    stage.followOther(3)
    const request = await askedForBoth(stage)
    stage.answer(request, { records: batch(0, 3, 'a') })
    const [topic] = fetchBody(await stage.next()).topics
    assert.deepEqual(
      topic!.partitions.map(({ partition }) => partition),
      [1, 0],
    )
  }))

test('a throttled replica that lacks something is not asked for while too much came; others are', () =>
  staged(async stage => {
    stage.follow(3)
    stage.followOther(3)
    const records = batch(0, 3, 'a')
    const request = await askedForBoth(stage)
    stage.throttle.exceeded = true
    stage.answer(request, { records, highWatermark: 9 })
    for (let round = 0; round < 5; round++) {
      const meanwhile = await stage.next()
      assert.deepEqual(askedFor(meanwhile), [1])
      assert.equal(fetchBody(meanwhile).maxWaitMs, 200)
      await stage.world.sleep(200)
      stage.answer(meanwhile, {})
    }
    assert.equal(stage.throttle.bytes, records.length)
    stage.throttle.exceeded = false
    const last = await stage.next()
    stage.answer(last, {})
    const both = askedFor(last).length === 2 ? last : await stage.next()
    assert.deepEqual(askedFor(both), [0, 1])
  }))

test('a throttled replica that has all below the high watermark is asked for as ever', () =>
  staged(async stage => {
    stage.follow(3)
    stage.throttle.exceeded = true
    await stage.world.sleep(1000)
    assert.equal(stage.seen.length, 0)
    stage.throttle.exceeded = false
    const request = await stage.next()
    stage.throttle.exceeded = true
    stage.answer(request, { records: batch(0, 3, 'a'), highWatermark: 1 })
    assert.equal((await stage.position()).fetchOffset, 1)
  }))
