import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PartitionState } from '../cluster/partition-state.ts'
import { config, openDirectory, openLog } from '../log/fixture.ts'
import type { Log } from '../log/log.ts'
import { KafkaError } from '../protocol/errors.ts'
import { buildBatch } from '../protocol/records/build.ts'
import { Gate } from '../replica/gate.ts'
import { Partition } from '../replica/partition.ts'
import { simulated, type World } from '../sim/world.ts'
import { Shard } from './shard.ts'
import type { Decision, RecordCodec, ShardState, Times, Waiter } from './shard-state.ts'

/** A word and its meaning; null forgets it. */
interface Entry {
  readonly word: string
  readonly meaning: string | null
}

const codec: RecordCodec<Entry> = {
  encode: ({ word, meaning }) => ({
    key: Buffer.from(word),
    value: meaning === null ? null : Buffer.from(meaning),
  }),
  decode(key, value) {
    const word = Buffer.from(key).toString()
    if (word === 'unknown') return undefined
    if (word === 'damaged') throw new Error('a damaged word')
    return { word, meaning: value === null ? null : Buffer.from(value).toString() }
  },
}

/** A dictionary in which one may wait for a word, and where words may be forgotten with time. */
class Dictionary implements ShardState<Entry> {
  readonly words = new Map<string, string>()
  readonly parked = new Map<string, Waiter<string>>()
  readonly forgetAtMs = new Map<string, number>()
  loadedAtMs = -1
  looks = 0
  /** Of each record the event of the world in which it was applied. */
  readonly appliedIn: number[] = []
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  apply({ word, meaning }: Entry): void {
    this.appliedIn.push(this.#world.eventCount)
    if (meaning === null) this.words.delete(word)
    else this.words.set(word, meaning)
  }

  loaded({ nowMs }: Times): void {
    this.loadedAtMs = nowMs
  }

  define(word: string, meaning: string | null, waiter: Waiter<string>): Decision<Entry> {
    const answers = [{ waiter, response: 'done' }]
    const parked = this.parked.get(word)
    if (parked !== undefined) answers.push({ waiter: parked, response: meaning ?? '' })
    this.parked.delete(word)
    return { records: [{ word, meaning }], answers }
  }

  read(word: string, waiter: Waiter<string>): Decision<Entry> {
    const response = this.words.get(word)
    if (response === undefined) throw new KafkaError('GROUP_ID_NOT_FOUND')
    return { records: [], answers: [{ waiter, response }] }
  }

  await(word: string, waiter: Waiter<string>): Decision<Entry> {
    this.parked.set(word, waiter)
    return { records: [], answers: [] }
  }

  expire({ nowMs }: Times): Decision<Entry> {
    const due = [...this.forgetAtMs].filter(([, atMs]) => atMs <= nowMs).map(([word]) => word)
    for (const word of due) this.forgetAtMs.delete(word)
    return { records: due.map(word => ({ word, meaning: null })), answers: [] }
  }

  nextDeadlineMs(): number {
    this.looks++
    return Math.min(Number.POSITIVE_INFINITY, ...this.forgetAtMs.values())
  }
}

type Words = Shard<Entry, Dictionary>

/** One partition on one machine, as its leader has it. */
class Bench {
  readonly world: World
  readonly partition: Partition
  readonly log: Log
  readonly states: Dictionary[] = []
  readonly lifetime: { validUntilMs: number }
  epoch = 0

  private constructor(
    world: World,
    partition: Partition,
    log: Log,
    lifetime: { validUntilMs: number },
  ) {
    this.world = world
    this.partition = partition
    this.log = log
    this.lifetime = lifetime
  }

  static async start(world: World, changes: Partial<typeof config> = {}): Promise<Bench> {
    const io = world.io()
    const directory = await openDirectory(io)
    const log = await openLog(directory, changes)
    const lifetime = { validUntilMs: Number.POSITIVE_INFINITY }
    const partition = new Partition(io.clock, lifetime, log, { ...config, ...changes }, 0)
    return new Bench(world, partition, log, lifetime)
  }

  /** `isr` with a broker that never fetches keeps the high watermark where it is. */
  lead(isr: readonly number[] = [1]): void {
    const state: PartitionState = {
      leader: [1, 7n],
      leaderEpoch: this.epoch,
      partitionEpoch: 0,
      minIsr: 1,
      replicas: [1, 2],
      isr: isr.map(id => [id, 7n] as const),
      elr: [],
      lastKnown: [],
      adding: [],
      removing: [],
    }
    this.partition.lead({ value: state, modRevision: 1n }, [1, 7n], {
      usable: () => 7n,
      broker: () => ({ brokerEpoch: 7n }),
      lagTimeMs: () => 30_000,
      propose: () => assert.fail('nobody fetches'),
    })
  }

  shard(loadBytes = 1024 * 1024): Words {
    return new Shard(this.world.io(), this.partition, {
      codec,
      newState: () => {
        const state = new Dictionary(this.world)
        this.states.push(state)
        return state
      },
      loading: new Gate(1),
      loadBytes,
      maxBatchBytes: 1024 * 1024,
      compression: () => 'none',
    })
  }

  async append(...entries: Entry[]): Promise<void> {
    const records = entries.map(entry => ({ ...codec.encode(entry), timestamp: 0 }))
    const appended = this.partition.append(buildBatch({}, records), -1)
    await this.partition.acknowledged(appended, 1, Number.POSITIVE_INFINITY)
  }

  get state(): Dictionary {
    return this.states.at(-1)!
  }
}

const forever = Number.POSITIVE_INFINITY
const define = (shard: Words, word: string, meaning: string | null, deadlineMs = forever) =>
  shard.run<string>((state, _, waiter) => state.define(word, meaning, waiter), deadlineMs)
const read = (shard: Words, word: string) =>
  shard.run<string>((state, _, waiter) => state.read(word, waiter), forever)
const awaited = (shard: Words, word: string, deadlineMs = forever) =>
  shard.run<string>((state, _, waiter) => state.await(word, waiter), deadlineMs)

function onBench(
  scenario: (bench: Bench, world: World) => Promise<void>,
  changes: Partial<typeof config> = {},
): Promise<void> {
  return simulated().run(async world => {
    const bench = await Bench.start(world, changes)
    await scenario(bench, world)
  })
}

/** What has happened to a promise so far. */
async function stateOf(promise: Promise<unknown>): Promise<string> {
  const pending = Promise.resolve('pending')
  return Promise.race([
    promise.then(
      () => 'resolved',
      (error: KafkaError) => error.error,
    ),
    pending.then(() => undefined).then(() => 'pending'),
  ])
}

test('a shard loads what is in the log, tombstones and unknown kinds included, and then answers', () =>
  onBench(async (bench, world) => {
    bench.lead()
    await bench.append({ word: 'a', meaning: '1' }, { word: 'b', meaning: '2' })
    await bench.append({ word: 'unknown', meaning: '?' }, { word: 'b', meaning: null })
    await bench.append({ word: 'c', meaning: '3' })
    const shard = bench.shard(1)
    await assert.rejects(read(shard, 'a'), { error: 'COORDINATOR_LOAD_IN_PROGRESS' })
    await world.sleep(100)
    assert.deepEqual(
      [...bench.state.words],
      [
        ['a', '1'],
        ['c', '3'],
      ],
    )
    assert.ok(bench.state.loadedAtMs >= 0)
    assert.equal(await read(shard, 'a'), '1')
    await assert.rejects(read(shard, 'b'), { error: 'GROUP_ID_NOT_FOUND' })
  }))

test('of the transactions in the log those that were committed count', () =>
  onBench(async (bench, world) => {
    let baseOffset = 0
    const add = async (producerId: number, key: string | Buffer, value: string) => {
      const control = typeof key !== 'string'
      const batch = { baseOffset, leaderEpoch: 0, producerId, producerEpoch: 0, control }
      const baseSequence = control ? -1 : 0
      const built = buildBatch({ ...batch, baseSequence, transactional: true }, [{ key, value }])
      await bench.log.appendFetched(built, 0)
      baseOffset++
    }
    const [abort, commit] = [Buffer.from([0, 0, 0, 0]), Buffer.from([0, 0, 0, 1])]
    await add(1, 'a', 'aborted')
    await add(2, 'b', 'committed')
    await add(3, 'c', 'open')
    await add(1, abort, '')
    await add(2, commit, '')
    await add(1, 'd', 'committed later')
    await add(1, commit, '')
    bench.lead()
    const shard = bench.shard(1)
    await world.sleep(100)
    assert.equal(await read(shard, 'b'), 'committed')
    assert.equal(await read(shard, 'd'), 'committed later')
    for (const word of ['a', 'c']) {
      await assert.rejects(read(shard, word), { error: 'GROUP_ID_NOT_FOUND' })
    }
  }))

test('nothing is answered before what the leader found is replicated', () =>
  onBench(async (bench, world) => {
    bench.lead([1, 2])
    await bench.append({ word: 'a', meaning: '1' })
    const shard = bench.shard()
    await world.sleep(10_000)
    await assert.rejects(read(shard, 'a'), { error: 'COORDINATOR_LOAD_IN_PROGRESS' })
    bench.partition.update(
      {
        value: {
          ...{ leader: [1, 7n], leaderEpoch: 0, partitionEpoch: 1, minIsr: 1, replicas: [1, 2] },
          ...{ isr: [[1, 7n]], elr: [], lastKnown: [], adding: [], removing: [] },
        },
        modRevision: 2n,
      },
      [1, 7n],
    )
    await world.sleep(100)
    assert.equal(await read(shard, 'a'), '1')
  }))

test('a shard whose ISR is too small waits for as long as that lasts, and is loaded then', () =>
  onBench(async (bench, world) => {
    bench.lead([1, 2])
    await bench.append({ word: 'a', meaning: '1' })
    const shard = bench.shard()
    const stateWith = (minIsr: number, isr: readonly number[], partitionEpoch: number) => ({
      value: {
        ...{ leader: [1, 7n] as const, leaderEpoch: 0, partitionEpoch, minIsr, replicas: [1, 2] },
        isr: isr.map(id => [id, 7n] as const),
        ...{ elr: [], lastKnown: [], adding: [], removing: [] },
      },
      modRevision: BigInt(partitionEpoch + 1),
    })
    for (let epoch = 1; epoch < 4; epoch++) {
      bench.partition.update(stateWith(2, [1], epoch), [1, 7n])
      await world.sleep(20_000)
      await assert.rejects(read(shard, 'a'), { error: 'COORDINATOR_LOAD_IN_PROGRESS' })
    }
    bench.partition.update(stateWith(1, [1], 4), [1, 7n])
    await world.sleep(10)
    assert.equal(await read(shard, 'a'), '1')
    assert.deepEqual(world.reported, [])
  }))

test('a write is answered when it is replicated, and a read behind it waits for it', () =>
  onBench(async (bench, world) => {
    bench.lead([1, 2])
    const shard = bench.shard()
    await world.sleep(100)
    const written = define(shard, 'a', '1')
    const seen = read(shard, 'a')
    const absent = read(shard, 'z')
    absent.catch(() => {})
    await world.sleep(1000)
    for (const answer of [written, seen, absent]) assert.equal(await stateOf(answer), 'pending')
    bench.partition.update(
      {
        value: {
          ...{ leader: [1, 7n], leaderEpoch: 0, partitionEpoch: 1, minIsr: 1, replicas: [1, 2] },
          ...{ isr: [[1, 7n]], elr: [], lastKnown: [], adding: [], removing: [] },
        },
        modRevision: 2n,
      },
      [1, 7n],
    )
    assert.deepEqual(await Promise.all([written, seen]), ['done', '1'])
    await assert.rejects(absent, { error: 'GROUP_ID_NOT_FOUND' })
  }))

test('a parked answer is given by a later decision', () =>
  onBench(async (bench, world) => {
    bench.lead()
    const shard = bench.shard()
    await world.sleep(100)
    const waiting = awaited(shard, 'a')
    await world.sleep(60_000)
    assert.equal(await stateOf(waiting), 'pending')
    await define(shard, 'a', '1')
    assert.equal(await waiting, '1')
  }))

test('every wait ends at its deadline, and one that was answered too late is forgotten', () =>
  onBench(async (bench, world) => {
    bench.lead()
    const shard = bench.shard()
    await world.sleep(100)
    const nowMs = world.io().clock.monotonicMs()
    const startMs = world.nowMs
    const late = awaited(shard, 'a', nowMs + 5000)
    const early = awaited(shard, 'b', nowMs + 2000)
    await assert.rejects(early, { error: 'COORDINATOR_NOT_AVAILABLE' })
    assert.ok(world.nowMs - startMs < 2010)
    await assert.rejects(late, { error: 'COORDINATOR_NOT_AVAILABLE' })
    assert.ok(world.nowMs - startMs < 5010)
    await define(shard, 'a', '1')
  }))

test('time is a command: what is due is decided, appended and survives', () =>
  onBench(async (bench, world) => {
    bench.lead()
    const shard = bench.shard()
    await world.sleep(100)
    await define(shard, 'a', '1')
    const atMs = world.io().clock.monotonicMs() + 3000
    shard.tell(state => {
      state.forgetAtMs.set('a', atMs)
      return { records: [], answers: [] }
    })
    await world.sleep(2990)
    assert.equal(await read(shard, 'a'), '1')
    await world.sleep(20)
    await assert.rejects(read(shard, 'a'), { error: 'GROUP_ID_NOT_FOUND' })
    shard.close()
    const again = bench.shard()
    await world.sleep(100)
    await assert.rejects(read(again, 'a'), { error: 'GROUP_ID_NOT_FOUND' })
  }))

test('a deadline that only moves later costs no timer of its own', () =>
  onBench(async (bench, world) => {
    bench.lead()
    const shard = bench.shard()
    await world.sleep(100)
    const { clock } = world.io()
    const before = world.eventCount
    for (let i = 0; i < 1000; i++) {
      shard.tell(state => {
        state.forgetAtMs.set('a', clock.monotonicMs() + 1000)
        return { records: [], answers: [] }
      })
      await world.sleep(10)
    }
    // A thousand sleeps of this test, and a timer each second.
    assert.ok(world.eventCount - before < 1030, `${world.eventCount - before} events`)
  }))

test('the end of the leadership fails the parked and the pending, and a new one knows what was kept', () =>
  onBench(async (bench, world) => {
    bench.lead()
    const shard = bench.shard()
    await world.sleep(100)
    await define(shard, 'a', '1')
    const parked = awaited(shard, 'b')
    const pending = define(shard, 'c', '3')
    bench.partition.onLeadership = () => shard.close()
    bench.partition.resign()
    await assert.rejects(parked, { error: 'NOT_COORDINATOR' })
    await assert.rejects(pending, { error: 'NOT_COORDINATOR' })
    await assert.rejects(read(shard, 'a'), { error: 'NOT_COORDINATOR' })
    bench.partition.onLeadership = () => {}
    bench.epoch = 1
    bench.lead()
    const next = bench.shard()
    await world.sleep(100)
    assert.equal(await read(next, 'a'), '1')
  }))

test('a broker whose registration ran out decides nothing', () =>
  onBench(async (bench, world) => {
    bench.lead()
    const shard = bench.shard()
    await world.sleep(100)
    await define(shard, 'a', '1')
    bench.lifetime.validUntilMs = 0
    await assert.rejects(read(shard, 'a'), { error: 'NOT_COORDINATOR' })
    bench.lifetime.validUntilMs = forever
    assert.equal(await read(shard, 'a'), '1')
  }))

test('when the disk takes no more, all who wait are refused, and the log is loaded again', () =>
  onBench(async (bench, world) => {
    bench.lead()
    const shard = bench.shard()
    await world.sleep(100)
    await define(shard, 'a', '1')
    const parked = awaited(shard, 'a')
    world.disk().fault = operation => (operation === 'write' ? 'ENOSPC' : undefined)
    const unwritten = define(shard, 'a', '2')
    await assert.rejects(unwritten, { error: 'NOT_COORDINATOR' })
    await assert.rejects(parked, { error: 'NOT_COORDINATOR' })
    await assert.rejects(read(shard, 'a'), { error: 'COORDINATOR_LOAD_IN_PROGRESS' })
    world.disk().fault = undefined
    await world.sleep(2000)
    assert.equal(await read(shard, 'a'), '1')
    await define(shard, 'a', '3')
    assert.equal(await read(shard, 'a'), '3')
    assert.equal(bench.states.length, 2)
  }))

test('a record that cannot be read takes this shard alone out of service, with a report', () =>
  onBench(async (bench, world) => {
    bench.lead()
    await bench.append({ word: 'a', meaning: '1' }, { word: 'damaged', meaning: 'x' })
    const shard = bench.shard()
    await world.sleep(100)
    await assert.rejects(read(shard, 'a'), {
      error: 'NOT_COORDINATOR',
      message: /record at offset 1 cannot be applied/,
    })
    const lines = world.reported.filter(({ level }) => level === 'error')
    assert.match(lines[0]!.message, /cannot be loaded/)
    await world.sleep(600_000)
    assert.ok(world.reported.length < 20)
    shard.close()
    await assert.rejects(read(shard, 'a'), { error: 'NOT_COORDINATOR' })
  }))

test('records that are too many for one batch make several', () =>
  onBench(
    async (bench, world) => {
      bench.lead()
      const shard = bench.shard()
      await world.sleep(100)
      const records = Array.from({ length: 100 }, (_, i) => ({ word: `w${i}`, meaning: 'm' }))
      await shard.run<string>(
        (_state, _times, waiter) => ({ records, answers: [{ waiter, response: 'done' }] }),
        forever,
      )
      shard.close()
      const again = bench.shard()
      await world.sleep(100)
      for (const { word } of records) assert.equal(await read(again, word), 'm')
    },
    { maxMessageBytes: 300 },
  ))

test('a record that no batch can hold is refused, and the state goes back to what the log holds', () =>
  onBench(
    async (bench, world) => {
      bench.lead()
      const shard = bench.shard()
      await world.sleep(100)
      await define(shard, 'a', '1')
      await assert.rejects(define(shard, 'a', 'x'.repeat(1000)), { error: 'UNKNOWN_SERVER_ERROR' })
      await world.sleep(2000)
      assert.equal(await read(shard, 'a'), '1')
    },
    { maxMessageBytes: 300 },
  ))

test('a stop refuses the parked at once, and still answers what is decided', () =>
  onBench(async (bench, world) => {
    bench.lead()
    const shard = bench.shard()
    await world.sleep(100)
    const parked = awaited(shard, 'b')
    const decided = define(shard, 'a', '1')
    shard.stop()
    await assert.rejects(parked, { error: 'NOT_COORDINATOR' })
    await assert.rejects(define(shard, 'c', '3'), { error: 'NOT_COORDINATOR' })
    assert.equal(await decided, 'done')
  }))

test('what is told to a shard while it is loaded happens afterwards', () =>
  onBench(async (bench, world) => {
    bench.lead()
    await bench.append({ word: 'a', meaning: '1' })
    const shard = bench.shard()
    shard.tell(state => ({
      records: [{ word: `has ${state.words.size}`, meaning: 'y' }],
      answers: [],
    }))
    await world.sleep(100)
    assert.equal(await read(shard, 'has 1'), 'y')
  }))

test('long replays let others have their turn', () =>
  onBench(async (bench, world) => {
    bench.lead()
    const meaning = 'm'.repeat(100)
    for (let i = 0; i < 20; i++) await bench.append({ word: `w${i}`, meaning })
    // Each look at the clock takes two milliseconds: slices end after three records.
    let readings = 0
    const { clock } = world.io()
    const monotonicMs = clock.monotonicMs.bind(clock)
    clock.monotonicMs = () => monotonicMs() + 2 * readings++
    const shard = bench.shard()
    while (!shard.isLoaded) await world.sleep(1)
    assert.equal(bench.state.words.size, 20)
    // Whatever the disk's answers take, between two slices the loop of events is free.
    const turns = new Set(bench.state.appliedIn).size
    assert.ok(turns > 5, `${turns} turns`)
  }))
