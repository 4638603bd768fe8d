import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type PlacedBroker, placeReplicas } from './placement.ts'

const withoutRack = (ids: readonly number[]): PlacedBroker[] =>
  ids.map(brokerId => ({ brokerId, rack: null }))

/** As many brokers in each rack; ids go through one rack after the other. */
const inRacks = (...sizes: readonly number[]): PlacedBroker[] => {
  let brokerId = 0
  return sizes.flatMap((size, rack) =>
    Array.from({ length: size }, () => ({ brokerId: ++brokerId, rack: `rack${rack}` })),
  )
}

/** How many partitions each broker leads, and how many it holds. */
function loads(placed: readonly (readonly number[])[]) {
  const leads = new Map<number, number>()
  const holds = new Map<number, number>()
  for (const replicas of placed) {
    leads.set(replicas[0]!, (leads.get(replicas[0]!) ?? 0) + 1)
    for (const id of replicas) holds.set(id, (holds.get(id) ?? 0) + 1)
  }
  return { leads: [...new Set(leads.values())], holds: [...new Set(holds.values())] }
}

test('replicas are distinct, and leaders and followers spread evenly', () => {
  for (const [brokers, factor] of [
    [1, 1],
    [3, 2],
    [3, 3],
    [5, 3],
    [6, 1],
  ] as const) {
    const ids = Array.from({ length: brokers }, (_, i) => 100 + i)
    const count = brokers * (brokers - 1 || 1) * 2
    const placed = placeReplicas(withoutRack(ids), count, factor, 7)
    for (const replicas of placed) assert.equal(new Set(replicas).size, factor)
    const { leads, holds } = loads(placed)
    assert.deepEqual(leads, [count / brokers])
    assert.deepEqual(holds, [(count * factor) / brokers])
  }
})

test('the followers of one leader are not always the same', () => {
  const placed = placeReplicas(withoutRack([1, 2, 3, 4]), 24, 2, 0)
  const followersOfOne = placed.filter(([leader]) => leader === 1).map(([, follower]) => follower)
  assert.deepEqual([...new Set(followersOfOne)].sort(), [2, 3, 4])
})

test('partitions that are added go on where the rotation stood', () => {
  const brokers = withoutRack([1, 2, 3])
  const whole = placeReplicas(brokers, 6, 2, 1)
  const added = [...placeReplicas(brokers, 4, 2, 1), ...placeReplicas(brokers, 2, 2, 1, 4)]
  assert.deepEqual(added, whole)
})

test('there are never more replicas than brokers', () => {
  const two = withoutRack([1, 2])
  assert.throws(() => placeReplicas(two, 1, 3, 0), { error: 'INVALID_REPLICATION_FACTOR' })
  assert.throws(() => placeReplicas([], 1, 1, 0), { error: 'INVALID_REPLICATION_FACTOR' })
})

test('as many racks as can be have a replica, leaders spread evenly', () => {
  for (const [sizes, factor] of [
    [[2, 2], 2],
    [[2, 2, 2], 3],
    [[2, 2, 2], 2],
    [[3, 3], 3],
    [[1, 1, 1], 3],
    [[4, 1], 2],
    [[3, 2, 1], 3],
  ] as const) {
    const brokers = inRacks(...sizes)
    const rackOf = new Map(brokers.map(({ brokerId, rack }) => [brokerId, rack]))
    const count = brokers.length * 30
    const placed = placeReplicas(brokers, count, factor, 11)
    for (const replicas of placed) {
      assert.equal(new Set(replicas).size, factor)
      const racks = new Set(replicas.map(id => rackOf.get(id)))
      assert.equal(racks.size, Math.min(sizes.length, factor), `${sizes}: ${replicas}`)
    }
    const { leads, holds } = loads(placed)
    assert.deepEqual(leads, [count / brokers.length])
    const isEven = new Set(sizes).size === 1
    if (isEven) assert.deepEqual(holds, [(count * factor) / brokers.length])
  }
})

test('brokers without a rack share one', () => {
  const brokers = [
    { brokerId: 1, rack: 'a' },
    { brokerId: 2, rack: null },
    { brokerId: 3, rack: null },
  ]
  for (const replicas of placeReplicas(brokers, 12, 2, 0)) assert.ok(replicas.includes(1))
})
