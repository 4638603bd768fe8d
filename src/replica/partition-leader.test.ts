/** A partition as its leader has it: what followers get, and what producers are told. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Member, PartitionState } from '../cluster/partition-state.ts'
import { batchOf, config, openDirectory, openLog, startMs } from '../log/fixture.ts'
import type { Log } from '../log/log.ts'
import { buildBatch } from '../protocol/records/build.ts'
import { simulated, type World } from '../sim/world.ts'
import type { IsrProposal } from './leader-state.ts'
import { type FollowerFetch, type Isolation, Partition } from './partition.ts'

const self: Member = [1, 10n]
const two: Member = [2, 20n]
const three: Member = [3, 30n]

/** Partition 0 of `words`, led by broker 1; brokers 2 and 3 have replicas. */
class Bench {
  readonly world: World
  readonly log: Log
  readonly partition: Partition
  readonly proposals: IsrProposal[] = []
  readonly alive = new Map<number, bigint>([two, three])
  state: PartitionState = {
    leader: self,
    leaderEpoch: 0,
    partitionEpoch: 0,
    minIsr: 1,
    replicas: [1, 2, 3],
    isr: [self, two],
    elr: [],
    lastKnown: [],
    adding: [],
    removing: [],
  }
  #revision = 1n

  private constructor(world: World, log: Log) {
    this.world = world
    this.log = log
    const lifetime = { validUntilMs: Number.POSITIVE_INFINITY }
    this.partition = new Partition(world.io().clock, lifetime, log, config, 0)
  }

  static async start(world: World, changes: Partial<typeof config> = {}): Promise<Bench> {
    return new Bench(world, await openLog(await openDirectory(world.io()), changes))
  }

  /** In the next epoch than before. */
  async lead(changes: Partial<PartitionState> = {}): Promise<void> {
    this.state = { ...this.state, leaderEpoch: this.state.leaderEpoch + 1, ...changes }
    await this.log.becomeLeader(this.state.leaderEpoch)
    this.partition.lead({ value: this.state, modRevision: ++this.#revision }, self, {
      usable: id => this.alive.get(id),
      broker: id => {
        const brokerEpoch = this.alive.get(id)
        return brokerEpoch === undefined ? undefined : { brokerEpoch }
      },
      lagTimeMs: () => 1000,
      propose: (_, proposal) => void this.proposals.push(proposal),
    })
  }

  update(changes: Partial<PartitionState>): void {
    this.state = { ...this.state, ...changes }
    this.partition.update({ value: this.state, modRevision: ++this.#revision }, self)
  }

  produce(value: string, acks = -1, timeoutMs = 5000) {
    const appended = this.partition.append(batchOf([value]), acks)
    const deadlineMs = this.world.io().clock.monotonicMs() + timeoutMs
    const outcome = this.partition.acknowledged(appended, acks, deadlineMs).then(
      () => 'acknowledged',
      error => error.error as string,
    )
    return { ...appended, outcome }
  }

  fetch(member: Member, offset: number, changes: Partial<FollowerFetch> = {}) {
    return this.partition.readForFollower({
      member,
      offset,
      lastFetchedEpoch: offset === 0 ? -1 : this.partition.leaderEpoch,
      currentLeaderEpoch: this.partition.leaderEpoch,
      maxBytes: 1_000_000,
      atLeastOneBatch: true,
      ...changes,
    })
  }
}

function onBench(scenario: (bench: Bench, world: World) => Promise<void>): Promise<void> {
  return simulated().run(async world => scenario(await Bench.start(world), world))
}

async function refusal(answer: Promise<unknown>): Promise<string> {
  return answer.then(
    () => 'none',
    error => error.error,
  )
}

test('a follower reads to the end of what is written; its next fetch moves the watermark', () =>
  onBench(async (bench, world) => {
    await bench.lead()
    const { outcome } = bench.produce('a')
    await world.sleep(10)
    const first = await bench.fetch(two, 0)
    assert.deepEqual([first.bytes > 0, first.highWatermark, first.logStartOffset], [true, 0, 0])
    const consumer = await bench.partition.read({
      ...{ offset: 0, maxBytes: 1000, atLeastOneBatch: true, currentLeaderEpoch: -1 },
      isolation: 'read_uncommitted',
    })
    assert.deepEqual([consumer.bytes, consumer.highWatermark], [0, 0])
    const second = await bench.fetch(two, 1)
    assert.deepEqual([second.bytes, second.highWatermark], [0, 1])
    assert.equal(await outcome, 'acknowledged')
  }))

test('acks=1 waits for nobody, acks=all for all in-sync replicas until its time is over', () =>
  onBench(async bench => {
    await bench.lead()
    assert.equal(await bench.produce('a', 1).outcome, 'acknowledged')
    assert.equal(await bench.produce('b', -1, 500).outcome, 'REQUEST_TIMED_OUT')
  }))

test('a fetch is checked in order, and a refused one changes nothing', () =>
  onBench(async (bench, world) => {
    await bench.lead()
    const { outcome } = bench.produce('a', -1, 300)
    await world.sleep(10)
    const stranger: Member = [4, 40n]
    const wrong = { offset: 2, lastFetchedEpoch: 9 }
    const old = { ...wrong, currentLeaderEpoch: 0 }
    const refusals = [
      await refusal(bench.fetch(stranger, 1, old)),
      await refusal(bench.fetch(stranger, 1, { ...wrong, currentLeaderEpoch: 2 })),
      await refusal(bench.fetch(stranger, 1, { ...wrong, currentLeaderEpoch: -1 })),
      await refusal(bench.fetch(stranger, 1, wrong)),
      await refusal(bench.fetch([2, 19n], 1, wrong)),
      await refusal(bench.fetch(two, 1, wrong)),
      await refusal(bench.fetch(two, 2, { lastFetchedEpoch: -1 })),
      await refusal(bench.fetch(two, 1, { currentLeaderEpoch: 0 })),
      await refusal(bench.fetch([2, 19n], 1)),
      await refusal(bench.fetch([2, 21n], 1, { lastFetchedEpoch: 7 })),
    ]
    assert.deepEqual(refusals, [
      'FENCED_LEADER_EPOCH',
      'UNKNOWN_LEADER_EPOCH',
      'FENCED_LEADER_EPOCH',
      'NOT_LEADER_OR_FOLLOWER',
      'NOT_LEADER_OR_FOLLOWER',
      'OFFSET_OUT_OF_RANGE',
      'OFFSET_OUT_OF_RANGE',
      'FENCED_LEADER_EPOCH',
      'NOT_LEADER_OR_FOLLOWER',
      'OFFSET_OUT_OF_RANGE',
    ])
    assert.equal(bench.partition.highWatermark, 0)
    assert.equal(await outcome, 'REQUEST_TIMED_OUT')
    bench.partition.resign()
    assert.equal(await refusal(bench.fetch(stranger, 1, old)), 'NOT_LEADER_OR_FOLLOWER')
  }))

test('where the logs part the follower is told so, and counts for nothing', () =>
  onBench(async (bench, world) => {
    await bench.lead()
    bench.produce('a', 1)
    bench.produce('b', 1)
    await world.sleep(10)
    await bench.lead({ leaderEpoch: 4 })
    bench.produce('c', 1)
    await world.sleep(10)
    const { bytes, divergence } = await bench.fetch(two, 3, { lastFetchedEpoch: 1 })
    assert.deepEqual([bytes, divergence], [0, { epoch: 1, endOffset: 2 }])
    const unknown = await bench.fetch(two, 3, { lastFetchedEpoch: 3 })
    assert.deepEqual(unknown.divergence, { epoch: 1, endOffset: 2 })
    assert.equal(bench.partition.highWatermark, 0)
    const { divergence: none } = await bench.fetch(two, 2, { lastFetchedEpoch: 1 })
    assert.equal(none, undefined)
    assert.equal(bench.partition.highWatermark, 2)
  }))

test('who waits is acknowledged in the epoch of the append, or not at all', () =>
  onBench(async (bench, world) => {
    await bench.lead()
    const { outcome } = bench.produce('a')
    await world.sleep(10)
    bench.partition.resign()
    await bench.lead({ isr: [self] })
    assert.equal(bench.partition.highWatermark, 1)
    assert.equal(await outcome, 'NOT_LEADER_OR_FOLLOWER')

    const appended = bench.partition.append(batchOf(['b']), -1)
    await bench.lead({ isr: [self] })
    const late = bench.partition.acknowledged(appended, -1, Number.MAX_SAFE_INTEGER)
    assert.equal(await refusal(late), 'NOT_LEADER_OR_FOLLOWER')
  }))

test('another leadership in the store ends this one: who waits is told', () =>
  onBench(async (bench, world) => {
    await bench.lead()
    const { outcome } = bench.produce('a')
    await world.sleep(10)
    bench.update({ leaderEpoch: 2 })
    assert.equal(bench.partition.isLeader, false)
    assert.equal(await outcome, 'NOT_LEADER_OR_FOLLOWER')
  }))

test('too few in-sync replicas: acks=all is refused before the append, and told after it', () =>
  onBench(async (bench, world) => {
    await bench.lead({ minIsr: 2 })
    const { outcome } = bench.produce('a')
    await world.sleep(10)
    bench.update({ isr: [self], elr: [two] })
    assert.equal(await outcome, 'NOT_ENOUGH_REPLICAS_AFTER_APPEND')
    assert.throws(() => bench.produce('b'), { error: 'NOT_ENOUGH_REPLICAS' })
    assert.equal(bench.log.logEndOffset, 1, 'nothing was written')
    assert.equal(await bench.produce('c', 1).outcome, 'acknowledged')
    assert.equal(bench.partition.highWatermark, 0)
  }))

test('what a new leader does not know yet it does not tell', () =>
  onBench(async (bench, world) => {
    await bench.lead()
    bench.produce('a', 1)
    await world.sleep(10)
    await bench.lead()
    const latest = () => bench.partition.listOffset(-1, 'read_uncommitted', -1)
    const byTime = () => bench.partition.listOffset(startMs + 1, 'read_uncommitted', -1)
    assert.equal(await refusal(latest()), 'OFFSET_NOT_AVAILABLE')
    assert.equal(await refusal(byTime()), 'OFFSET_NOT_AVAILABLE')
    const { bytes } = await bench.partition.read({
      ...{ offset: 1, maxBytes: 1000, atLeastOneBatch: true, currentLeaderEpoch: -1 },
      isolation: 'read_uncommitted',
    })
    assert.equal(bytes, 0, 'between the watermark and the end there is nothing, and no error')
    await bench.fetch(two, 1, { lastFetchedEpoch: 1 })
    assert.equal((await latest()).offset, 1)
    assert.equal((await byTime()).offset, -1)
  }))

test('with flush.messages=1 only what is synced counts, and only that is sent', () =>
  simulated().run(async world => {
    const bench = await Bench.start(world, { flushMessages: 1 })
    await bench.lead()
    const { outcome } = bench.produce('a')
    assert.equal(bench.log.durableEndOffset, 0)
    assert.equal((await bench.fetch(two, 0)).bytes, 0)
    await world.sleep(100)
    assert.equal(bench.log.durableEndOffset, 1)
    assert.ok((await bench.fetch(two, 0)).bytes > 0)
    await bench.fetch(two, 1)
    assert.equal(await outcome, 'acknowledged')
  }))

test('a follower that is caught up is proposed; one that lags is proposed to leave', () =>
  onBench(async (bench, world) => {
    await bench.lead()
    bench.produce('a', 1)
    await world.sleep(10)
    await bench.fetch(three, 1)
    assert.deepEqual(
      bench.proposals.map(({ added }) => added),
      [[three]],
    )
    bench.partition.onIsrOutcome(bench.proposals.pop()!, undefined)
    await world.sleep(2000)
    bench.partition.checkLag()
    assert.deepEqual(
      bench.proposals.map(({ isr }) => isr),
      [[self]],
    )
  }))

test('consumers that wait are woken when followers move the watermark', () =>
  onBench(async (bench, world) => {
    await bench.lead()
    bench.produce('a', 1)
    await world.sleep(10)
    let isWoken = false
    bench.partition.onceProgress(() => {
      isWoken = true
    })
    await bench.fetch(two, 0)
    assert.equal(isWoken, false)
    await bench.fetch(two, 1)
    assert.equal(isWoken, true)
  }))

test('who reads what is committed is told what was aborted, and waits where a transaction is open', () =>
  onBench(async bench => {
    const part = (producerId: number, baseOffset: number, isAbort = false) => {
      const options = {
        baseOffset,
        producerId,
        producerEpoch: 0,
        leaderEpoch: 0,
        transactional: true,
      }
      if (!isAbort) return buildBatch({ ...options, baseSequence: 0 }, [{ value: 'v' }])
      return buildBatch({ ...options, control: true }, [{ key: new Uint8Array(4), value: 'end' }])
    }
    // As a log that was taken over from Kafka holds them.
    for (const batch of [part(1, 0), part(2, 1), part(1, 2, true), part(1, 3)]) {
      await bench.log.appendFetched(batch, 0)
    }
    await bench.lead({ isr: [self] })
    assert.deepEqual([bench.partition.highWatermark, bench.partition.lastStableOffset], [4, 1])
    const read = (offset: number, isolation: Isolation) =>
      bench.partition.read({
        ...{ offset, maxBytes: 1000, atLeastOneBatch: true, currentLeaderEpoch: -1, isolation },
      })
    const committed = await read(0, 'read_committed')
    assert.equal(committed.bytes, part(1, 0).length)
    assert.deepEqual(committed.abortedTransactions, [
      { producerId: 1, firstOffset: 0, lastOffset: 2, lastStableOffset: 1 },
    ])
    assert.equal((await read(1, 'read_committed')).bytes, 0)
    assert.equal(bench.partition.availableBytes(1, 'read_committed'), 0)
    assert.ok(bench.partition.availableBytes(1) > 0)
    const all = await read(0, 'read_uncommitted')
    assert.deepEqual([all.lastStableOffset, all.abortedTransactions], [1, undefined])
    assert.ok(all.bytes > 3 * committed.bytes)
    const end = await bench.partition.listOffset(-1, 'read_committed', -1)
    assert.equal(end.offset, 1)
  }))
