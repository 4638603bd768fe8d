import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { brokerKeys } from './broker-keys.ts'
import { groupKeys } from './group-keys.ts'
import { ConfigError, type ConfigKey, defaultOf, describeValid, parseValue } from './key.ts'
import { topicSynonyms } from './topic-config.ts'
import { topicKeys } from './topic-keys.ts'

const tables = { broker: brokerKeys, topic: topicKeys, group: groupKeys }

function key(name: string): ConfigKey {
  return brokerKeys.get(name)!
}

test('every default is a valid value of its key', () => {
  for (const table of Object.values(tables)) {
    for (const entry of table.values()) assert.doesNotThrow(() => defaultOf(entry), entry.name)
  }
})

test('every key says what it does, or why it does nothing', () => {
  for (const table of Object.values(tables)) {
    for (const { name, doc } of table.values()) assert.ok(doc.length > 10, name)
  }
})

test('only keys that act can be changed while the broker runs', () => {
  for (const { name, dynamic, meaning } of brokerKeys.values()) {
    if (dynamic) assert.equal(meaning, 'acts', name)
  }
})

test('the broker keys behind topic keys exist and have their type', () => {
  for (const [topic, names] of topicSynonyms) {
    const wanted = topicKeys.get(topic)!
    assert.equal(brokerKeys.get(names[0]!)!.type, wanted.type, topic)
    assert.equal(brokerKeys.get(names[0]!)!.meaning, wanted.meaning, topic)
  }
})

for (const [name, table] of Object.entries(tables)) {
  test(`the ${name} keys are those of Kafka 4.4`, { skip: factsOf(name) === undefined }, () => {
    const facts = factsOf(name)!
    const added = [
      'group.disconnect.grace.ms',
      'log.dir.min.free.bytes',
      'log.scrub.interval.ms',
      'log.scrub.max.bytes.per.second',
      'log.tail.cache.bytes',
      'slow.request.ms',
    ]
    // Kafka has these as well, but only while a broker runs: they are not in the table.
    added.push('follower.replication.throttled.rate', 'leader.replication.throttled.rate')
    added.push('replica.alter.log.dirs.io.max.bytes.per.second')
    const isAdded = (key: string) => added.includes(key) || /^metadata\.store\b/.test(key)
    const known = [...table.keys()].filter(key => !isAdded(key))
    assert.deepEqual(known, facts.map(([key]) => key!).sort())
    const ours = new Set(['listeners', 'log.dir', 'node.id', 'group.initial.rebalance.delay.ms'])
    for (const [key, type, defaultText, , importance] of facts) {
      const entry = table.get(key!)!
      assert.deepEqual([entry.type, entry.importance], [type, importance], key)
      if (ours.has(key!)) continue
      const expected = defaultText!.replace(/^\[(.*)\]$/, '$1').replaceAll(', ', ',')
      const text = expected.replace('class ', '').replace('(required)', '')
      assert.equal(entry.defaultValue ?? '', text, key)
    }
  })
}

/** The lines of the table of facts, if this checkout has them beside it. */
function factsOf(name: string): string[][] | undefined {
  try {
    const url = new URL(`../../../shared/protocol/${name}-configs.tsv`, import.meta.url)
    const [, ...lines] = readFileSync(url, 'utf8').trimEnd().split('\n')
    return lines.map(line => line.split('\t'))
  } catch {
    return undefined
  }
}

test('a number outside its range is refused with the range', () => {
  assert.equal(parseValue(key('num.partitions'), ' 3 '), 3)
  assert.throws(() => parseValue(key('num.partitions'), '0'), {
    name: 'ConfigError',
    message: "invalid value '0' for num.partitions: it must be 1 or more",
  })
  assert.throws(() => parseValue(key('group.share.max.size'), '1001'), /it must be 1 to 1000/)
})

test('a value beside the range is valid where the key says so', () => {
  assert.equal(parseValue(key('compression.gzip.level'), '-1'), -1)
  assert.throws(() => parseValue(key('compression.gzip.level'), '0'), /1 to 9, or -1/)
})

test('whole numbers beyond 64, 32 and 16 bits are refused, and text that is none', () => {
  assert.throws(() => parseValue(key('log.retention.ms'), '9223372036854775808'), ConfigError)
  assert.throws(() => parseValue(key('num.partitions'), '2147483648'), ConfigError)
  assert.throws(() => parseValue(key('offsets.topic.replication.factor'), '32768'), ConfigError)
  for (const text of ['', '1.5', '1e3', '0x10', '10s', '١']) {
    assert.throws(() => parseValue(key('num.partitions'), text), ConfigError, text)
  }
})

test('the largest 64-bit numbers become the largest safe ones', () => {
  const safe = Number.MAX_SAFE_INTEGER
  assert.equal(parseValue(key('log.flush.interval.messages'), '9223372036854775807'), safe)
})

test('a list names only words that are allowed', () => {
  assert.deepEqual(parseValue(key('log.cleanup.policy'), 'compact, delete'), ['compact', 'delete'])
  assert.deepEqual(parseValue(key('log.cleanup.policy'), ''), [])
  assert.throws(() => parseValue(key('log.cleanup.policy'), 'delete,shred'), /compact, delete/)
})

test('what is valid is told in the notation of Kafka', () => {
  assert.equal(describeValid(key('num.partitions')), '[1,...]')
  assert.equal(describeValid(key('group.share.max.size')), '[1,...,1000]')
  assert.equal(describeValid(key('compression.gzip.level')), '[1,...,9] or -1')
  assert.equal(describeValid(key('log.cleanup.policy')), '[compact, delete]')
  assert.equal(describeValid(key('broker.rack')), '')
})
