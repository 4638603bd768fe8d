import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type BrokerConfig,
  brokerConfig,
  noProperties,
  parseBrokerConfig,
  validateBrokerChange,
} from './broker-config.ts'
import { describeBrokerConfigs } from './described.ts'

function parse(properties: Record<string, string>) {
  return parseBrokerConfig(new Map(Object.entries(properties)))
}

function config(properties: Record<string, string>): BrokerConfig {
  const parsed = parse(properties)
  assert.deepEqual(parsed.errors, [])
  return parsed.config!
}

test('without properties a broker listens on loopback and keeps its data in the working folder', () => {
  const { listeners, dataDirectories, nodeId, advertised } = config({})
  assert.deepEqual(listeners, [{ name: 'PLAINTEXT', host: '127.0.0.1', port: 9092 }])
  assert.deepEqual(dataDirectories, ['ottla-data'])
  assert.equal(nodeId, 1)
  assert.equal(advertised.size, 0)
})

test("Kafka's own server.properties is taken as it is", () => {
  const parsed = parse({
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.bootstrap.servers': 'localhost:9093',
    listeners: 'PLAINTEXT://:9092,CONTROLLER://:9093',
    'inter.broker.listener.name': 'PLAINTEXT',
    'advertised.listeners': 'PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093',
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map':
      'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT',
    'num.network.threads': '3',
    'num.io.threads': '8',
    'socket.send.buffer.bytes': '102400',
    'socket.receive.buffer.bytes': '102400',
    'socket.request.max.bytes': '104857600',
    'log.dirs': '/tmp/kraft-combined-logs',
    'num.partitions': '1',
    'offsets.topic.replication.factor': '1',
    'log.retention.hours': '168',
    'log.segment.bytes': '1073741824',
  })
  assert.deepEqual(parsed.errors, [])
  assert.deepEqual(parsed.config!.listeners, [{ name: 'PLAINTEXT', host: '', port: 9092 }])
  assert.deepEqual(parsed.config!.advertised.get('PLAINTEXT'), { host: 'localhost', port: 9092 })
  assert.deepEqual(parsed.notices, [
    'process.roles, controller.quorum.bootstrap.servers, controller.listener.names: no meaning here, ignored',
  ])
})

test('a key that would weaken security is refused by name, its default is not', () => {
  assert.deepEqual(parse({ 'authorizer.class.name': 'a.B' }).errors, [
    'authorizer.class.name cannot be set: Java code cannot be loaded: access would be open that the setting closes. Remove it.',
  ])
  assert.match(parse({ 'ssl.client.auth': 'required' }).errors[0]!, /Remove it, or say none/)
  config({ 'ssl.client.auth': 'none', 'authorizer.class.name': '' })
})

test('settings of single listeners are refused: they are about security', () => {
  const { errors } = parse({ 'listener.name.plaintext.ssl.keystore.location': '/k' })
  assert.match(errors[0]!, /settings of single listeners are not served yet/)
})

test('all wrong values are listed at once', () => {
  const { errors, config: none } = parse({ 'num.partitions': 'x', 'node.id': '-5' })
  assert.equal(errors.length, 2)
  assert.equal(none, undefined)
})

test('a key that nobody knows is named in a notice', () => {
  assert.deepEqual(parse({ 'num.partition': '3' }).notices, [
    'num.partition: not a key that this broker knows, ignored',
  ])
})

test('of retention the finest unit counts, whatever the order', () => {
  assert.equal(config({ 'log.retention.hours': '2' }).log.retentionMs, 7_200_000)
  assert.equal(
    config({ 'log.retention.minutes': '3', 'log.retention.hours': '2' }).log.retentionMs,
    180_000,
  )
  assert.equal(config({ 'log.retention.ms': '5', 'log.retention.minutes': '3' }).log.retentionMs, 5)
  assert.equal(config({ 'log.retention.hours': '-1' }).log.retentionMs, -1)
  assert.match(parse({ 'log.retention.ms': '-2' }).errors[0]!, /-1 is no bound/)
})

test('dynamic values of one broker come before those of all, and both before the properties', () => {
  const properties = new Map([['message.max.bytes', '1']])
  const clusterWide = new Map([['message.max.bytes', '2']])
  const perBroker = new Map([['message.max.bytes', '3']])
  const of = (sources: Parameters<typeof brokerConfig>[0]) =>
    brokerConfig(sources).log.maxMessageBytes
  assert.equal(of({ properties, clusterWide, perBroker }), 3)
  assert.equal(of({ properties, clusterWide, perBroker: noProperties }), 2)
  assert.equal(of({ properties, clusterWide: noProperties, perBroker: noProperties }), 1)
})

test('of a running broker only what acts at once can be changed', () => {
  const why = (name: string, value: string) => validateBrokerChange(new Map([[name, value]]))
  assert.equal(why('message.max.bytes', '1000'), undefined)
  assert.match(why('node.id', '7')!, /cannot be changed while the broker runs/)
  assert.match(why('message.max.bytes', 'x')!, /say a whole number/)
  assert.match(why('nope', '1')!, /there is no broker config nope/)
  assert.match(why('max.connections.per.ip.overrides', 'one')!, /address:count/)
})

test('connections of single addresses have their own bounds', () => {
  const { maxConnectionsPerIpOverrides } = config({
    'max.connections.per.ip.overrides': '127.0.0.1:5, ::1:6',
  })
  assert.deepEqual(
    [...maxConnectionsPerIpOverrides],
    [
      ['127.0.0.1', 5],
      ['::1', 6],
    ],
  )
})

test('node.id and broker.id must agree', () => {
  assert.equal(config({ 'broker.id': '4' }).nodeId, 4)
  assert.match(parse({ 'broker.id': '4', 'node.id': '5' }).errors[0]!, /differ/)
})

test('data directories are several, each named once', () => {
  assert.deepEqual(config({ 'log.dirs': '/a, /b' }).dataDirectories, ['/a', '/b'])
  assert.match(parse({ 'log.dirs': '/a,/b,/a' }).errors[0]!, /names \/a twice/)
  assert.match(parse({ 'log.dirs': '/a,,/b' }).errors[0]!, /separated by commas/)
  assert.equal(config({}).metadataDirectory, undefined)
  assert.equal(config({ 'metadata.log.dir': '/m' }).metadataDirectory, '/m')
  assert.deepEqual(config({ 'log.dir': '/a', 'log.dirs': '/b' }).dataDirectories, ['/b'])
})

test('the keys of compaction act, and most of them while the broker runs', () => {
  assert.deepEqual(config({}).cleaner, {
    enabled: true,
    threads: 1,
    backoffMs: 15_000,
    maxBytesPerSecond: Number.MAX_VALUE,
    dedupeBufferBytes: 134_217_728,
    loadFactor: 0.9,
    bufferBytes: 524_288,
  })
  const odd = {
    'log.cleaner.io.buffer.load.factor': '-1',
    'log.cleaner.io.max.bytes.per.second': '0',
  }
  const { loadFactor, maxBytesPerSecond } = config(odd).cleaner
  assert.ok(loadFactor > 0 && maxBytesPerSecond > 0, 'compaction goes on')
  assert.equal(config({ 'log.cleaner.delete.retention.ms': '5' }).log.deleteRetentionMs, 5)
  assert.equal(validateBrokerChange(new Map([['log.cleaner.threads', '2']])), undefined)
  assert.match(
    validateBrokerChange(new Map([['log.cleaner.enable', 'false']]))!,
    /cannot be changed/,
  )
})

test('the keys of groups act', () => {
  assert.deepEqual(config({}).groups, {
    minSessionTimeoutMs: 6000,
    maxSessionTimeoutMs: 1_800_000,
    maxSize: 2_147_483_647,
    initialRebalanceDelayMs: 0,
    disconnectGraceMs: 500,
    offsetMetadataMaxBytes: 4096,
    offsetsRetentionMs: 604_800_000,
    offsetsRetentionCheckMs: 600_000,
    commitTimeoutMs: 5000,
    loadBytes: 5_242_880,
    compression: 'none',
    partitionCount: 50,
    replicationFactor: 3,
    segmentBytes: 104_857_600,
  })
  const { groups } = config({
    'group.disconnect.grace.ms': '-1',
    'group.initial.rebalance.delay.ms': '3000',
    'offsets.retention.minutes': '1',
    'offsets.topic.compression.codec': '3',
  })
  assert.equal(groups.disconnectGraceMs, undefined)
  assert.equal(groups.initialRebalanceDelayMs, 3000)
  assert.equal(groups.offsetsRetentionMs, 60_000)
  assert.equal(groups.compression, 'lz4')
  assert.equal(parse({ 'offsets.topic.compression.codec': '5' }).config, undefined)
})

test("defaults for a broker that is alone give way to Kafka's where brokers share a store", () => {
  const { groups, sources } = config({ 'metadata.store': 'etcd://127.0.0.1:2379' })
  assert.equal(groups.initialRebalanceDelayMs, 3000)
  assert.equal(groups.disconnectGraceMs, undefined)
  const described = describeBrokerConfigs(sources)
  const delay = described.find(({ key }) => key.name === 'group.initial.rebalance.delay.ms')!
  assert.deepEqual([delay.value, delay.source], ['3000', 5])
  const set = config({
    'metadata.store': 'etcd://127.0.0.1:2379',
    'group.initial.rebalance.delay.ms': '7',
  })
  assert.equal(set.groups.initialRebalanceDelayMs, 7)
})
