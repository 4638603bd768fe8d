import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cluster } from '../client/cluster.ts'
import { createTopics } from '../client/topics.ts'
import { buildBatch } from '../protocol/records/build.ts'
import { simulated, type World } from '../sim/world.ts'
import { AdoptionRefused, adopt } from './adopt.ts'
import { Broker } from './broker.ts'

const host = 'broker'
const address = { host, port: 9092 }

function start(world: World): Promise<Broker> {
  const properties = { listeners: `PLAINTEXT://${host}:9092`, 'log.dirs': '/data' }
  return Broker.start({ io: world.io(host), properties })
}

function client(world: World): Cluster {
  return new Cluster(world.io('client'), { bootstrap: [address], timeoutMs: 30_000 })
}

async function produce(cluster: Cluster, partition: number, value: string): Promise<number> {
  const records = buildBatch({}, [{ value, timestamp: 1_767_225_600_000 }])
  const [result] = await cluster.produce([{ topic: 'orders', partition, records }], { acks: -1 })
  if (result === undefined || result instanceof Error) throw result
  return result.baseOffset
}

/** A directory as Kafka leaves it: three partitions of `orders`, and nothing of ours. */
async function kafkasDirectory(world: World): Promise<{ clusterId: string; topicId: string }> {
  const broker = await start(world)
  await createTopics(client(world), [{ name: 'orders', partitions: 3 }])
  for (const partition of [0, 1, 2]) await produce(client(world), partition, `${partition}`)
  await broker.close()
  const { disk } = world.io(host)
  for (const name of ['ottla-metadata.log', 'ottla-metadata.snapshot', 'ottla-session']) {
    await disk.remove(`/data/${name}`)
  }
  const metadata = Buffer.from((await disk.readFile('/data/orders-0/partition.metadata', 1000))!)
  return { clusterId: broker.clusterId, topicId: /topic_id: (\S+)/.exec(`${metadata}`)![1]! }
}

/** Records of Kafka's metadata log: frame version, type and version, then the fields (all short). */
function record(type: number, ...fields: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat([Uint8Array.of(1, type, 0), ...fields])
}

const noTags = Uint8Array.of(0)
const text = (value: string) => Buffer.concat([Uint8Array.of(value.length + 1), Buffer.from(value)])
const uuid = (id: string) => Buffer.from(id, 'base64url')
const int32 = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
const int32s = (...values: readonly number[]) =>
  Buffer.concat([Uint8Array.of(values.length + 1), ...values.map(int32)])

const topicRecord = (name: string, id: string) => record(2, text(name), uuid(id), noTags)
const configRecord = (name: string, key: string, value: string) =>
  record(4, Uint8Array.of(2), text(name), text(key), text(value), noTags)
const idsRecord = (next: number) =>
  record(15, int32(1), Buffer.alloc(8), int32(0), int32(next), noTags)

function partitionRecord(id: string, index: number, replicas: readonly number[]): Uint8Array {
  const sets = [int32s(...replicas), int32s(...replicas), int32s(), int32s()]
  return record(3, int32(index), uuid(id), ...sets, int32(1), int32(4), int32(0), noTags)
}

/** Its leader changes, which raises the epoch. */
function changeRecord(id: string, index: number): Uint8Array {
  return record(5, int32(index), uuid(id), Uint8Array.of(1, 1, 4), int32(-1))
}

async function writeMetadataLog(world: World, records: readonly Uint8Array[]): Promise<void> {
  const { disk } = world.io(host)
  const values = records.map(value => ({ value: Buffer.from(value), timestamp: 0 }))
  const path = '/data/__cluster_metadata-0/00000000000000000000.log'
  await disk.makeDirectory('/data/__cluster_metadata-0')
  await disk.replaceFile(path, buildBatch({}, values))
}

function ordersRecords(topicId: string): Uint8Array[] {
  const partitions = [0, 1, 2].map(index => partitionRecord(topicId, index, [1]))
  return [topicRecord('orders', topicId), ...partitions]
}

test("a directory of Kafka's is refused by a start, adopted, and then served on", () =>
  simulated().run(async world => {
    const { clusterId, topicId } = await kafkasDirectory(world)
    await writeMetadataLog(world, [
      ...ordersRecords(topicId),
      changeRecord(topicId, 1),
      configRecord('orders', 'retention.ms', '-1'),
      configRecord('orders', 'no.such.key', 'x'),
      topicRecord('gone', 'AAAAAAAAAAAAAAAAAAAABw'),
      record(9, uuid('AAAAAAAAAAAAAAAAAAAABw'), noTags),
      idsRecord(5000),
    ])
    const before = world
      .disk(host)
      .paths()
      .filter(path => path.endsWith('.log'))
    await assert.rejects(start(world), /Apache Kafka's, then 'ottla log adopt' takes them over/)
    const adoption = await adopt(world.io(host), ['/data'])
    assert.deepEqual(
      { ...adoption, notes: adoption.notes.length },
      {
        clusterId,
        brokerId: 1,
        topics: [
          {
            name: 'orders',
            topicId,
            partitions: 3,
            configs: new Map([['retention.ms', '-1']]),
            epochs: [4, 5, 4],
          },
        ],
        known: 0,
        notes: 1,
      },
    )
    assert.match(adoption.notes[0]!, /orders does without no.such.key=x/)
    const broker = await start(world)
    assert.equal(broker.clusterId, clusterId)
    for (const partition of [0, 1, 2]) {
      assert.equal(await produce(client(world), partition, 'new'), 1)
    }
    await broker.close()
    assert.ok(before.every(path => world.disk(host).paths().includes(path)))
    const lossy = world.reported.filter(({ message }) => /elect|lost|stray|kept/.test(message))
    assert.deepEqual(lossy, [])
    const epochs = world.disk(host).content('/data/orders-1/leader-epoch-checkpoint')!
    assert.equal(`${Buffer.from(epochs)}`, '0\n2\n0 0\n6 1\n')
  }))

test('an adoption again adds nothing, and does no harm to what came since', () =>
  simulated(2).run(async world => {
    await kafkasDirectory(world)
    const first = await adopt(world.io(host), ['/data'])
    assert.match(first.notes.join(), /no __cluster_metadata-0: topic configs are not known/)
    const broker = await start(world)
    await produce(client(world), 0, 'new')
    await broker.close()
    const { topics, known } = await adopt(world.io(host), ['/data'])
    assert.deepEqual([topics, known], [[], 1])
    const again = await start(world)
    assert.equal(await produce(client(world), 0, 'newer'), 2)
    await again.close()
  }))

test('an adoption that was cut short begins anew', async () => {
  for (let writes = 1; writes < 8; writes++) {
    await simulated(writes).run(async world => {
      await kafkasDirectory(world)
      let left = writes
      world.disk(host).fault = operation => {
        if (operation !== 'sync' || left-- > 0) return undefined
        world.disk(host).fault = undefined
        return 'EIO'
      }
      const isDone = await adopt(world.io(host), ['/data']).then(
        () => true,
        () => false,
      )
      world.disk(host).fault = undefined
      world.powerLoss(host)
      if (!isDone) await adopt(world.io(host), ['/data'])
      const broker = await start(world)
      assert.equal(await produce(client(world), 2, 'new'), 1)
      await broker.close()
    })
  }
})

test('what cannot be adopted is refused with the reason, and nothing is changed', async () => {
  const harms: readonly [RegExp, (world: World, topicId: string) => Promise<unknown>][] = [
    [/no meta.properties/, world => world.io(host).disk.remove('/data/meta.properties')],
    [
      /orders-2 has no topic id/,
      world => world.io(host).disk.remove('/data/orders-2/partition.metadata'),
    ],
    [
      /orders-0 and \/data\/orders-1 say that topic orders has the ids/,
      async world => {
        const content = new TextEncoder().encode('version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAABw\n')
        await world.io(host).disk.replaceFile('/data/orders-1/partition.metadata', content)
      },
    ],
    [
      /partitions without a folder: orders-1/,
      world => world.io(host).disk.remove('/data/orders-1'),
    ],
    [
      /only other brokers have: orders-3 \(brokers 2, 3\)/,
      (world, id) =>
        writeMetadataLog(world, [...ordersRecords(id), partitionRecord(id, 3, [2, 3])]),
    ],
    [
      /__cluster_metadata-0 cannot be read/,
      async (world, id) => {
        await writeMetadataLog(world, ordersRecords(id))
        world.disk(host).flip('/data/__cluster_metadata-0/00000000000000000000.log', 16)
      },
    ],
  ]
  for (const [reason, harm] of harms) {
    await simulated().run(async world => {
      const { topicId } = await kafkasDirectory(world)
      await harm(world, topicId)
      const before = world.disk(host).paths()
      await assert.rejects(adopt(world.io(host), ['/data']), error => {
        assert.ok(error instanceof AdoptionRefused)
        assert.match(error.message, reason)
        return true
      })
      assert.deepEqual(world.disk(host).paths(), before)
    })
  }
})

test('a directory of another cluster is refused before anything in it is changed', () =>
  simulated().run(async world => {
    await kafkasDirectory(world)
    await adopt(world.io(host), ['/data'])
    const { disk } = world.io(host)
    const meta = `${Buffer.from((await disk.readFile('/data/meta.properties', 1000))!)}`
    const other = meta.replace(/cluster.id=.*/, 'cluster.id=AAAAAAAAAAAAAAAAAAAABw')
    await disk.replaceFile('/data/meta.properties', new TextEncoder().encode(other))
    await disk.remove('/data/.kafka_cleanshutdown')
    const torn = await disk.open('/data/orders-0/00000000000000000000.log')
    await torn.write([Buffer.from('torn')], await torn.size())
    const before = world.disk(host).content('/data/orders-0/00000000000000000000.log')
    await assert.rejects(start(world), { error: 'INCONSISTENT_CLUSTER_ID' })
    await assert.rejects(adopt(world.io(host), ['/data']), /the metadata store is of cluster/)
    assert.deepEqual(world.disk(host).content('/data/orders-0/00000000000000000000.log'), before)
  }))
