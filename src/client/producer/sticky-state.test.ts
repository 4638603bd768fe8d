import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Prng } from '../../sim/random.ts'
import { StickyState } from './sticky-state.ts'

const nothingWaits = () => 0

test('records stay in one partition until a batch is full or sent, then go to another by chance', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 20 }), (seed, count) => {
      const random = new Prng(seed, 'sticky')
      const state = new StickyState(100)
      const all = Array.from({ length: count }, (_, n) => n)
      const bytesOf = new Map<number, number>()
      const choose = () => state.next(25, count, all, () => random.u32(), nothingWaits)
      for (let batch = 0; batch < 100; batch++) {
        const four = [choose(), choose(), choose(), choose()]
        assert.equal(new Set(four).size, 1)
        bytesOf.set(four[0]!, (bytesOf.get(four[0]!) ?? 0) + 100)
        if (random.chance(0.5)) {
          // A batch that is sent early ends its turn early.
          const early = choose()
          state.leave(early)
        }
      }
      assert.ok([...bytesOf.keys()].every(each => all.includes(each)))
    }),
    { numRuns: 100 },
  )
})

test('every partition gets about as much', () => {
  const random = new Prng(1, 'sticky')
  const state = new StickyState(1)
  const counts = new Array<number>(6).fill(0)
  for (let n = 0; n < 60_000; n++) {
    counts[state.next(1, 6, [0, 1, 2, 3, 4, 5], () => random.u32(), nothingWaits)]!++
  }
  for (const count of counts) assert.ok(count > 9_500 && count < 10_500, `${counts}`)
})

test('a partition in which much waits gets less', () => {
  const random = new Prng(1, 'sticky')
  const state = new StickyState(1)
  const waiting = (partition: number) => (partition === 0 ? 1000 : 0)
  let slow = 0
  for (let n = 0; n < 30_000; n++) {
    if (state.next(1, 3, [0, 1, 2], () => random.u32(), waiting) === 0) slow++
  }
  // Only when chance names it twice.
  assert.ok(slow > 2_800 && slow < 3_900, `${slow}`)
})

test('partitions without a leader are passed over while there are others', () => {
  const random = new Prng(1, 'sticky')
  const state = new StickyState(1)
  const next = (available: readonly number[]) =>
    state.next(1, 3, available, () => random.u32(), nothingWaits)
  for (let n = 0; n < 100; n++) assert.ok(next([0, 2]) !== 1)
  assert.equal(new Set(Array.from({ length: 100 }, () => next([]))).size, 3)
  const last = next([0, 1, 2])
  state.leave(last)
  for (let n = 0; n < 100; n++) assert.equal(next([1]), 1)
})
