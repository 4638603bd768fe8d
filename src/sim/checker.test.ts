import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Attempt, check, type Seen } from './checker.ts'

const promises = { keptAcknowledged: true, stableOffsets: true }

function attempt(value: string, sequence: number, over: Partial<Attempt> = {}): Attempt {
  return {
    producer: 1,
    idempotent: true,
    partition: 'a-0',
    value,
    sequence,
    outcome: 'ok',
    offset: sequence,
    ...over,
  }
}

function log(...values: string[]): Map<string, Seen[]> {
  return new Map([['a-0', values.map((value, offset) => ({ partition: 'a-0', offset, value }))]])
}

test('a run in which everything holds has no breach', () => {
  const attempts = [attempt('x', 0), attempt('y', 1)]
  assert.deepEqual(check(attempts, [], log('x', 'y'), promises), [])
})

test('a lost acknowledged record is found, an unknown one may be absent', () => {
  const attempts = [attempt('x', 0), attempt('y', 1), attempt('z', 2, { outcome: 'unknown' })]
  assert.match(check(attempts, [], log('x'), promises).join(), /NoCommittedLoss: a-0@1 was y/)
})

test('a record that moved after it was shown is found', () => {
  const seen = [{ partition: 'a-0', offset: 0, value: 'y' }]
  const attempts = [attempt('x', 0), attempt('y', 1)]
  assert.match(check(attempts, seen, log('x', 'y'), promises).join(), /StableOffsets/)
})

test('a duplicate, a swap, a gap and an invented record are found', () => {
  const attempts = [attempt('x', 0), attempt('y', 1)]
  const loose = { keptAcknowledged: false, stableOffsets: false }
  assert.match(check(attempts, [], log('x', 'x', 'y'), loose).join(), /Idempotence/)
  assert.match(check(attempts, [], log('y', 'x'), loose).join(), /SendOrder/)
  assert.match(check(attempts, [], log('x', 'q'), loose).join(), /Invented/)
  const gap = new Map([['a-0', [{ partition: 'a-0', offset: 1, value: 'x' }]]])
  assert.match(check(attempts, [], gap, loose).join(), /ConsumerGapless/)
})
