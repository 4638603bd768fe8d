import assert from 'node:assert/strict'
import { test } from 'node:test'
import { codecs, keys } from '../cluster/keys.ts'
import type { Member, PartitionState } from '../cluster/partition-state.ts'
import { ClusterNode, UnreliableStore } from '../sim/cluster-node.ts'
import { simulated, type World } from '../sim/world.ts'
import { IsrChanges } from './isr-changes.ts'
import type { IsrProposal, KnownState } from './leader-state.ts'

const topicId = 'wAbCdEfGhIjKlMnOpQrStA'
const key = keys.partition(topicId, 0)

/** Two brokers and a partition that the first one leads; the second one may join. */
class Bench {
  readonly world: World
  readonly first: ClusterNode
  readonly second: ClusterNode
  readonly store: UnreliableStore
  readonly changes: IsrChanges
  readonly outcomes: { proposal: IsrProposal; known: KnownState | undefined }[] = []
  readonly topic = 't'
  readonly topicId = topicId
  readonly index = 0

  private constructor(world: World, first: ClusterNode, second: ClusterNode) {
    this.world = world
    this.first = first
    this.second = second
    this.store = first.store as UnreliableStore
    this.changes = new IsrChanges(first.io, {
      image: first.image,
      transactor: first.transactor,
      brokerId: 1,
      lagTimeMs: () => 1000,
    })
  }

  static async start(world: World): Promise<Bench> {
    const store = new UnreliableStore(world.store('1'))
    const first = await new ClusterNode(world, { brokerId: 1, store }).start()
    const second = await new ClusterNode(world, { brokerId: 2 }).start()
    const bench = new Bench(world, first, second)
    await bench.put({ isr: [bench.self] })
    await world.sleep(1000)
    return bench
  }

  onIsrOutcome(proposal: IsrProposal, known: KnownState | undefined): void {
    this.outcomes.push({ proposal, known })
  }

  get self(): Member {
    return [1, this.first.membership.brokerEpoch!]
  }

  get other(): Member {
    return [2, this.second.membership.brokerEpoch!]
  }

  /** As another writer would. */
  async put(changes: Partial<PartitionState>): Promise<void> {
    const value = codecs.partition.encode({
      leader: this.self,
      leaderEpoch: 1,
      partitionEpoch: 1,
      minIsr: 1,
      replicas: [1, 2],
      isr: [],
      elr: [],
      lastKnown: [],
      adding: [],
      removing: [],
      ...changes,
    })
    await this.world.store('1').txn([], [{ put: key, value }])
  }

  async stored(): Promise<KnownState> {
    const { entries } = await this.world.store('1').get({ key })
    const { value, modRevision } = entries[0]!
    return { value: codecs.partition.decode(value), modRevision }
  }

  /** The second broker is to join what is stored now. */
  async expansion(member = this.other): Promise<IsrProposal> {
    const from = await this.stored()
    return { from, isr: [...from.value.isr, member], added: [member] }
  }

  get isrs(): (readonly Member[] | undefined)[] {
    return this.outcomes.map(({ known }) => known?.value.isr)
  }

  stop(): void {
    this.changes.close()
    this.first.abandon()
    this.second.abandon()
  }
}

function onBench(scenario: (bench: Bench, world: World) => Promise<void>): Promise<void> {
  return simulated().run(async world => {
    const bench = await Bench.start(world)
    await scenario(bench, world)
    bench.stop()
  })
}

test('a proposal becomes the state in the store, with the revision it got', () =>
  onBench(async (bench, world) => {
    const proposal = await bench.expansion()
    bench.changes.propose(bench, proposal)
    await world.sleep(1000)
    const { known, ...rest } = bench.outcomes[0]!
    assert.equal(rest.proposal, proposal)
    assert.deepEqual(known?.value.isr, [bench.self, bench.other])
    const stored = await bench.stored()
    assert.equal(known?.modRevision, stored.modRevision)
    assert.deepEqual(known?.value.isr, stored.value.isr)
    assert.equal(stored.value.partitionEpoch, 2)
    assert.deepEqual([bench.changes.expands, bench.changes.shrinks], [1, 0])

    const shrink = { from: stored, isr: [bench.self], added: [] }
    bench.changes.propose(bench, shrink)
    await world.sleep(1000)
    assert.deepEqual((await bench.stored()).value.isr, [bench.self])
    assert.deepEqual([bench.changes.expands, bench.changes.shrinks], [1, 1])
  }))

test('without an answer nothing is said until it is certain, and the proposal is sent once more', () =>
  onBench(async (bench, world) => {
    bench.store.fates.push('unanswered', 'lost', 'lost', 'lost', 'lost')
    bench.changes.propose(bench, await bench.expansion())
    await world.sleep(300)
    assert.equal((await bench.stored()).value.isr.length, 2, 'it arrived')
    assert.deepEqual(bench.outcomes, [], 'and nobody knows')
    await world.sleep(5000)
    assert.deepEqual(bench.isrs, [[bench.self, bench.other]])
    assert.equal((await bench.stored()).value.partitionEpoch, 2)
  }))

test('a state that another writer made of an unanswered proposal is not taken for the proposal', () =>
  onBench(async (bench, world) => {
    bench.store.fates.push('unanswered')
    bench.changes.propose(bench, await bench.expansion())
    await world.sleep(20)
    const joined = await bench.stored()
    assert.deepEqual(joined.value.isr, [bench.self, bench.other])
    // As the controller does when the second one is gone: it writes back what it read.
    await bench.put({ ...joined.value, isr: [bench.self], partitionEpoch: 3 })
    await world.sleep(500)
    assert.deepEqual(
      bench.outcomes.map(({ known }) => known),
      [await bench.stored()],
    )
  }))

test('few proposals are under way at the same time, and all get their turn', () =>
  onBench(async (bench, world) => {
    const proposal = await bench.expansion()
    let [underWay, most] = [0, 0]
    const store = bench.store.txn.bind(bench.store)
    bench.store.txn = async (...transaction) => {
      most = Math.max(most, ++underWay)
      return await store(...transaction).finally(() => underWay--)
    }
    for (let count = 0; count < 100; count++) bench.changes.propose(bench, proposal)
    await world.sleep(1000)
    assert.equal(bench.outcomes.length, 100)
    assert.ok(most > 1 && most <= 8, `${most} at once`)
  }))

test('a proposal on an older state is refused with the state found', () =>
  onBench(async (bench, world) => {
    const proposal = await bench.expansion()
    await bench.put({ isr: [bench.self], partitionEpoch: 7 })
    bench.changes.propose(bench, proposal)
    await world.sleep(1000)
    assert.equal(bench.outcomes[0]!.known?.value.partitionEpoch, 7)
    assert.equal((await bench.stored()).value.isr.length, 1)
    assert.equal(bench.changes.failures, 1)
  }))

test('a leader whose registration is gone changes nothing', () =>
  onBench(async (bench, world) => {
    const state = await bench.stored()
    const leader: Member = [1, bench.self[1] - 1n]
    const from = { ...state, value: { ...state.value, leader } }
    bench.changes.propose(bench, { from, isr: [bench.other], added: [bench.other] })
    await world.sleep(1000)
    assert.deepEqual(bench.isrs, [[bench.self]])
    assert.deepEqual((await bench.stored()).value.isr, [bench.self])
  }))

test('a member that registered anew, or begins to stop, does not join whatever the image says', () =>
  onBench(async (bench, world) => {
    bench.changes.propose(bench, await bench.expansion([2, bench.other[1] - 1n]))
    await world.sleep(1000)
    assert.equal((await bench.stored()).value.isr.length, 1)

    const stopping = keys.stopping(2)
    await world.store('1').txn([], [{ put: stopping, value: codecs.stopping.encode({}) }])
    bench.changes.propose(bench, await bench.expansion())
    await world.sleep(1000)
    assert.equal((await bench.stored()).value.isr.length, 1)
    assert.equal(bench.changes.failures, 2)
  }))

test('a leader that stops goes on while it is alone, and hands over to the first who joins', () =>
  onBench(async (bench, world) => {
    await bench.put({ isr: [bench.self, bench.other] })
    const stopping = keys.stopping(1)
    await world.store('1').txn([], [{ put: stopping, value: codecs.stopping.encode({}) }])
    await world.sleep(1000)
    bench.changes.propose(bench, { from: await bench.stored(), isr: [bench.self], added: [] })
    await world.sleep(1000)
    assert.deepEqual((await bench.stored()).value.leader, bench.self)
    assert.equal((await bench.stored()).value.leaderEpoch, 1)
    bench.changes.propose(bench, await bench.expansion())
    await world.sleep(1000)
    assert.deepEqual((await bench.stored()).value.leader, bench.other)
    assert.equal((await bench.stored()).value.leaderEpoch, 2)
  }))

test('one timer looks at all partitions that have followers, and there is none without', () =>
  onBench(async (bench, world) => {
    let checks = 0
    const partition = { hasFollowers: true, checkLag: () => void checks++ }
    bench.changes.follow(partition)
    bench.changes.follow(partition)
    await world.sleep(1100)
    assert.equal(checks, 2)
    partition.hasFollowers = false
    bench.changes.follow(partition)
    await world.sleep(5000)
    assert.equal(checks, 2)
  }))
