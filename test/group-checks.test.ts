import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Checks } from './groups/checks.ts'
import type { MemberEvent } from './groups/events.ts'
import { type Cause, Rebalances } from './groups/rebalances.ts'

const group = 'g'

function checksOf(): Checks {
  return new Checks([group], 2)
}

function joined(member: string, generation: number, partitions: number[]): MemberEvent {
  return { at: 0, member, event: 'joined', generation, id: `${member}-id`, partitions }
}

function read(member: string, partition: number, records: [number, number][]): MemberEvent {
  return { at: 0, member, event: 'read', partition, records }
}

function committed(generation: number, partition: number, offset: number): MemberEvent {
  const offsets: [number, number][] = [[partition, offset]]
  return { at: 0, member: 'a', event: 'committed', generation, id: 'a-id', offsets }
}

test('an acknowledged message that a group has not read is lost', () => {
  const checks = checksOf()
  const [first, second] = [checks.send(0), checks.send(0)]
  checks.acknowledge(0, 0, first)
  checks.acknowledge(0, 1, second)
  checks.hear(group, read('a', 0, [[0, first]]))
  assert.equal(checks.missing(group), 1)
  assert.deepEqual(checks.finish(group), {
    generation: -1,
    read: 1,
    readAgain: 0,
    commits: 0,
    missing: 1,
  })
  assert.deepEqual(checks.breaches, ['a message was lost: g has not read offset 1 of partition 0'])
})

test('messages may be read again, and read before they are acknowledged', () => {
  const checks = checksOf()
  const value = checks.send(1)
  checks.hear(group, read('a', 1, [[0, value]]))
  checks.acknowledge(1, 0, value)
  checks.hear(group, read('b', 1, [[0, value]]))
  assert.equal(checks.finish(group).readAgain, 1)
  assert.deepEqual(checks.breaches, [])
})

test('a message that was not sent, or to another partition, is a breach', () => {
  const checks = checksOf()
  const value = checks.send(1)
  checks.hear(group, read('a', 0, [[0, value]]))
  checks.hear(group, read('a', 1, [[0, 17]]))
  assert.deepEqual(checks.breaches, [
    'a message was never sent there: a of g read 0 at 0 of partition 0',
    'a message was never sent there: a of g read 17 at 0 of partition 1',
  ])
})

test('an offset holds one message for everybody', () => {
  const checks = checksOf()
  const [first, second] = [checks.send(0), checks.send(0)]
  checks.acknowledge(0, 0, first)
  checks.hear(group, read('a', 0, [[0, second]]))
  assert.deepEqual(checks.breaches, [
    'a message changed: offset 0 of partition 0: 0, and 1 says a of g',
  ])
})

test('a partition has one owner in a generation', () => {
  const checks = checksOf()
  checks.hear(group, joined('a', 1, [0, 1]))
  checks.hear(group, joined('a', 1, [0, 1]))
  checks.hear(group, joined('b', 2, [0]))
  checks.hear(group, joined('a', 2, [1]))
  assert.deepEqual(checks.breaches, [])
  checks.hear(group, joined('c', 2, [1]))
  assert.deepEqual(checks.breaches, [
    'a partition was owned twice: g-1 in generation 2: a (a-id) and c (c-id)',
  ])
})

test('the same program with another member id is another owner', () => {
  const checks = checksOf()
  checks.hear(group, joined('a', 1, [0]))
  checks.hear(group, { ...joined('a', 1, [0]), id: 'a-again' } as MemberEvent)
  assert.equal(checks.breaches.length, 1)
})

test('what an older generation committed is below what a newer one commits', () => {
  const rising = [committed(1, 0, 5), committed(2, 0, 5), committed(2, 0, 9), committed(3, 0, 9)]
  // Pipes have no order: what the older generation did may be heard last.
  for (const events of [rising, [...rising.slice(1), rising[0]!]]) {
    const checks = checksOf()
    for (const event of events) checks.hear(group, event)
    assert.deepEqual(checks.breaches, [])
  }
  const late = checksOf()
  late.hear(group, committed(2, 0, 5))
  late.hear(group, committed(1, 0, 6))
  assert.equal(late.breaches.length, 1)
})

test('commits of one generation rise', () => {
  const checks = checksOf()
  for (const offset of [5, 5, 7, 6]) checks.hear(group, committed(1, 0, offset))
  assert.deepEqual(checks.breaches, [
    'an acknowledged commit goes back: g-0: 6 in generation 1 by a, 5 to 7 in generation 1',
  ])
})

test('the broker never says less than what was acknowledged before it was asked', () => {
  const checks = checksOf()
  checks.hear(group, committed(1, 0, 5))
  const floor = checks.floor(group)
  checks.hear(group, committed(1, 0, 8))
  checks.poll(group, floor, new Map([[0, 5]]))
  assert.deepEqual(checks.breaches, [])
  checks.poll(group, checks.floor(group), new Map([[0, 7]]))
  assert.deepEqual(checks.breaches, ['a committed offset went back: g-0: 7 after 8'])
})

test('the broker never says less than it said before, although nobody acknowledged it', () => {
  const checks = checksOf()
  checks.poll(group, checks.floor(group), new Map([[1, 3]]))
  checks.poll(group, checks.floor(group), new Map())
  assert.deepEqual(checks.breaches, ['a committed offset went back: g-1: 0 after 3'])
})

test('of many breaches of a kind five are told, the others counted', () => {
  const checks = checksOf()
  for (let i = 0; i < 8; i++) checks.breach('kind', `${i}`)
  assert.deepEqual(checks.breaches.slice(4), ['kind: 4', 'kind: 3 more'])
})

function rebalancesAfter(cause: Cause, members: string[]): Rebalances {
  const rebalances = new Rebalances(2)
  hear(rebalances, 'a', 1, [0, 1], 50)
  rebalances.begin({ group, cause, at: 100, members })
  return rebalances
}

function hear(
  to: Rebalances,
  member: string,
  generation: number,
  partitions: number[],
  at: number,
) {
  to.joined(group, { at, member, event: 'joined', generation, id: member, partitions })
}

test('a group has recovered when a generation without the one that left owns everything', () => {
  const rebalances = rebalancesAfter('kill', ['b'])
  hear(rebalances, 'a', 2, [0], 110)
  hear(rebalances, 'b', 2, [1], 90)
  assert.equal(rebalances.pending.length, 1, 'that one was told before it was killed')
  hear(rebalances, 'c', 3, [1], 180)
  hear(rebalances, 'a', 3, [0], 150)
  assert.deepEqual(rebalances.pending, [])
  assert.deepEqual(rebalances.rows(), [{ what: 'kill', count: 1, p50: 80, p99: 80, max: 80 }])
  assert.equal(rebalances.generations, 3)
})

test('a group that someone joins has recovered when that one has its share', () => {
  const rebalances = rebalancesAfter('join', ['b'])
  hear(rebalances, 'a', 2, [0, 1], 110)
  assert.equal(rebalances.pending.length, 1)
  hear(rebalances, 'a', 3, [0], 120)
  hear(rebalances, 'b', 3, [1], 130)
  assert.deepEqual(rebalances.rows(), [{ what: 'join', count: 1, p50: 30, p99: 30, max: 30 }])
})

test('rebalances in which the group had to wait for something else are counted apart', () => {
  const rebalances = rebalancesAfter('leave', ['b'])
  rebalances.circumstance(group, 'the broker down')
  rebalances.circumstance(group, '')
  hear(rebalances, 'a', 2, [0, 1], 110)
  rebalances.begin({ group, cause: 'leave', at: 200, members: ['c'] })
  hear(rebalances, 'a', 3, [0, 1], 210)
  assert.deepEqual(
    rebalances.rows().map(({ what }) => what),
    ['leave', 'leave, the broker down'],
  )
})

test('a member that comes back ends the wait for a group without it', () => {
  const rebalances = rebalancesAfter('kill', ['b'])
  rebalances.begin({ group, cause: 'join', at: 120, members: ['b'] })
  assert.deepEqual(
    rebalances.pending.map(({ cause }) => cause),
    ['join'],
  )
})
