import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Slabs } from './slabs.ts'

const bytes = (length: number, fill = 7) => new Uint8Array(length).fill(fill)

test('parts lie one after another; a slab is used again when nobody holds any of them', () => {
  const slabs = new Slabs(100, 1000)
  const [first, second] = [slabs.keep(bytes(40, 1)), slabs.keep(bytes(40, 2))]
  assert.equal(first.slab, second.slab)
  assert.equal(second.bytes.byteOffset, first.bytes.byteOffset + 40)
  const third = slabs.keep(bytes(40, 3))
  assert.notEqual(third.slab, first.slab)
  first.slab.release()
  assert.notEqual(slabs.keep(bytes(90, 4)).slab, first.slab)
  assert.deepEqual(second.bytes, Buffer.from(bytes(40, 2)))
  second.slab.release()
  const fourth = slabs.keep(bytes(90, 5))
  assert.equal(fourth.slab, first.slab)
  assert.deepEqual(fourth.bytes, Buffer.from(bytes(90, 5)))
})

test('who holds a slab keeps its bytes as they are, however often others release it', () => {
  const slabs = new Slabs(100, 1000)
  const { slab } = slabs.keep(bytes(100))
  slab.hold()
  slab.release()
  assert.notEqual(slabs.keep(bytes(100)).slab, slab)
  slab.release()
  assert.throws(() => slab.release(), /released once/)
  assert.throws(() => slab.hold(), /held by/)
  assert.equal(slabs.keep(bytes(100)).slab, slab)
})

test('what is larger than a slab has memory of its own, which is not kept', () => {
  const slabs = new Slabs(100, 1000)
  const large = slabs.keep(bytes(101))
  assert.equal(large.bytes.buffer.byteLength, 101)
  large.slab.release()
  assert.notEqual(slabs.take(101).slab, large.slab)
})

test('no more is kept than the bound, and after two trims nothing that nobody needs', () => {
  const slabs = new Slabs(100, 200)
  const all = [1, 2, 3, 4, 5].map(() => slabs.take(100).slab)
  for (const slab of all) slab.release()
  slabs.take(1).slab.release() // The last one is full: it is let go, too.
  const again = [1, 2, 3, 4].map(() => slabs.take(100).slab)
  assert.equal(again.filter(slab => all.includes(slab)).length, 2)
  for (const slab of again) slab.release()
  slabs.trim()
  slabs.trim()
  assert.ok(!again.includes(slabs.take(100).slab))
})
