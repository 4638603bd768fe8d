import assert from 'node:assert/strict'
import { test } from 'node:test'
import { electable, isAwaitingOthers, type KnownBrokers, remainingIsr } from './handover-state.ts'
import type { Member, PartitionState } from './partition-state.ts'

const member = (id: number): Member => [id, BigInt(id)]

function state(isr: readonly number[], minIsr: number, leader: number): PartitionState {
  return {
    leader: member(leader),
    leaderEpoch: 0,
    partitionEpoch: 0,
    minIsr,
    replicas: [1, 2, 3],
    isr: isr.map(member),
    elr: [],
    lastKnown: [],
    adding: [],
    removing: [],
  }
}

/** Brokers by id: those that run, and which of them are stopping. */
function brokers(running: readonly number[], stopping: readonly number[]): KnownBrokers {
  const epochOf = (ids: readonly number[]) => (id: number) =>
    ids.includes(id) ? BigInt(id) : undefined
  return {
    running: epochOf(running),
    usable: epochOf(running.filter(id => !stopping.includes(id))),
  }
}

const ids = (members: readonly Member[]) => members.map(([id]) => id)

test('one that is stopping leaves an ISR that is large enough without it', () => {
  assert.deepEqual(ids(remainingIsr(state([1, 2, 3], 2, 1), 2, brokers([1, 2, 3], [1]))), [2, 3])
  assert.deepEqual(ids(remainingIsr(state([1, 2], 1, 1), 1, brokers([1, 2, 3], [1]))), [2])
})

test('it stays in one that would be too small, and one that is gone never does', () => {
  assert.deepEqual(ids(remainingIsr(state([1, 2], 2, 1), 2, brokers([1, 2, 3], [1]))), [1, 2])
  assert.deepEqual(ids(remainingIsr(state([1], 1, 1), 1, brokers([1, 2, 3], [1]))), [1])
  assert.deepEqual(ids(remainingIsr(state([1, 2], 2, 1), 2, brokers([2], []))), [2])
  assert.deepEqual(ids(remainingIsr(state([1, 2, 3], 2, 1), 2, brokers([1, 3], [1]))), [1, 3])
})

test('it leads only when there is nobody else in the ISR', () => {
  const known = brokers([1, 2, 3], [1])
  assert.equal(electable([member(1), member(2)], known)(1), undefined)
  assert.equal(electable([member(1)], known)(1), 1n)
})

test('it waits for those who can take its place, and for nobody else', () => {
  const { usable } = brokers([1, 2, 3], [1])
  assert.equal(isAwaitingOthers(state([1], 1, 1), member(1), usable), true)
  assert.equal(isAwaitingOthers(state([1, 2], 2, 2), member(1), usable), true)
  assert.equal(isAwaitingOthers(state([1, 2, 3], 2, 2), member(1), usable), false)
  assert.equal(isAwaitingOthers(state([2, 3], 2, 2), member(1), usable), false)
  const alone = brokers([1], [1]).usable
  assert.equal(isAwaitingOthers(state([1], 1, 1), member(1), alone), false)
  const few = brokers([1, 2], [1]).usable
  assert.equal(isAwaitingOthers(state([1, 2], 2, 2), member(1), few), false)
})
