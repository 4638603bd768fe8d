import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brokerConfig, noProperties } from './broker-config.ts'
import { configSource, describeBrokerConfigs, describeTopicConfigs } from './described.ts'
import { throttledPartitions } from './throttle-config.ts'
import { logConfig, topicSynonyms, validateTopicConfigs } from './topic-config.ts'
import { topicKeys } from './topic-keys.ts'

function sources(properties: Record<string, string> = {}) {
  return {
    properties: new Map(Object.entries(properties)),
    clusterWide: noProperties,
    perBroker: noProperties,
  }
}

const defaults = brokerConfig(sources())

test('a topic has the broker config where it says nothing, and its own where it does', () => {
  const broker = brokerConfig(sources({ 'log.segment.bytes': '2000000' }))
  const config = logConfig(new Map([['retention.ms', '5']]), broker)
  assert.equal(config.segmentBytes, 2_000_000)
  assert.equal(config.retentionMs, 5)
  assert.equal(logConfig(new Map(), broker), broker.log)
})

test('every topic key that acts changes what the log obeys', () => {
  const values: Record<string, string> = {
    'cleanup.policy': 'compact',
    'compression.type': 'zstd',
    'message.timestamp.type': 'LogAppendTime',
    'unclean.leader.election.enable': 'true',
    'segment.bytes': '1048577',
    'compression.zstd.level': '7',
    'min.cleanable.dirty.ratio': '0.25',
  }
  for (const { name, meaning } of topicKeys.values()) {
    // What is throttled is no business of the log.
    if (meaning !== 'acts' || name.endsWith('.throttled.replicas')) continue
    const configs = new Map([[name, values[name] ?? '8']])
    assert.equal(validateTopicConfigs(configs), undefined, name)
    assert.notDeepEqual(logConfig(configs, defaults), defaults.log, name)
  }
})

test('every broker key behind one that acts changes what logs obey', () => {
  const values: Record<string, string> = {
    'log.cleanup.policy': 'compact',
    'compression.type': 'zstd',
    'log.message.timestamp.type': 'LogAppendTime',
    'unclean.leader.election.enable': 'true',
    'log.segment.bytes': '1048577',
    'compression.zstd.level': '7',
    'log.cleaner.min.cleanable.ratio': '0.25',
  }
  for (const [topic, names] of topicSynonyms) {
    if (topicKeys.get(topic)!.meaning !== 'acts') continue
    const name = names[0]!
    const changed = brokerConfig(sources({ [name]: values[name] ?? '8' }))
    assert.notDeepEqual(changed.log, defaults.log, name)
  }
})

test('unknown keys, invalid values and what cannot be kept are refused', () => {
  const why = (name: string, value: string) => validateTopicConfigs(new Map([[name, value]]))
  assert.equal(why('nope', '1'), 'Unknown topic config name: nope')
  assert.match(why('segment.bytes', '100')!, /it must be 1048576 or more/)
  assert.match(why('remote.storage.enable', 'true')!, /Tiered storage is not here yet/)
  assert.equal(why('remote.storage.enable', 'false'), undefined)
  assert.equal(why('cleanup.policy', 'compact,delete'), undefined)
})

test('a description tells the value, its source, and all other places that have one', () => {
  const given = sources({ 'log.retention.hours': '2' })
  const described = describeTopicConfigs(new Map([['max.message.bytes', '9']]), given)
  const of = (name: string) => described.find(({ key }) => key.name === name)!
  assert.equal(of('retention.ms').value, '7200000')
  assert.equal(of('retention.ms').source, configSource.properties)
  assert.equal(of('max.message.bytes').source, configSource.topic)
  assert.deepEqual(of('max.message.bytes').synonyms, [
    { name: 'max.message.bytes', value: '9', source: configSource.topic },
    { name: 'message.max.bytes', value: '1048588', source: configSource.default },
  ])
  assert.equal(of('segment.ms').value, '604800000')
  assert.equal(of('segment.ms').source, configSource.default)
})

test('secrets are never described', () => {
  const described = describeBrokerConfigs(sources({ 'ssl.key.password': 'hunter2' }))
  assert.equal(JSON.stringify(described).includes('hunter2'), false)
  assert.ok(described.find(({ key }) => key.name === 'ssl.key.password')!.isSensitive)
})

test('throttled replicas are all of a topic, or pairs of a partition and a broker', () => {
  const refusal = (text: string) =>
    validateTopicConfigs(new Map([['leader.replication.throttled.replicas', text]]))
  for (const text of ['*', '', '0:1', '0:1, 12:3']) assert.equal(refusal(text), undefined, text)
  for (const text of ['0', '*,0:1', '0:1:2', 'a:b', '0:-1']) {
    assert.match(refusal(text) ?? '', /\[partitionId\]:\[brokerId\]/, text)
  }
  assert.deepEqual(throttledPartitions('0:1,5:2, 7:1', 1), new Set([0, 7]))
  assert.equal(throttledPartitions('*', 1), 'all')
})
