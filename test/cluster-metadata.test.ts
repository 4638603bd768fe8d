/** A store that was lost, and a broker that moves to etcd: nothing acknowledged is missing afterwards. */
import assert from 'node:assert/strict'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, test } from 'node:test'
import { Admin, Broker, Consumer, Producer, serializers } from '../src/index.ts'
import { directory, ottla } from './command.ts'
import { etcdMissing, LiveEtcd } from './live-etcd.ts'

const skip = etcdMissing() ?? false

/** What was started last is stopped first. */
const undo: (() => Promise<void>)[] = []
afterEach(async () => {
  while (undo.length > 0) await undo.pop()!()
})

async function startEtcd(): Promise<LiveEtcd> {
  const etcd = await LiveEtcd.start()
  undo.push(() => etcd.remove())
  return etcd
}

async function startBroker(id: number, name: string, url?: string, copies = 3) {
  const broker = await Broker.start({
    dataDirectory: join(directory, name),
    port: 0,
    properties: {
      'node.id': String(id),
      'default.replication.factor': String(copies),
      'offsets.topic.replication.factor': String(copies),
      'min.insync.replicas': String(Math.min(2, copies)),
      ...(url !== undefined && { 'metadata.store': url }),
    },
  })
  undo.push(() => broker.close())
  return broker
}

async function send(bootstrap: string, values: readonly string[]): Promise<void> {
  await using producer = new Producer({ bootstrap })
  await Promise.all(values.map(value => producer.send({ topic: 'orders', key: value, value })))
}

async function read(bootstrap: string, count: number): Promise<string[]> {
  await using consumer = new Consumer({
    bootstrap,
    topics: 'orders',
    offsetReset: 'earliest',
    groupId: `g-${Math.random()}`,
    value: serializers.string,
  })
  const found: string[] = []
  for await (const { value } of consumer) if (found.push(value!) === count) break
  return found.sort()
}

const numbered = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, at) => String(from + at).padStart(4, '0'))

test('a lost etcd is restored from a file that is older than the records', { skip }, async () => {
  const first = await startEtcd()
  const ids = [1, 2, 3]
  const before = await Promise.all(ids.map(id => startBroker(id, `lost-${id}`, first.url)))
  const { bootstrap } = before[0]!
  await using admin = new Admin({ bootstrap })
  await admin.createTopics([{ topic: 'orders', partitions: 3, configs: { 'retention.ms': '-1' } }])
  await send(bootstrap, numbered(0, 100))
  const file = join(directory, 'metadata.json')
  const saved = await ottla(['cluster', 'export', file, '--store', first.url])
  assert.match(saved.out, /^Wrote \d+ keys to /, saved.error)
  assert.equal(statSync(file).mode & 0o777, 0o600)
  // Other leaders and epochs than the file knows.
  await before[1]!.close()
  await send(bootstrap, numbered(100, 200))
  const used = await ottla(['cluster', 'import', file, '--store', first.url])
  assert.match(used.error, /brokers use this store \(1, 3 are alive\)/)
  for (const broker of before) await broker.close()
  const stale = await ottla(['cluster', 'import', file, '--store', first.url])
  assert.match(stale.error, /this store is not empty: .* etcdctl del --prefix/)
  await first.remove()

  const second = await startEtcd()
  const put = await ottla(['cluster', 'import', file, '--store', second.url])
  assert.match(put.out, /^Put \d+ keys of cluster \S{22} back/, put.error)
  const after = await Promise.all(ids.map(id => startBroker(id, `lost-${id}`, second.url)))
  const now = after[0]!
  assert.equal(now.clusterId, before[0]!.clusterId)
  assert.deepEqual(await read(now.bootstrap, 200), numbered(0, 200))
  await send(now.bootstrap, numbered(200, 250))
  assert.deepEqual(await read(now.bootstrap, 250), numbered(0, 250))
  await using again = new Admin({ bootstrap: now.bootstrap })
  const [topic] = await again.describeTopics(['orders'], { configs: true })
  assert.ok(topic !== undefined && topic.error === undefined)
  assert.equal(topic.partitions.length, 3)
})

test('a broker that was alone moves to etcd with its topics and records', { skip }, async () => {
  const alone = await startBroker(1, 'alone', undefined, 1)
  await using admin = new Admin({ bootstrap: alone.bootstrap })
  await admin.createTopics([{ topic: 'orders', partitions: 2, replicationFactor: 1 }])
  await send(alone.bootstrap, numbered(0, 50))
  const data = join(directory, 'alone')
  const file = join(directory, 'alone.json')
  const busy = await ottla(['cluster', 'export', file, '--store', data])
  assert.match(busy.error, /in use/)
  await alone.close()
  assert.equal((await ottla(['cluster', 'export', file, '--store', data])).code, 0)
  assert.match(readFileSync(file, 'utf8'), /^\{"ottla":"metadata"/)

  const etcd = await startEtcd()
  const put = await ottla(['cluster', 'import', file, '--store', `${etcd.url}/prod`])
  assert.equal(put.code, 0, put.error)
  const twice = await ottla(['cluster', 'import', file, '--store', `${etcd.url}/prod`])
  assert.match(twice.error, /etcdctl del --prefix \/prod\/ottla\/v1\/$/m)
  const moved = await startBroker(1, 'alone', `${etcd.url}/prod`, 1)
  assert.equal(moved.clusterId, alone.clusterId)
  assert.deepEqual(await read(moved.bootstrap, 50), numbered(0, 50))
  await send(moved.bootstrap, numbered(50, 60))
  assert.deepEqual(await read(moved.bootstrap, 60), numbered(0, 60))
})

test('a store that is not there is told', async () => {
  const file = join(directory, 'none.json')
  const refused = async (message: RegExp, ...options: string[]) => {
    const { code, error } = await ottla(['cluster', 'export', file, ...options])
    assert.equal(code, 1)
    assert.match(error, message)
  }
  await refused(/say which store/)
  await refused(/has no metadata store/, '--store', directory)
  await refused(/invalid value 'redis:/, '--store', 'redis://a')
})
