import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClusterMetadata } from '../client/cluster.ts'
import { clusterHealth, laggingTopics } from './cluster-health.ts'

function metadata(partitions: readonly [leader: number, replicas: number[], isr: number[]][]) {
  return {
    clusterId: 'c',
    controllerId: 2,
    brokers: [
      { nodeId: 2, host: '::1', port: 9093, rack: 'east' },
      { nodeId: 1, host: 'a', port: 9092, rack: null },
    ],
    topics: [
      {
        name: 't',
        partitions: partitions.map(([leaderId, replicaNodes, isrNodes], partitionIndex) => ({
          ...{ partitionIndex, leaderId, replicaNodes, isrNodes },
        })),
      },
    ],
  } as unknown as ClusterMetadata
}

test('brokers are counted, with those that only replicas name', () => {
  const { brokers } = clusterHealth(
    metadata([
      [1, [1, 2, 3], [1, 2]],
      [2, [2, 1], [2, 1]],
    ]),
    {},
  )
  assert.deepEqual(
    brokers.map(each => [each.id, each.address, each.rack, each.isController]),
    [
      [1, 'a:9092', null, false],
      [2, '[::1]:9093', 'east', true],
      [3, null, null, false],
    ],
  )
  assert.deepEqual(
    brokers.map(({ leaders, replicas, inSync }) => [leaders, replicas, inSync]),
    [
      [1, 2, 2],
      [1, 2, 2],
      [0, 1, 0],
    ],
  )
})

test('partitions without a leader come before those that lack copies; the rest is in order', () => {
  const { troubled, partitions } = clusterHealth(
    metadata([
      [1, [1, 2], [1, 2]],
      [1, [1, 3], [1]],
      [-1, [3], []],
    ]),
    {},
  )
  assert.equal(partitions, 3)
  assert.deepEqual(
    troubled.map(({ partition, state }) => [partition, state]),
    [
      [2, 'offline'],
      [1, 'under-replicated'],
    ],
  )
})

test('a broker that is known and not there is down, even without a replica', () => {
  const { brokers } = clusterHealth(metadata([[1, [1, 2], [1, 2]]]), { known: [1, 2, 7] })
  assert.deepEqual(
    brokers.map(({ id, address }) => [id, address !== null]),
    [
      [1, true],
      [2, true],
      [7, false],
    ],
  )
})

test('partitions that refuse writes for min.insync.replicas are told apart', () => {
  const all = metadata([
    [1, [1, 2, 3], [1, 2]],
    [1, [1, 2, 3], [1]],
    [1, [1], [1]],
    [1, [1, 3], [1]],
  ])
  assert.deepEqual(laggingTopics(all), ['t'])
  // The last one moves from 1 to 1 and 3: one copy is all that it needs until then.
  const moves = [{ topic: 't', partition: 3, replicas: [1, 3], adding: [3], removing: [] }]
  const { troubled } = clusterHealth(all, { minIsr: new Map([['t', 2]]), moves })
  assert.deepEqual(
    troubled.map(({ partition, state, minIsr }) => [partition, state, minIsr]),
    [
      [1, 'under-min-isr', 2],
      [0, 'under-replicated', 2],
      [3, 'under-replicated', 1],
    ],
  )
})
