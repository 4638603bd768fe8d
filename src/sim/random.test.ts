import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Prng } from './random.ts'

const first = (random: Prng) => Array.from({ length: 8 }, () => random.u32()).join()

test('a stream is decided by its seed and its name', () => {
  assert.equal(first(new Prng(7, 'disk')), first(new Prng(7n, 'disk')))
  const streams = [new Prng(7), new Prng(8), new Prng(7, 'disk'), new Prng(7, 'disks')]
  assert.equal(new Set(streams.map(first)).size, streams.length)
})

test('numbers are spread over their range', () => {
  const random = new Prng(1)
  const counts = new Array<number>(10).fill(0)
  for (let at = 0; at < 10_000; at++) counts[random.below(10)]!++
  assert.ok(Math.min(...counts) > 850 && Math.max(...counts) < 1150, counts.join())
  let bits = 0
  for (let at = 0; at < 1000; at++) bits |= random.u32()
  assert.equal(bits >>> 0, 0xffffffff)
  assert.equal(new Set(random.bytes(5000)).size, 256)
})

test('bounds are kept', () => {
  const random = new Prng(2)
  for (let at = 0; at < 1000; at++) {
    const number = random.between(3, 5)
    assert.ok(number >= 3 && number < 5)
    assert.equal(random.below(1), 0)
    assert.equal(random.chance(0), false)
    assert.equal(random.chance(1), true)
  }
})
