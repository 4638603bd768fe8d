/**
 * Clients that do anything at any time, with any of the ids and generations they have ever seen.
 * After every step the group is held against what must always be true of it.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { DescribedGroup, Joined, PartitionResults } from './commands.ts'
import { Desk, givenId, joinedOf, subscription } from './fixture.ts'

/** Longer than any time-out here, a first join's five minutes among them. */
const longMs = 700_000
/** Whoever was deleted or lost would take its generations with it: there is one group. */
const groupId = 'g'

const protocols = [
  [{ name: 'range', metadata: subscription('t') }],
  [{ name: 'range', metadata: subscription('t', 'u') }],
  [
    { name: 'sticky', metadata: subscription('t') },
    { name: 'range', metadata: subscription('t') },
  ],
]

const step = fc.record({
  act: fc.constantFrom(
    ...['join', 'join', 'join', 'rejoin', 'rejoin', 'sync', 'sync', 'heartbeat', 'commit'],
    ...['join', 'join', 'join', 'rejoin', 'rejoin', 'sync', 'sync', 'heartbeat', 'commit'],
    ...['everyone', 'everyone', 'everyone', 'everyone', 'everyone', 'beats', 'beats', 'beats'],
    ...['leave', 'simple commit', 'disconnect', 'restart', 'delete', 'delete offsets'],
    ...['pass', 'pass', 'pass', 'commit', 'commit'],
  ),
  /** Which of the ids seen so far; the latest most often. */
  who: fc.oneof(fc.nat(2), fc.nat(20)),
  instance: fc.constantFrom(null, null, null, 'a', 'b'),
  generation: fc.constantFrom(0, 0, 0, 0, -1, 1),
  connection: fc.nat(3),
  protocols: fc.constantFrom(...protocols, protocols[0]!),
  requireKnownMemberId: fc.boolean(),
  passMs: fc.constantFrom(0, 1, 300, 1000, 3000, 5000, 9000, 30_000),
  partition: fc.nat(2),
})
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

interface Known {
  readonly memberId: string
  readonly groupInstanceId: string | null
}

/** What the clients know, and what the coordinator has promised. */
class Model {
  readonly desk: Desk
  readonly known: Known[] = []
  readonly joins: { told: ReturnType<Desk['join']>; groupInstanceId: string | null }[] = []
  readonly generations = new Map<number, string>()
  readonly offsets = new Map<string, number>()
  #nextOffset = 1

  constructor(initialRebalanceDelayMs: number, disconnectGraceMs: number | undefined) {
    this.desk = new Desk({ initialRebalanceDelayMs, disconnectGraceMs, maxSize: 4 })
  }

  get group(): DescribedGroup | undefined {
    return this.desk.describe(groupId).response
  }

  take(each: Step): unknown {
    const { desk } = this
    const member = this.known.at(-1 - each.who)
    const generationId = (this.group?.generationId ?? 1) + each.generation
    const { connection } = each
    const speaker = { ...member, generationId, connection }
    switch (each.act) {
      case 'join':
        return this.#join(each, { memberId: '', groupInstanceId: each.instance })
      case 'rejoin':
        return member && this.#join(each, member)
      case 'sync':
        return member && desk.sync({ ...speaker, assignments: this.#assignments() })
      case 'heartbeat':
        return member && desk.heartbeat(speaker)
      case 'leave':
        return member && desk.leave(member)
      case 'commit':
        return member && this.#commit(each.partition, speaker)
      case 'simple commit':
        return this.#commit(each.partition, { generationId: -1 })
      case 'disconnect':
        return desk.disconnect(connection)
      case 'restart':
        return this.#restart()
      case 'delete':
        return this.#delete()
      case 'delete offsets':
        return this.#deleteOffsets()
      case 'everyone':
        return this.#everyone()
      case 'beats':
        return this.known.map(beating => desk.heartbeat({ ...beating, generationId }))
      default:
        return desk.pass(each.passMs)
    }
  }

  /** What must be true at any time. */
  check(): void {
    this.#learn()
    const { group, desk } = this
    const replayed = desk.replayed()
    assert.deepEqual(desk.committed(groupId), Object.fromEntries(this.offsets))
    assert.deepEqual(desk.committed(groupId, replayed), Object.fromEntries(this.offsets))
    if (group === undefined) {
      // What vanished begins at generation 1 again.
      this.generations.clear()
      return
    }
    const isSettled = group.phase === 'Stable' || group.phase === 'Empty'
    const stored = desk.records.findLast(({ kind }) => kind === 'group')?.value ?? null
    if (isSettled && stored !== null) {
      const { response } = desk.ask<DescribedGroup>((_, times, waiter) =>
        replayed.describeGroup(groupId, times, waiter),
      )
      assert.deepEqual(response, group, 'the log says what the living group says')
    }
    if (group.phase === 'PreparingRebalance' || group.phase === 'Empty') return
    // A static member may come back under another id: that is the same member.
    const names = group.members.map(each => each.groupInstanceId ?? each.memberId)
    const members = names.sort().join()
    assert.equal(new Set(names).size, names.length)
    assert.equal(this.generations.get(group.generationId) ?? members, members)
    this.generations.set(group.generationId, members)
  }

  /** In the end, when nobody says anything any more, everybody has been answered. */
  finish(): void {
    this.desk.pass(longMs)
    assert.equal(this.desk.parked, 0)
    assert.ok(['Empty', undefined].includes(this.group?.phase))
    this.#learn()
  }

  /** Ids from the answers to joins. */
  #learn(): void {
    for (const { told, groupInstanceId } of this.joins) {
      const memberId = joinedOf(told)?.memberId ?? givenId(told)
      if (memberId === undefined) continue
      if (this.known.some(each => each.memberId === memberId)) continue
      this.known.push({ memberId, groupInstanceId })
    }
  }

  #join({ requireKnownMemberId, protocols, connection }: Step, member: Known): void {
    const told = this.desk.join({
      ...member,
      requireKnownMemberId,
      protocols,
      connection,
      rebalanceTimeoutMs: 20_000,
    })
    this.joins.push({ told, groupInstanceId: member.groupInstanceId })
    const joined: Joined | undefined = joinedOf(told)
    if (joined !== undefined && joined.members.length > 0) {
      assert.equal(joined.leader, joined.memberId, 'only the leader is given the members')
    }
  }

  #commit(partition: number, speaker: Partial<Known> & { generationId: number }): void {
    const offset = this.#nextOffset++
    const before = this.group
    const told = this.desk.commit(offset, { ...speaker, partition })
    if (told.error !== undefined) return
    const isSimple = speaker.generationId === -1 && (before?.phase ?? 'Empty') === 'Empty'
    const isOfNow = speaker.generationId === before?.generationId
    assert.ok(isSimple || isOfNow, 'a commit of another generation is never accepted')
    this.offsets.set(`t-${partition}`, offset)
  }

  #restart(): void {
    this.desk.restart()
    this.joins.length = 0
    // A generation that nobody was assigned anything in is lost, and its number comes again.
    const generationId = this.group?.generationId ?? 0
    for (const each of this.generations.keys()) {
      if (each > generationId) this.generations.delete(each)
    }
  }

  #delete(): void {
    const told = this.desk.ask<void>((state, times, waiter) =>
      state.deleteGroup(groupId, times, waiter),
    )
    if (told.error !== undefined) return
    this.offsets.clear()
    this.generations.clear()
  }

  #deleteOffsets(): void {
    const topics = [{ name: 't', partitions: [0] }]
    const told = this.desk.ask<PartitionResults>((state, times, waiter) =>
      state.deleteOffsets({ groupId, topics }, times, waiter),
    )
    const error = told.error ?? told.response?.topics[0]?.partitions[0]?.error
    if (error === 'NONE') this.offsets.delete('t-0')
  }

  /** All members do what good clients do: the group comes to rest. */
  #everyone(): void {
    for (const member of this.known) {
      this.joins.push({ told: this.desk.join(member), groupInstanceId: member.groupInstanceId })
    }
    this.desk.pass(3000)
    const generationId = this.group?.generationId ?? 1
    for (const member of this.known) {
      this.desk.sync({ ...member, generationId, assignments: this.#assignments() })
    }
  }

  #assignments(): { memberId: string; assignment: Uint8Array }[] {
    return this.known.map(({ memberId }) => ({ memberId, assignment: new Uint8Array(3) }))
  }
}

for (const [name, delayMs, graceMs] of [
  ['as Kafka is set', 3000, undefined],
  ['without initial delay, with a grace', 0, 500],
] as const) {
  test(`whatever clients do, a group keeps its promises (${name})`, () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), steps => {
        const model = new Model(delayMs, graceMs)
        for (const each of steps) {
          model.take(each)
          model.check()
        }
        model.finish()
      }),
      { numRuns: 150 },
    )
  })
}
