import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { OffsetMap, slotBytes, slotsFor } from './offset-map.ts'

test('a map of offsets is a map of offsets, until it is full', () => {
  const key = fc.uint8Array({ maxLength: 3 })
  fc.assert(
    fc.property(
      fc.array(fc.tuple(key, fc.nat(2 ** 50)), { maxLength: 200 }),
      fc.integer({ min: 2, max: 100 }),
      fc.constantFrom(0.5, 0.9, 1),
      fc.nat(),
      (puts, slots, loadFactor, seed) => {
        const map = new OffsetMap(slots, loadFactor, seed)
        const model = new Map<string, number>()
        for (const [bytes, offset] of puts) {
          const name = Buffer.from(bytes).toString('hex')
          const isTaken = map.put(bytes, 0, bytes.length, offset)
          assert.equal(isTaken, model.has(name) || model.size < map.capacity)
          if (isTaken) model.set(name, offset)
        }
        assert.equal(map.size, model.size)
        for (const [bytes] of puts) {
          const name = Buffer.from(bytes).toString('hex')
          assert.equal(map.get(bytes, 0, bytes.length), model.get(name) ?? -1)
        }
      },
    ),
  )
})

test('a key is a part of larger bytes', () => {
  const map = new OffsetMap(16, 0.9, 1)
  map.put(Buffer.from('<key>'), 1, 4, 7)
  assert.equal(map.get(Buffer.from('key'), 0, 3), 7)
  assert.equal(map.get(Buffer.from('<key>'), 0, 5), -1)
})

test('slots are as many as the keys need, and never more than the memory allows', () => {
  assert.ok(new OffsetMap(slotsFor(900, 0.9, 1e6), 0.9, 0).capacity >= 900)
  assert.equal(slotsFor(1e9, 0.9, 24_000), 24_000 / slotBytes)
  assert.equal(slotsFor(1e9, 0.9, 0), 2)
})
