import assert from 'node:assert/strict'
import { test } from 'node:test'
import { simulated } from '../sim/world.ts'
import { IndexBrokenError, IndexCache, IndexFile } from './index-file.ts'
import { OffsetIndex } from './offset-index.ts'
import { OpenFiles } from './open-files.ts'
import { type StoredBatch, type Tail, TailCache } from './tail-cache.ts'

/** Ten offsets and ten bytes, from `baseOffset`. */
function stored(baseOffset: number): StoredBatch {
  const bytes = new Uint8Array(10).fill(baseOffset)
  return { bytes, baseOffset, endOffset: baseOffset + 10, maxTimestamp: -1 }
}

function offsetsIn(tail: Tail, offset: number, end = 1000, maxBytes = 1000): number[] | undefined {
  return tail.read(offset, end, maxBytes, false)?.chunks.map(chunk => chunk[0]!)
}

test('all tails share one budget, and the oldest batch of any goes first', () => {
  const cache = new TailCache(40)
  const [one, two] = [cache.tail(), cache.tail()]
  for (const base of [0, 10]) one.add(stored(base))
  for (const base of [0, 10]) two.add(stored(base))
  assert.deepEqual(
    [offsetsIn(one, 0), offsetsIn(two, 0)],
    [
      [0, 10],
      [0, 10],
    ],
  )
  two.add(stored(20))
  assert.deepEqual([offsetsIn(one, 0), offsetsIn(one, 5)], [undefined, undefined])
  assert.deepEqual([offsetsIn(one, 10), offsetsIn(two, 3)], [[10], [0, 10, 20]])
  for (let base = 30; base < 200; base += 10) two.add(stored(base))
  assert.deepEqual(offsetsIn(one, 10), undefined)
  assert.deepEqual(offsetsIn(two, 165), [160, 170, 180, 190])
  assert.equal(cache.bytes, 40)
})

test('old batches go, of tails that get new ones too', () => {
  const cache = new TailCache(1000)
  const [busy, idle] = [cache.tail(), cache.tail()]
  for (const base of [0, 10]) idle.add(stored(base))
  busy.add(stored(0))
  cache.dropOld()
  busy.add(stored(10))
  assert.deepEqual(
    [offsetsIn(busy, 0), offsetsIn(idle, 0)],
    [
      [0, 10],
      [0, 10],
    ],
  )
  cache.dropOld()
  assert.deepEqual([offsetsIn(busy, 0), offsetsIn(idle, 10)], [undefined, undefined])
  assert.deepEqual(offsetsIn(busy, 10), [10])
  cache.dropOld()
  assert.deepEqual([offsetsIn(busy, 10), cache.bytes], [undefined, 0])
  idle.add(stored(20))
  assert.deepEqual(offsetsIn(idle, 20), [20])
})

test('a tail reads within bounds, and holds the very bytes that were added', () => {
  const tail = new TailCache(1000).tail()
  const first = stored(0)
  tail.add(first)
  for (const base of [10, 20, 30]) tail.add(stored(base))
  assert.equal(tail.read(0, 10, 100, false)!.chunks[0], first.bytes)
  assert.deepEqual(offsetsIn(tail, 12, 39), [10, 20])
  assert.deepEqual(offsetsIn(tail, 12, 40, 25), [10, 20])
  assert.deepEqual(offsetsIn(tail, 12, 40, 9), [])
  assert.deepEqual(tail.read(12, 40, 9, true)!.bytes, 10)
  assert.deepEqual(offsetsIn(tail, 40), [])
})

test('what was read stays as it is until who read it lets go, though the tail has moved on', () => {
  const batchBytes = 16 * 1024
  const cache = new TailCache(64 * batchBytes)
  const tail = cache.tail()
  const append = (index: number) => {
    const { bytes, slab } = cache.keep(new Uint8Array(batchBytes).fill(index))
    tail.add({ bytes, baseOffset: index, endOffset: index + 1, maxTimestamp: -1, slab })
    slab.release() // It is written.
    return slab
  }
  for (let index = 0; index < 4; index++) append(index)
  const { chunks, slabs } = tail.read(1, 4, 100 * batchBytes, false)!
  assert.equal(slabs.length, 1)
  for (let index = 4; index < 100; index++) assert.notEqual(append(index), slabs[0])
  assert.equal(tail.read(3, 4, 1, true), undefined)
  assert.deepEqual(
    chunks.map(chunk => [chunk[0], chunk.at(-1)]),
    [1, 2, 3].map(index => [index, index]),
  )
  slabs[0]!.release()
  assert.ok(Array.from({ length: 100 }, (_, at) => append(100 + at)).includes(slabs[0]!))
})

test('a cut tail forgets what was behind; forgotten batches never bring others out of order', () => {
  const cache = new TailCache(60)
  const tail = cache.tail()
  for (const base of [0, 10, 20]) tail.add(stored(base))
  tail.truncate(15)
  assert.deepEqual(offsetsIn(tail, 0), [0])
  for (const base of [10, 20, 30]) tail.add(stored(base))
  assert.deepEqual(offsetsIn(tail, 0), [0, 10, 20, 30])
  for (const base of [40, 50, 60]) tail.add(stored(base))
  assert.deepEqual(offsetsIn(tail, 10), [10, 20, 30, 40, 50, 60])
  tail.add({ ...stored(0), baseOffset: 500, endOffset: 510 }) // A gap: it begins anew.
  assert.deepEqual(offsetsIn(tail, 60), undefined)
  assert.deepEqual(offsetsIn(tail, 500), [0])
})

test('few files are open at a time, one in use is not closed, and closing waits for its users', async () => {
  await simulated().run(async world => {
    const { disk } = world.io()
    await disk.makeDirectory('/data')
    const files = new OpenFiles(disk, 2)
    const use = (name: string, run = async () => {}) =>
      files.with(`/data/${name}`, run, { create: true })
    let release = () => {}
    const longUse = use('a', () => new Promise<void>(resolve => (release = resolve)))
    for (const name of ['b', 'c', 'd']) await use(name)
    assert.equal(files.count, 2)
    let isClosed = false
    const closing = files.close('/data/a').then(() => {
      isClosed = true
    })
    await world.sleep(10)
    assert.equal(isClosed, false)
    release()
    await longUse
    await closing
    await assert.rejects(
      files.with('/data/missing', async () => {}),
      { code: 'ENOENT' },
    )
    assert.ok(files.count <= 2)
  })
})

test('an index finds the last entry at or below an offset, before and after it is written', async () => {
  await simulated().run(async world => {
    const { disk } = world.io()
    await disk.makeDirectory('/data')
    const files = new OpenFiles(disk, 10)
    const cache = new IndexCache(2000)
    const open = (isNew: boolean) =>
      new OffsetIndex(new IndexFile(files, cache, '/data/x.index', 8, isNew), 100)
    const index = open(true)
    assert.equal((await index.stretch(100)).position, 0)
    for (let entry = 1; entry <= 300; entry++) {
      index.append(100 + entry * 10, entry * 1000)
      if (entry % 50 === 0) await index.file.write()
      if (entry % 70 === 0)
        assert.equal((await index.stretch(100 + entry * 10)).position, entry * 1000)
    }
    for (const read of [index, open(false)]) {
      assert.equal((await read.stretch(109)).position, 0)
      assert.equal((await read.stretch(110)).position, 1000)
      const stretch = { position: 101_000, lastOffset: 1110, endPosition: 103_000, leadBytes: 1000 }
      assert.deepEqual(await read.stretch(1119), stretch)
      assert.equal((await read.stretch(1e6)).position, 300_000)
      assert.equal(await read.lastPosition(), 300_000)
    }
    assert.ok(cache.bytes > 0)
    for (const content of [new Uint8Array(15), new Uint8Array(16), undefined]) {
      await files.close('/data/x.index')
      if (content === undefined) await disk.remove('/data/x.index')
      else await disk.replaceFile('/data/x.index', content)
      await assert.rejects(open(false).stretch(0), IndexBrokenError)
    }
  })
})
