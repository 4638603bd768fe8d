import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkTopicName } from './topic-rules.ts'

test('names are those that Kafka takes', () => {
  for (const name of ['a', 'A-b_c.9', '...', 'x'.repeat(249), '__consumer_offsets']) {
    checkTopicName(name)
  }
  for (const name of ['', '.', '..', 'x'.repeat(250), 'a b', 'a/b', 'ä', 'a\n', 'a\0']) {
    assert.throws(() => checkTopicName(name), { error: 'INVALID_TOPIC_EXCEPTION' }, name)
  }
})
