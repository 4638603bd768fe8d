import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ownership } from './client/ownership.ts'

const joined = (at: number, member: string, ...partitions: number[]) =>
  ({ at, member, event: 'joined', generation: 1, id: member, partitions }) as const
const revoked = (at: number, member: string, ...partitions: number[]) =>
  ({ at, member, event: 'revoked', partitions }) as const
const read = (at: number, member: string, partition: number) =>
  ({ at, member, event: 'read', partition, records: [[0, 0]] }) as const

test('a partition that is given up before another member has it was not owned twice', () => {
  const ownership = new Ownership()
  ownership.hear(joined(10, 'a', 0, 1))
  ownership.hear(joined(20, 'b', 1))
  ownership.hear(revoked(20, 'a', 1))
  assert.deepEqual(ownership.twice(), [])
})

test('two members with one partition at a time are told, whichever is heard first', () => {
  const ownership = new Ownership()
  ownership.hear(joined(20, 'b', 1))
  ownership.hear(joined(10, 'a', 0, 1))
  ownership.hear(revoked(23, 'a', 1))
  assert.deepEqual(ownership.twice(), ['1: a and b for 3 ms'])
})

test('reading what one has not is a breach, also after it was given up', () => {
  const ownership = new Ownership()
  ownership.hear(joined(10, 'a', 0))
  ownership.hear(read(11, 'a', 0))
  ownership.hear(revoked(12, 'a'))
  ownership.hear(revoked(12, 'a', 0))
  ownership.hear(read(13, 'a', 0))
  assert.deepEqual(ownership.breaches, ['a reads 0, which it has not, at 13'])
})

test('gaps tell whether the partition was kept, and whether others moved meanwhile', () => {
  const ownership = new Ownership()
  ownership.hear(joined(10, 'a', 0, 1))
  ownership.hear(read(20, 'a', 0))
  ownership.hear(read(25, 'a', 0))
  ownership.hear(revoked(30, 'a', 1))
  ownership.hear(read(40, 'a', 0))
  ownership.hear(revoked(50, 'a', 0))
  ownership.hear(joined(60, 'a', 0))
  ownership.hear(read(70, 'a', 0))
  assert.deepEqual(
    ownership.gaps().map(({ ms, isKept, inRebalance }) => [ms, isKept, inRebalance]),
    [
      [5, true, false],
      [15, true, true],
      [30, false, true],
    ],
  )
})
