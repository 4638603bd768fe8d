import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Deadlines } from './deadlines.ts'

test('owners are woken at the earliest moment they named, once', () => {
  const deadlines = new Deadlines<string>()
  deadlines.wake('a', 30)
  deadlines.wake('b', 20)
  deadlines.wake('a', 10)
  deadlines.wake('a', 40)
  assert.equal(deadlines.nextMs, 10)
  assert.deepEqual(deadlines.due(9), [])
  assert.deepEqual(deadlines.due(20), ['a', 'b'])
  assert.deepEqual(deadlines.due(100), [])
  assert.equal(deadlines.nextMs, Number.POSITIVE_INFINITY)
})

test('who is forgotten, or waits for ever, is not woken', () => {
  const deadlines = new Deadlines<string>()
  deadlines.wake('a', 10)
  deadlines.forget('a')
  deadlines.wake('b', Number.POSITIVE_INFINITY)
  assert.deepEqual(deadlines.due(1000), [])
})

test('nobody is woken late, and nobody forgotten', () => {
  const step = fc.record({ owner: fc.nat(9), inMs: fc.nat(50), passMs: fc.nat(20) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), steps => {
      const deadlines = new Deadlines<number>()
      const expected = new Map<number, number>()
      let nowMs = 0
      for (const { owner, inMs, passMs } of steps) {
        deadlines.wake(owner, nowMs + inMs)
        expected.set(owner, Math.min(expected.get(owner) ?? nowMs + inMs, nowMs + inMs))
        assert.ok(deadlines.nextMs <= Math.min(...expected.values()))
        nowMs += passMs
        const due = new Set(deadlines.due(nowMs))
        for (const [each, atMs] of expected) {
          assert.equal(due.has(each), atMs <= nowMs)
          if (due.has(each)) expected.delete(each)
        }
      }
    }),
  )
})
