import assert from 'node:assert/strict'
import { test } from 'node:test'
import { topicKeys } from '../config/topic-keys.ts'
import { nearest } from './nearest.ts'

test('a slip of the finger finds the key that was meant', () => {
  const slips: [word: string, key: string | undefined][] = [
    ['retention.mss', 'retention.ms'],
    ['retention.milis', 'retention.ms'],
    ['cleanup-policy', 'cleanup.policy'],
    ['max.mesage.bytes', 'max.message.bytes'],
    ['retention', 'retention.ms'],
    ['x', undefined],
    ['entirely.different.words', undefined],
  ]
  for (const [word, key] of slips) assert.equal(nearest(word, topicKeys.keys()), key, word)
})
