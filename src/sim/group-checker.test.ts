import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Commit, checkGroups, type GroupHistory, type Owned } from './group-checker.ts'

const groupId = 'g'
const partition = 't-0'

function owned(memberId: string, generationId: number, at: number): Owned {
  return { groupId, generationId, memberId, groupInstanceId: null, partition, at }
}

function commit(offset: number, generationId: number, from: number): Commit {
  const memberId = `m${generationId}`
  const until = from + 1
  return { groupId, generationId, memberId, partition, offset, from, until, outcome: 'ok' }
}

function breaches(history: Partial<GroupHistory>): string[] {
  return checkGroups({ owned: [], commits: [], reads: [], moment: 0, ...history })
}

function assertOne(history: Partial<GroupHistory>, expected: RegExp): void {
  const found = breaches(history)
  assert.equal(found.length, 1)
  assert.match(found[0]!, expected)
}

test('two owners of a partition in one generation are a breach, in two generations not', () => {
  assertOne({ owned: [owned('a', 1, 1), owned('b', 1, 2)] }, /given to a and to b/)
  assert.deepEqual(breaches({ owned: [owned('a', 1, 1), owned('b', 2, 2)] }), [])
})

test('the next process of a static member owns the same in the same generation', () => {
  const [first, second] = [owned('a-1', 1, 1), owned('a-2', 1, 2)]
  const both = [first, second].map(each => ({ ...each, groupInstanceId: 'a' }))
  assert.deepEqual(breaches({ owned: both }), [])
})

test('a commit that is accepted when a later generation stands is a breach', () => {
  assertOne({ owned: [owned('b', 2, 5)], commits: [commit(7, 1, 6)] }, /when 2 stood/)
  assert.deepEqual(breaches({ owned: [owned('b', 2, 5)], commits: [commit(7, 1, 4)] }), [])
})

test('a committed offset that goes back is a breach', () => {
  const commits = [commit(5, 1, 1), commit(9, 1, 3)]
  const read = { groupId, partition, from: 5, until: 6 }
  assertOne({ commits, reads: [{ ...read, offset: 5 }] }, /had committed t-0@9 .* given 5/)
  assert.deepEqual(breaches({ commits, reads: [{ ...read, offset: 9 }] }), [])
})

test('an offset that nobody committed is a breach', () => {
  const reads = [{ groupId, partition, offset: 3, from: 1, until: 2 }]
  assertOne({ reads }, /@3, which nobody committed/)
  const refused = { ...commit(3, 1, 0), outcome: 'refused' as const }
  assertOne({ commits: [refused], reads }, /@3, which nobody committed/)
})
