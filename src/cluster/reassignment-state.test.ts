import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Change, type Member, nextState, type PartitionState } from './partition-state.ts'
import { begin, cancel, completion, effectiveMinIsr, type Move } from './reassignment-state.ts'

const usable = (id: number) => (id < 10 ? BigInt(100 + id) : undefined)
const member = (id: number): Member => [id, BigInt(100 + id)]

function partition(replicas: number[], isr = replicas, minIsr = 1): PartitionState {
  return {
    leader: isr.length === 0 ? null : member(isr[0]!),
    leaderEpoch: 5,
    partitionEpoch: 9,
    minIsr,
    replicas,
    isr: isr.map(member),
    elr: replicas.filter(id => isr.length < minIsr && !isr.includes(id)).map(member),
    lastKnown: [],
    adding: [],
    removing: [],
  }
}

/** Both writes that a move begins with, as the controller makes them. */
function begun(state: PartitionState, target: number[], move?: Move) {
  const beginning = begin(state, move, target)
  return { state: nextState(state, beginning.placement, usable), move: beginning.move }
}

const withIsr = (state: PartitionState, ids: number[]) =>
  nextState(state, { isr: ids.map(member) }, usable)

function end(state: PartitionState, move: Move, wanted: number, change: Change = {}) {
  const ended = completion(state, move!, change, wanted, usable)
  return ended && nextState(state, ended, usable)
}

test('a move begins with the target first, and what is to go behind it', () => {
  const { state, move } = begun(partition([1, 2, 3]), [5, 2, 4])
  assert.deepEqual(state.replicas, [5, 2, 4, 1, 3])
  assert.deepEqual(
    [state.adding, state.removing],
    [
      [4, 5],
      [1, 3],
    ],
  )
  assert.deepEqual(move, { target: [5, 2, 4], original: [1, 2, 3] })
  assert.deepEqual(state.leader, member(1))
  assert.equal(state.leaderEpoch, 5, 'nobody left')
})

test('another order of the same replicas is no move', () => {
  const { state, move } = begun(partition([1, 2, 3]), [3, 1, 2])
  assert.deepEqual([state.replicas, state.adding, state.removing], [[3, 1, 2], [], []])
  assert.equal(move, undefined)
})

test('a move ends when every added replica is in the ISR, and not before', () => {
  const { state, move } = begun(partition([1, 2], [1, 2], 2), [3, 4])
  for (const isr of [[1, 2], [1, 2, 3], [1, 3], [4]]) {
    assert.equal(end(withIsr(state, isr), move, 2), undefined, String(isr))
  }
  const ended = end(withIsr(state, [1, 2, 3, 4]), move, 2)!
  assert.deepEqual(ended.replicas, [3, 4])
  assert.deepEqual([ended.adding, ended.removing, ended.elr], [[], [], []])
  assert.deepEqual(ended.isr, [member(3), member(4)])
  assert.deepEqual(ended.leader, member(3))
  assert.equal(ended.leaderEpoch, 6)
})

test('what stays must be enough for the min ISR of the target', () => {
  const { state, move } = begun(partition([1, 2, 3], [1], 2), [1, 2])
  assert.equal(end(state, move, 2), undefined, 'one of two')
  assert.deepEqual(end(withIsr(state, [1, 2]), move, 2)!.isr, [member(1), member(2)])
  const alone = begun(partition([1, 2, 3], [1], 2), [1])
  assert.deepEqual(end(alone.state, alone.move, 2)!.isr, [member(1)], 'one of one')
})

test('a replica that is eligible to lead does not stand for one that is in sync', () => {
  const { state, move } = begun(partition([1, 2, 3], [1], 2), [2])
  assert.ok(state.elr.some(([id]) => id === 2))
  assert.equal(end(state, move, 1), undefined)
})

test('while replicas are added, as many must be in sync as before', () => {
  const { state, move } = begun(partition([1]), [1, 2, 3])
  assert.equal(effectiveMinIsr(state, move, 2), 1)
  const ended = end(withIsr(state, [1, 2, 3]), move, 2)!
  assert.deepEqual([ended.minIsr, effectiveMinIsr(ended, undefined, 2)], [2, 2])
  assert.deepEqual([ended.leader, ended.leaderEpoch], [member(1), 5], 'nobody left')
})

test('a move does not end when that would leave the partition without a leader', () => {
  const { state, move } = begun(partition([1]), [12])
  const copied = { ...state, isr: [member(1), [12, 112n] as const] }
  assert.equal(end(copied, move, 1), undefined, 'broker 12 is not usable')
})

test('a replica that lost records since does not count as copied', () => {
  const { state, move } = begun(partition([1]), [2])
  assert.equal(end(withIsr(state, [1, 2]), move, 1, { lossy: [2] }), undefined)
})

test('another target replaces the first, and what was added for it is removed', () => {
  const first = begun(partition([1, 2]), [3, 4])
  const { state, move } = begun(withIsr(first.state, [1, 2, 3]), [4, 5], first.move)
  assert.deepEqual(state.replicas, [4, 5, 1, 2, 3])
  assert.deepEqual(
    [state.adding, state.removing],
    [
      [4, 5],
      [1, 2, 3],
    ],
  )
  assert.deepEqual(move, { target: [4, 5], original: [1, 2] })
  assert.equal(end(withIsr(state, [1, 2, 3, 5]), move, 1), undefined, '4 is not there yet')
})

test('a cancelled move goes back to the replicas there were, in their order', () => {
  const { state, move } = begun(partition([3, 1, 2]), [1, 4])
  const back = cancel(withIsr(state, [3, 1, 2, 4]), move)
  const returning = nextState(state, back.placement, usable)
  assert.deepEqual(
    [returning.replicas, returning.adding, returning.removing],
    [[3, 1, 2, 4], [], [4]],
  )
  const ended = end(returning, back.move, 2)!
  assert.deepEqual(ended.replicas, [3, 1, 2])
  assert.deepEqual(ended.leader, member(3))
})

test('a cancel waits for enough old replicas in sync, and is refused when there is none', () => {
  const { state, move } = begun(partition([1, 2], [1, 2], 2), [3, 4])
  const moved = { ...withIsr(state, [3, 1]), leader: member(3) }
  const back = cancel(moved, move)
  const returning = nextState(moved, back.placement, usable)
  assert.equal(end(returning, back.move, 2), undefined, 'one old replica is in sync, of two')
  const whole = withIsr(returning, [3, 1, 2])
  assert.deepEqual(end(whole, back.move, 2)!.leader, member(1))
  const gone = { ...state, isr: [member(3), member(4)] }
  assert.throws(() => cancel(gone, move), { error: 'INVALID_REPLICA_ASSIGNMENT' })
  assert.throws(() => cancel(partition([1]), undefined), { error: 'NO_REASSIGNMENT_IN_PROGRESS' })
})

test('a move that only removes and cannot end yet is undone by a cancel at once', () => {
  const { state, move } = begun(partition([1, 2, 3], [1], 2), [1, 2])
  const back = cancel(state, move)
  assert.equal(back.move, undefined)
  const undone = nextState(state, back.placement, usable)
  assert.deepEqual([undone.replicas, undone.removing], [[1, 2, 3], []])
})

test('whatever the order of events, nobody stays who was not in sync', () => {
  let random = 12_345
  const draw = (below: number) => {
    random = (Math.imul(random, 1_103_515_245) + 12_345) & 0x7fffffff
    return (random >> 8) % below
  }
  const some = (atLeast: number) => {
    const ids = [1, 2, 3, 4, 5].filter(() => draw(2) === 0)
    return ids.length < atLeast ? [1 + draw(5)] : ids
  }
  let endings = 0
  for (let run = 0; run < 2000; run++) {
    const wanted = 1 + draw(3)
    const replicas = some(1)
    let state = partition(replicas, replicas, Math.min(wanted, replicas.length))
    let move: Move
    for (let step = 0; step < 8; step++) {
      const before = state
      const event = draw(3)
      if (event === 0) {
        const beginning = begin(state, move, some(1))
        state = nextState(state, beginning.placement, usable)
        move = beginning.move
      } else if (event === 1) {
        const ids = state.replicas.filter(() => draw(3) > 0)
        const kept = ids.length === 0 ? state.isr : ids.map(member)
        state = nextState(state, { isr: kept }, usable)
      } else if (move !== undefined) {
        const ended = end(state, move, wanted)
        if (ended === undefined) continue
        endings++
        assert.deepEqual(ended.replicas, move.target)
        assert.ok(ended.isr.every(([id]) => before.isr.some(([other]) => other === id)))
        assert.ok(ended.isr.length >= ended.minIsr && ended.leader !== null)
        state = ended
        move = undefined
      }
      assert.equal(new Set(state.replicas).size, state.replicas.length)
      assert.ok(state.leader === null || state.isr.some(([id]) => id === state.leader![0]))
    }
  }
  assert.ok(endings > 300, `${endings} moves ended`)
})
