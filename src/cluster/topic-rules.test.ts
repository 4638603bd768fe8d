import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkTopicName, placeReplicas } from './topic-rules.ts'

test('names are those that Kafka takes', () => {
  for (const name of ['a', 'A-b_c.9', '...', 'x'.repeat(249), '__consumer_offsets']) {
    checkTopicName(name)
  }
  for (const name of ['', '.', '..', 'x'.repeat(250), 'a b', 'a/b', 'ä', 'a\n', 'a\0']) {
    assert.throws(() => checkTopicName(name), { error: 'INVALID_TOPIC_EXCEPTION' }, name)
  }
})

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
    const placed = placeReplicas(ids, count, factor, 7)
    const leads = new Map<number, number>()
    const holds = new Map<number, number>()
    for (const replicas of placed) {
      assert.equal(new Set(replicas).size, factor)
      leads.set(replicas[0]!, (leads.get(replicas[0]!) ?? 0) + 1)
      for (const id of replicas) holds.set(id, (holds.get(id) ?? 0) + 1)
    }
    assert.deepEqual([...new Set(leads.values())], [count / brokers])
    assert.deepEqual([...new Set(holds.values())], [(count * factor) / brokers])
  }
})

test('the followers of one leader are not always the same', () => {
  const placed = placeReplicas([1, 2, 3, 4], 24, 2, 0)
  const followersOfOne = placed.filter(([leader]) => leader === 1).map(([, follower]) => follower)
  assert.deepEqual([...new Set(followersOfOne)].sort(), [2, 3, 4])
})

test('partitions that are added go on where the rotation stood', () => {
  const whole = placeReplicas([1, 2, 3], 6, 2, 1)
  const added = [...placeReplicas([1, 2, 3], 4, 2, 1), ...placeReplicas([1, 2, 3], 2, 2, 1, 4)]
  assert.deepEqual(added, whole)
})

test('there are never more replicas than brokers', () => {
  assert.throws(() => placeReplicas([1, 2], 1, 3, 0), { error: 'INVALID_REPLICATION_FACTOR' })
  assert.throws(() => placeReplicas([], 1, 1, 0), { error: 'INVALID_REPLICATION_FACTOR' })
})
