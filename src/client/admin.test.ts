import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Broker } from '../broker/broker.ts'
import { produceRequest } from '../protocol/messages/produce.ts'
import { buildBatch } from '../protocol/records/build.ts'
import { simulated, type World } from '../sim/world.ts'
import { orThrow } from './admin/outcome.ts'
import { Admin } from './admin.ts'
import { Client } from './client.ts'
import { Cluster } from './cluster.ts'
import { Consumer } from './consumer.ts'

const host = 'broker'
const port = 9092
const bootstrap = `${host}:${port}`
const t0 = 1_767_225_600_000
const zero = { topic: 'orders', partition: 0 }
const one = { topic: 'orders', partition: 1 }

interface Setting {
  readonly world: World
  readonly broker: Broker
  readonly admin: Admin
  /** Appends `count` messages to a partition, a second apart. */
  fill(place: typeof zero, count: number): Promise<void>
  /** A member of the group billing that has its partitions. */
  member(): Promise<Consumer>
}

/** A broker with the topic orders of two partitions. */
function inWorld(scenario: (setting: Setting) => Promise<void>): Promise<void> {
  return simulated().run(async world => {
    const properties = { listeners: `PLAINTEXT://${bootstrap}`, 'log.dirs': '/data' }
    const broker = await Broker.start({ io: world.io(host), properties })
    const cluster = new Cluster(world.io('other'), { bootstrap: [{ host, port }] })
    await using admin = new Admin({ bootstrap, io: world.io('client') })
    orThrow(await admin.createTopics([{ topic: 'orders', partitions: 2 }]))
    await scenario({
      world,
      broker,
      admin,
      async fill(place, count) {
        const messages = Array.from({ length: count }, (_, index) => ({
          value: `${index}`,
          timestamp: t0 + index * 1_000,
        }))
        const batch = { ...place, records: buildBatch({}, messages) }
        const [result] = await cluster.produce([batch], { acks: -1 })
        if (result instanceof Error) throw result
      },
      async member() {
        const { promise, resolve } = Promise.withResolvers<void>()
        const consumer = new Consumer({
          bootstrap,
          io: world.io('member'),
          groupId: 'billing',
          topics: 'orders',
          groupInstanceId: 'desk',
          clientId: 'biller',
          onAssigned: () => resolve(),
        })
        consumer
          .messages()
          .next()
          .catch(() => {})
        await promise
        return consumer
      },
    })
    cluster.close()
  })
}

/** What came of each: its error, or 'done'. */
const told = (outcomes: readonly { readonly error?: { readonly error: string } | undefined }[]) =>
  outcomes.map(({ error }) => error?.error ?? 'done')

/** Rejects with an error of this code. */
const code = (expected: string) => (error: unknown) => {
  assert.equal((error as { code?: unknown }).code, expected)
  return true
}

test('topics are created with what was said of them, each with an outcome of its own', () =>
  inWorld(async ({ admin }) => {
    const outcomes = await admin.createTopics([
      'plain',
      { topic: 'orders' },
      { topic: 'set', partitions: 3, replicationFactor: 1, configs: { 'retention.ms': 5_000 } },
      { topic: 'no/name' },
      { topic: 'far', replicationFactor: 2 },
      { topic: 'placed', assignments: [[1], [1]] },
      { topic: 'misplaced', assignments: [[9]] },
      { topic: 'odd', configs: { 'no.such.config': true } },
    ])
    assert.deepEqual(
      outcomes.map(({ topic }) => topic),
      ['plain', 'orders', 'set', 'no/name', 'far', 'placed', 'misplaced', 'odd'],
    )
    assert.deepEqual(told(outcomes), [
      'done',
      'TOPIC_ALREADY_EXISTS',
      'done',
      'INVALID_TOPIC_EXCEPTION',
      'INVALID_REPLICATION_FACTOR',
      'done',
      'INVALID_REPLICA_ASSIGNMENT',
      'INVALID_CONFIG',
    ])
    const { topicId, partitions, replicationFactor } = outcomes[2]!
    assert.deepEqual([partitions, replicationFactor], [3, 1])
    const [set] = orThrow(await admin.describeTopics(['set'], { configs: true }))
    assert.equal(set!.topicId, topicId)
    assert.equal(set!.configs!['retention.ms']!.value, '5000')
    assert.deepEqual(set!.partitions, [
      ...[0, 1, 2].map(partition => ({
        partition,
        leader: 1,
        leaderEpoch: 0,
        replicas: [1],
        isr: [1],
        offlineReplicas: [],
      })),
    ])
  }))

test('what is only validated is not done', () =>
  inWorld(async ({ admin }) => {
    const only = { validateOnly: true }
    assert.deepEqual(told(await admin.createTopics(['a', 'orders'], only)), [
      'done',
      'TOPIC_ALREADY_EXISTS',
    ])
    const more = [{ topic: 'orders', count: 9 }]
    assert.deepEqual(told(await admin.createPartitions(more, only)), ['done'])
    const set = [{ kind: 'topic', name: 'orders', set: { 'retention.ms': 1 } }] as const
    assert.deepEqual(told(await admin.alterConfigs(set, only)), ['done'])
    const listed = await admin.listTopics()
    assert.deepEqual(
      listed.map(({ topic, partitions }) => [topic, partitions]),
      [['orders', 2]],
    )
    const [orders] = orThrow(await admin.describeTopics(['orders'], { configs: true }))
    assert.equal(orders!.configs!['retention.ms']!.isDefault, true)
  }))

test('orThrow throws the first error, and gives outcomes without one', () =>
  inWorld(async ({ admin }) => {
    const outcomes = await admin.createTopics(['a', 'orders'])
    assert.throws(() => orThrow(outcomes), { name: 'KafkaError', error: 'TOPIC_ALREADY_EXISTS' })
    const [a] = orThrow(outcomes.slice(0, 1))
    assert.equal(a!.partitions, 1)
  }))

test('deleted topics are gone when it is answered, and unknown ones are refused', () =>
  inWorld(async ({ admin }) => {
    const outcomes = await admin.deleteTopics(['none', 'orders'])
    assert.deepEqual(told(outcomes), ['UNKNOWN_TOPIC_OR_PARTITION', 'done'])
    assert.match(outcomes[1]!.topicId!, /^[\w-]{22}$/u)
    assert.deepEqual(await admin.listTopics(), [])
    assert.deepEqual(told(await admin.describeTopics(['orders'])), ['UNKNOWN_TOPIC_OR_PARTITION'])
  }))

test('partitions are added, never taken away', () =>
  inWorld(async ({ admin }) => {
    const outcomes = await admin.createPartitions([
      { topic: 'orders', count: 4 },
      { topic: 'none', count: 4 },
    ])
    assert.deepEqual(told(outcomes), ['done', 'UNKNOWN_TOPIC_OR_PARTITION'])
    assert.equal(outcomes[0]!.partitions, 4)
    const [orders] = orThrow(await admin.describeTopics(['orders']))
    assert.deepEqual(
      orders!.partitions.map(({ partition, leader }) => [partition, leader]),
      [0, 1, 2, 3].map(partition => [partition, 1]),
    )
    const less = await admin.createPartitions([{ topic: 'orders', count: 3 }])
    assert.deepEqual(told(less), ['INVALID_PARTITIONS'])
  }))

test('internal topics are listed when they are asked for', () =>
  inWorld(async ({ admin }) => {
    orThrow(await admin.alterGroupOffsets('billing', [{ ...zero, offset: 0 }]))
    const names = async (internal: boolean) =>
      (await admin.listTopics({ internal })).map(({ topic }) => topic)
    assert.deepEqual(await names(false), ['orders'])
    assert.deepEqual(await names(true), ['__consumer_offsets', 'orders'])
    assert.deepEqual(
      (await admin.describeTopics()).map(({ topic, isInternal }) => [topic, isInternal]),
      [
        ['__consumer_offsets', true],
        ['orders', false],
      ],
    )
  }))

test('a cluster is described with its brokers', () =>
  inWorld(async ({ admin, broker }) => {
    assert.deepEqual(await admin.describeCluster({ includeFenced: true }), {
      clusterId: broker.clusterId,
      controllerId: 1,
      brokers: [{ brokerId: 1, host: '10.0.0.1', port, rack: null, isFenced: false }],
    })
  }))

test('configs of topics and brokers are described, one outcome for each', () =>
  inWorld(async ({ admin }) => {
    const resources = [
      { kind: 'topic', name: 'orders' },
      { kind: 'topic', name: 'none' },
      { kind: 'broker', name: '1' },
      { kind: 'broker', name: '7' },
      { kind: 'broker', name: 'first' },
      { kind: 'broker', name: '' },
    ] as const
    const outcomes = await admin.describeConfigs(resources)
    assert.deepEqual(
      outcomes.map(({ kind, name }) => ({ kind, name })),
      resources,
    )
    assert.deepEqual(told(outcomes), [
      'done',
      'UNKNOWN_TOPIC_OR_PARTITION',
      'done',
      'BROKER_NOT_AVAILABLE',
      'INVALID_REQUEST',
      'done',
    ])
    assert.equal(outcomes[2]!.configs!['num.partitions']!.source, 'DEFAULT_CONFIG')
    const [orders] = orThrow(
      await admin.describeConfigs(resources.slice(0, 1), {
        names: ['retention.ms'],
        synonyms: true,
        documentation: true,
      }),
    )
    const { documentation, ...retention } = orders!.configs['retention.ms']!
    assert.deepEqual(Object.keys(orders!.configs), ['retention.ms'])
    assert.match(documentation!, /\w/u)
    assert.deepEqual(retention, {
      name: 'retention.ms',
      value: '604800000',
      source: 'DEFAULT_CONFIG',
      isDefault: true,
      isReadOnly: false,
      isSensitive: false,
      type: 'LONG',
      synonyms: retention.synonyms,
    })
    assert.equal(retention.synonyms.at(-1)!.source, 'DEFAULT_CONFIG')
  }))

test('configs are set, added to and reset, and what is refused changes nothing', () =>
  inWorld(async ({ admin }) => {
    const orders = { kind: 'topic', name: 'orders' } as const
    const values = async () => {
      const [found] = orThrow(await admin.describeConfigs([orders]))
      return ['retention.ms', 'cleanup.policy'].map(name => found!.configs[name]!.value)
    }
    const outcomes = await admin.alterConfigs([
      { ...orders, set: { 'retention.ms': 1_000 }, append: { 'cleanup.policy': 'compact' } },
      { kind: 'topic', name: 'none', set: { 'retention.ms': 1 } },
      { kind: 'broker', name: '7', set: { 'log.retention.ms': 1 } },
    ])
    assert.deepEqual(told(outcomes), ['done', 'UNKNOWN_TOPIC_OR_PARTITION', 'BROKER_NOT_AVAILABLE'])
    assert.deepEqual(await values(), ['1000', 'delete,compact'])
    const bad = { ...orders, set: { 'retention.ms': 'soon', 'cleanup.policy': 'delete' } }
    assert.deepEqual(told(await admin.alterConfigs([bad])), ['INVALID_CONFIG'])
    assert.deepEqual(await values(), ['1000', 'delete,compact'])
    const back = { ...orders, reset: ['retention.ms'], subtract: { 'cleanup.policy': 'compact' } }
    orThrow(await admin.alterConfigs([back]))
    assert.deepEqual(await values(), ['604800000', 'delete'])
  }))

test('offsets are found at both ends, at the greatest timestamp and at a time', () =>
  inWorld(async ({ admin, fill }) => {
    await fill(zero, 5)
    const at = ['earliest', 'latest', 'max-timestamp', t0 + 1_500, new Date(t0 + 60_000)] as const
    const found = await admin.listOffsets([
      ...at.map(each => ({ ...zero, at: each })),
      { ...one, at: 'latest' },
    ])
    assert.deepEqual(
      orThrow(found).map(({ offset, timestamp }) => [offset, timestamp]),
      [
        [0, -1],
        [5, -1],
        [4, t0 + 4_000],
        [2, t0 + 2_000],
        [-1, -1],
        [0, -1],
      ],
    )
    assert.equal(found[2]!.leaderEpoch, 0)
  }))

test('partitions that are not there are refused at once', () =>
  inWorld(async ({ admin, world, fill }) => {
    await fill(zero, 2)
    const places = [{ topic: 'none', partition: 0 }, { ...zero, partition: 9 }, zero]
    const expected = ['UNKNOWN_TOPIC_OR_PARTITION', 'UNKNOWN_TOPIC_OR_PARTITION', 'done']
    const startMs = world.nowMs
    const listed = await admin.listOffsets(places.map(each => ({ ...each, at: 'latest' })))
    assert.deepEqual(told(listed), expected)
    const deleted = await admin.deleteRecords(places.map(each => ({ ...each, beforeOffset: 1 })))
    assert.deepEqual(told(deleted), expected)
    assert.ok(world.nowMs - startMs < 1_000)
  }))

test('records are deleted up to an offset, or all of them', () =>
  inWorld(async ({ admin, fill }) => {
    await fill(zero, 5)
    await fill(one, 3)
    const outcomes = await admin.deleteRecords([
      { ...zero, beforeOffset: 2 },
      { ...one, beforeOffset: 'latest' },
    ])
    assert.deepEqual(
      orThrow(outcomes).map(({ logStartOffset }) => logStartOffset),
      [2, 3],
    )
    const [earliest] = orThrow(await admin.listOffsets([{ ...zero, at: 'earliest' }]))
    assert.equal(earliest!.offset, 2)
    const far = await admin.deleteRecords([{ ...zero, beforeOffset: 99 }])
    assert.deepEqual(told(far), ['OFFSET_OUT_OF_RANGE'])
  }))

test('offsets of a group are altered, listed and deleted, and the group with them', () =>
  inWorld(async ({ admin }) => {
    const altered = await admin.alterGroupOffsets('billing', [
      { ...one, offset: 7, leaderEpoch: 0, metadata: 'seven' },
      { topic: 'none', partition: 0, offset: 1 },
      { ...zero, offset: 3 },
    ])
    assert.deepEqual(told(altered), ['done', 'UNKNOWN_TOPIC_OR_PARTITION', 'done'])
    const offsets = async () => {
      const [found, none] = orThrow(await admin.listGroupOffsets(['billing', 'nobody']))
      assert.deepEqual(none, { groupId: 'nobody', offsets: [] })
      return found!.offsets
    }
    const seven = { ...one, offset: 7, leaderEpoch: 0, metadata: 'seven' }
    assert.deepEqual(await offsets(), [
      { ...zero, offset: 3, leaderEpoch: -1, metadata: '' },
      seven,
    ])
    assert.deepEqual(told(await admin.deleteGroupOffsets('billing', [zero])), ['done'])
    assert.deepEqual(await offsets(), [seven])
    assert.deepEqual(told(await admin.deleteGroupOffsets('nobody', [zero, one])), [
      'GROUP_ID_NOT_FOUND',
      'GROUP_ID_NOT_FOUND',
    ])
    const listed = await admin.listGroups()
    assert.deepEqual(listed, [
      { groupId: 'billing', protocolType: '', state: 'Empty', type: 'Classic', coordinator: 1 },
    ])
    assert.deepEqual(told(await admin.deleteGroups(['nobody', 'billing'])), [
      'GROUP_ID_NOT_FOUND',
      'done',
    ])
    assert.deepEqual(await admin.listGroups(), [])
  }))

test('a group with members is described, and keeps what is not to be changed', () =>
  inWorld(async ({ admin, member }) => {
    await using _ = await member()
    const [billing, nobody] = await admin.describeGroups(['billing', 'nobody'])
    assert.equal(nobody!.error!.error, 'GROUP_ID_NOT_FOUND')
    const [found] = orThrow([billing!])
    const { members, ...group } = found!
    assert.deepEqual(group, {
      groupId: 'billing',
      state: 'Stable',
      type: 'Classic',
      protocolType: 'consumer',
      assignor: 'range',
      coordinator: 1,
    })
    const [{ memberId, host: from, ...desk }] = members as [(typeof members)[0]]
    assert.deepEqual([memberId.length > 4, from.length > 0], [true, true])
    assert.deepEqual(desk, {
      groupInstanceId: 'desk',
      clientId: 'biller',
      assignment: [zero, one],
      subscription: ['orders'],
    })
    assert.deepEqual(told(await admin.alterGroupOffsets('billing', [{ ...zero, offset: 1 }])), [
      'UNKNOWN_MEMBER_ID',
    ])
    assert.deepEqual(told(await admin.deleteGroups(['billing'])), ['NON_EMPTY_GROUP'])
    assert.deepEqual(told(await admin.deleteGroupOffsets('billing', [zero])), [
      'GROUP_SUBSCRIBED_TO_TOPIC',
    ])
    const states = async (state: string) =>
      (await admin.listGroups({ states: [state], types: ['classic'] })).map(each => each.groupId)
    assert.deepEqual([await states('stable'), await states('Empty')], [['billing'], []])
  }))

test('members are removed by name, or all of them', () =>
  inWorld(async ({ admin, member }) => {
    await using _ = await member()
    const outcomes = await admin.removeMembers('billing', [
      { groupInstanceId: 'nobody' },
      { memberId: 'nobody' },
    ])
    assert.deepEqual(
      outcomes.map(({ groupInstanceId, memberId }) => [groupInstanceId, memberId]),
      [
        ['nobody', ''],
        [null, 'nobody'],
      ],
    )
    assert.deepEqual(told(outcomes), ['UNKNOWN_MEMBER_ID', 'UNKNOWN_MEMBER_ID'])
    const all = await admin.removeMembers('billing', 'all')
    assert.deepEqual(told(all), ['done'])
    assert.equal(all[0]!.groupInstanceId, 'desk')
    await assert.rejects(admin.removeMembers('none', 'all'), { error: 'GROUP_ID_NOT_FOUND' })
  }))

test('directories of brokers are described with their replicas', () =>
  inWorld(async ({ admin, fill }) => {
    await fill(zero, 5)
    const [mine, none] = await admin.describeLogDirs([1, 7])
    assert.equal(none!.error!.error, 'BROKER_NOT_AVAILABLE')
    const [{ path, replicas } = assert.fail()] = orThrow(mine!.logDirs!)
    assert.equal(path, '/data')
    const sizes = replicas.filter(({ topic }) => topic === 'orders')
    assert.deepEqual(
      sizes.map(({ partition, bytes, offsetLag, isFuture }) => [
        partition,
        bytes > 0,
        offsetLag,
        isFuture,
      ]),
      [
        [0, true, 0, false],
        [1, false, 0, false],
      ],
    )
    assert.deepEqual(
      (await admin.describeLogDirs()).map(({ brokerId }) => brokerId),
      [1],
    )
  }))

test('brokers say which versions they speak', () =>
  inWorld(async ({ admin }) => {
    const [mine, none] = await admin.describeVersions([1, 7])
    assert.equal(none!.error!.error, 'BROKER_NOT_AVAILABLE')
    const produce = mine!.apis!.find(({ apiKey }) => apiKey === produceRequest.apiKey)
    assert.deepEqual(produce, { apiKey: 0, minVersion: 0, maxVersion: 13 })
    assert.equal(orThrow(await admin.describeVersions()).length, 1)
  }))

test('nothing asked is nothing answered', () =>
  inWorld(async ({ admin }) => {
    const all = await Promise.all([
      admin.createTopics([]),
      admin.deleteTopics([]),
      admin.createPartitions([]),
      admin.describeTopics([]),
      admin.describeConfigs([]),
      admin.alterConfigs([]),
      admin.listOffsets([]),
      admin.deleteRecords([]),
      admin.describeGroups([]),
      admin.deleteGroups([]),
      admin.listGroupOffsets([]),
      admin.alterGroupOffsets('billing', []),
      admin.deleteGroupOffsets('billing', []),
      admin.removeMembers('billing', []),
      admin.describeLogDirs([]),
      admin.describeVersions([]),
    ])
    assert.deepEqual(all.flat(), [])
  }))

test('a signal ends a call with its reason, before it begins and under way', () =>
  inWorld(async ({ admin, world, broker }) => {
    const reason = new Error('no time')
    const aborted = AbortSignal.abort(reason)
    await assert.rejects(admin.listTopics({ signal: aborted }), reason)
    await broker.close()
    world.kill(host)
    const ending = new AbortController()
    const calls = [
      admin.listTopics({ signal: ending.signal }),
      admin.createTopics(['a'], { signal: ending.signal }),
      admin.listOffsets([{ ...zero, at: 'latest' }], { signal: ending.signal }),
      admin.describeGroups(['billing', 'other'], { signal: ending.signal }),
    ]
    const settled = Promise.allSettled(calls)
    await world.sleep(1_000)
    ending.abort(reason)
    const startMs = world.nowMs
    const results = await settled
    assert.deepEqual(
      results.map(each => (each.status === 'rejected' ? each.reason : each.value)),
      calls.map(() => reason),
    )
    assert.equal(world.nowMs, startMs)
  }))

test('a call ends at its deadline when no broker answers', () =>
  inWorld(async ({ admin, world, broker }) => {
    await broker.close()
    world.kill(host)
    const startMs = world.nowMs
    const options = { timeoutMs: 2_000 }
    const calls = await Promise.allSettled([
      admin.createTopics(['a'], options),
      admin.describeGroups(['billing', 'other'], options),
      admin.listOffsets([{ ...zero, at: 'latest' }], options),
      admin.describeConfigs([{ kind: 'broker', name: '1' }], options),
      admin.describeConfigs([{ kind: 'broker', name: '7' }], options),
    ])
    for (const each of calls) {
      assert.equal(each.status === 'rejected' && each.reason.name, 'ConnectionError')
    }
    assert.ok(world.nowMs - startMs <= 2_000)
    await assert.rejects(admin.listTopics({ timeoutMs: 0 }), code('BAD_OPTION'))
  }))

test('a closed admin refuses, and what was under way rejects', () =>
  inWorld(async ({ admin, world, broker }) => {
    await broker.close()
    world.kill(host)
    const listing = assert.rejects(admin.listTopics(), code('CLOSED'))
    await world.sleep(100)
    await admin.close()
    await listing
    await assert.rejects(admin.listTopics(), code('CLOSED'))
    await admin.close()
  }))

test('an admin of a client leaves it open, and ends with it', () =>
  inWorld(async ({ world }) => {
    const client = new Client({ bootstrap, io: world.io('client') })
    const [first, second] = [new Admin({ client }), new Admin({ client })]
    assert.equal((await first.listTopics()).length, 1)
    await first.close()
    await assert.rejects(first.listTopics(), code('CLOSED'))
    assert.equal((await second.listTopics()).length, 1)
    await client.close()
    await assert.rejects(second.listTopics(), code('CLOSED'))
  }))
