import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type PlacedPartition, type PlannedMove, planMoves, type Wish } from './reassign-plan.ts'

const brokers = (ids: readonly number[], racks: readonly (string | null)[] = []) =>
  ids.map((brokerId, index) => ({ brokerId, rack: racks[index] ?? null }))

const topic = (name: string, ...replicas: readonly (readonly number[])[]): PlacedPartition[] =>
  replicas.map((each, partition) => ({ topic: name, partition, replicas: each }))

const away = (from: number, taking: Wish['taking']): Wish => ({
  taking: taking.filter(({ brokerId }) => brokerId !== from),
  leaves: id => id === from,
  replicationFactor: undefined,
  evens: false,
})

const onto = (taking: Wish['taking'], replicationFactor?: number): Wish => ({
  taking,
  leaves: id => taking.every(({ brokerId }) => brokerId !== id),
  replicationFactor,
  evens: true,
})

const factor = (taking: Wish['taking'], replicationFactor: number): Wish => ({
  taking,
  leaves: () => false,
  replicationFactor,
  evens: false,
})

const shown = (moves: readonly PlannedMove[]) =>
  moves.map(each => `${each.topic}-${each.partition} ${each.before} > ${each.replicas}`)

/** Replicas after the moves. */
function after(all: readonly PlacedPartition[], moves: readonly PlannedMove[]) {
  const moved = new Map(moves.map(each => [`${each.topic}-${each.partition}`, each.replicas]))
  return all.map(each => moved.get(`${each.topic}-${each.partition}`) ?? each.replicas)
}

function counts(ids: readonly number[], of: readonly number[]): number[] {
  return ids.map(id => of.filter(each => each === id).length)
}

const spread = (counted: readonly number[]) => Math.max(...counted) - Math.min(...counted)

test('a broker is emptied with one move for each of its replicas, and no others', () => {
  const orders = topic('orders', [1, 3], [2, 1], [3, 2], [1, 2])
  assert.deepEqual(shown(planMoves(orders, [], away(3, brokers([1, 2, 3, 4])))), [
    'orders-0 1,3 > 1,4',
    'orders-2 3,2 > 4,2',
  ])
})

test('what comes goes to a rack without a replica, then where the topic and all have fewest', () => {
  const taking = brokers([1, 2, 3, 4, 5], ['a', 'b', 'c', 'c', 'b'])
  assert.deepEqual(shown(planMoves(topic('a', [1, 2, 3]), [], away(3, taking))), [
    'a-0 1,2,3 > 1,2,4',
  ])
  const other = topic('b', [4], [4], [5])
  const plain = brokers([3, 4, 5, 6])
  assert.deepEqual(
    shown(planMoves(topic('a', [3]), [...other, ...topic('c', [6])], away(3, plain))),
    ['a-0 3 > 5'],
  )
  assert.deepEqual(
    shown(planMoves(topic('a', [3], [5]), other, away(3, brokers([3, 4, 5])))),
    ['a-0 3 > 4'],
    'the topic counts more than all',
  )
})

test('where the preferred leader leaves, the replica takes over that is preferred least often', () => {
  const orders = topic('orders', [3, 1], [1, 2], [1, 2], [4, 2])
  assert.deepEqual(shown(planMoves(orders, [], away(3, brokers([1, 2, 3])))), [
    'orders-0 3,1 > 2,1',
  ])
})

test('more replicas are added and the leader stays; fewer leave where a rack or broker has many', () => {
  const taking = brokers([1, 2, 3], ['a', 'a', 'b'])
  assert.deepEqual(shown(planMoves(topic('t', [1], [2]), [], factor(taking, 2))), [
    't-0 1 > 1,3',
    't-1 2 > 2,3',
  ])
  assert.deepEqual(shown(planMoves(topic('t', [1, 3, 2]), [], factor(taking, 2))), [
    't-0 1,3,2 > 1,3',
  ])
  const heavy = topic('t', [1, 2, 3], [1, 2])
  assert.deepEqual(shown(planMoves(heavy, [], factor(brokers([1, 2, 3]), 2))), ['t-0 1,2,3 > 1,3'])
})

test('brokers that were named share replicas and leaders evenly, with the fewest moves', () => {
  const orders = topic('orders', [1, 2], [2, 1], [1, 2], [2, 1], [1, 2], [2, 1])
  const moves = planMoves(orders, [], onto(brokers([1, 2, 4])))
  const replicas = after(orders, moves)
  assert.deepEqual(counts([1, 2, 4], replicas.flat()), [4, 4, 4])
  assert.deepEqual(
    counts(
      [1, 2, 4],
      replicas.map(([first]) => first!),
    ),
    [2, 2, 2],
  )
  assert.equal(moves.flatMap(({ adding }) => adding).length, 4)
  assert.deepEqual(planMoves(topic('t', [1, 2], [2, 3], [3, 1]), [], onto(brokers([1, 2, 3]))), [])
})

test('small topics are spread together, and racks are used where they were not', () => {
  const many = ['a', 'b', 'c', 'd', 'e', 'f'].flatMap(name => topic(name, [1]))
  const moves = planMoves(many, [], onto(brokers([1, 2, 3])))
  assert.deepEqual(counts([1, 2, 3], after(many, moves).flat()), [2, 2, 2])
  const racks = brokers([1, 2, 3, 4], ['a', 'a', 'b', 'b'])
  for (const { replicas } of planMoves(topic('t', [1, 2], [3, 4]), [], onto(racks))) {
    assert.equal(new Set(replicas.map(id => (id < 3 ? 'a' : 'b'))).size, 2)
  }
})

test('too few brokers are refused, with what to do', () => {
  const two = brokers([1, 2])
  assert.throws(() => planMoves(topic('t', [1, 2, 3]), [], away(3, two)), {
    name: 'Failure',
    message: /t-0 is to have 3 replicas.*: 1, 2\. Start another broker/,
  })
})

test('any plan keeps the number of replicas, leaves whom it has to, and evens out what it may', () => {
  const ids = [1, 2, 3, 4, 5]
  const partition = fc
    .tuple(fc.constantFrom('a', 'b'), fc.shuffledSubarray(ids, { minLength: 1, maxLength: 3 }))
    .map(([name, replicas]) => ({ topic: name, replicas }))
  const input = fc.record({
    chosen: fc.array(partition, { minLength: 1, maxLength: 20 }),
    to: fc.shuffledSubarray(ids, { minLength: 3 }),
    racks: fc.array(fc.constantFrom('x', 'y', null), { minLength: 5, maxLength: 5 }),
    evens: fc.boolean(),
  })
  fc.assert(
    fc.property(input, ({ chosen, to, racks, evens }) => {
      const all = chosen.map((each, index) => ({ ...each, partition: index }))
      const taking = brokers(to, racks)
      const moves = planMoves(all, [], { ...onto(taking), evens })
      const replicas = after(all, moves)
      for (const [index, each] of replicas.entries()) {
        assert.equal(new Set(each).size, all[index]!.replicas.length)
        assert.ok(each.every(id => to.includes(id)))
        const rackOf = new Map(taking.map(({ brokerId, rack }) => [brokerId, rack]))
        const used = new Set(each.map(id => rackOf.get(id))).size
        if (!evens) continue
        assert.equal(used, Math.min(each.length, new Set(rackOf.values()).size))
      }
      // Racks of different sizes cannot be shared evenly.
      if (!evens || new Set(taking.map(({ rack }) => rack)).size > 1) return
      assert.ok(spread(counts(to, replicas.flat())) <= 2)
      const again = all.map((each, index) => ({ ...each, replicas: replicas[index]! }))
      assert.deepEqual(planMoves(again, [], { ...onto(taking), evens }), [], 'it is at rest')
    }),
    { numRuns: 300 },
  )
})
