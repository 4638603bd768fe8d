import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { diskBehaviours } from './disk-conformance.ts'
import { DiskError } from './io.ts'
import { memoryDisk } from './memory-disk.ts'
import { MemoryFile } from './memory-files.ts'

for (const { name, check } of diskBehaviours) {
  test(`disk in memory: ${name}`, async () => {
    const disk = memoryDisk(1_000_000_000)
    await disk.makeDirectory('folder')
    await check({ disk, other: disk, folder: 'folder' })
  })
}

test('a full disk in memory says ENOSPC and leaves the file as it was, until something is removed', async () => {
  const disk = memoryDisk(1000)
  const file = await disk.open('f', { create: true })
  await disk.replaceFile('g', new Uint8Array(600))
  await file.write([new Uint8Array(300)], 0)
  const isFull = (error: unknown) => error instanceof DiskError && error.code === 'ENOSPC'
  await assert.rejects(file.write([new Uint8Array(101)], 300), isFull)
  await assert.rejects(file.truncate(500), isFull)
  await assert.rejects(disk.replaceFile('g', new Uint8Array(600)), isFull)
  assert.equal(await file.size(), 300)
  assert.equal((await disk.stat('g'))?.size, 600)
  await disk.remove('g.tmp')
  await file.write([new Uint8Array(100)], 300)
  assert.equal((await disk.space('f')).availableBytes, 0)
  await disk.remove('g')
  assert.equal((await disk.space('f')).availableBytes, 600)
  await file.truncate(900)
})

test('what is written is copied: its buffer may be used again', async () => {
  const disk = memoryDisk(1000)
  const file = await disk.open('f', { create: true })
  const buffer = new Uint8Array([1, 2, 3])
  await file.write([buffer], 0)
  buffer.fill(9)
  assert.deepEqual(await disk.readFile('f', 10), new Uint8Array([1, 2, 3]))
})

/** What a file does to one array that always has its size. */
class PlainFile {
  bytes = new Uint8Array(0)

  truncate(size: number): void {
    const next = new Uint8Array(size)
    next.set(this.bytes.subarray(0, size))
    this.bytes = next
  }

  write(bytes: Uint8Array, position: number): void {
    this.truncate(Math.max(this.bytes.length, position + bytes.length))
    this.bytes.set(bytes, position)
  }
}

test('a file in blocks is a file in one piece, across the borders of blocks', () => {
  const size = fc.oneof(
    fc.nat(2000),
    fc.integer({ min: 65_000, max: 66_000 }),
    fc.integer({ min: 131_000, max: 132_000 }),
  )
  const step = fc.record({ isWrite: fc.boolean(), at: size, length: size, fill: fc.nat(255) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), steps => {
      const file = new MemoryFile(1)
      const plain = new PlainFile()
      for (const { isWrite, at, length, fill } of steps) {
        if (isWrite) {
          const bytes = new Uint8Array(length).fill(fill)
          // Writing nothing beyond the end makes no file longer.
          if (length === 0) continue
          file.write(bytes, at)
          plain.write(bytes, at)
        } else {
          file.truncate(at)
          plain.truncate(at)
        }
        assert.equal(file.size, plain.bytes.length)
        const into = new Uint8Array(length)
        const count = file.read(into, at)
        const expected = plain.bytes.subarray(at, at + length)
        assert.equal(count, expected.length)
        assert.equal(Buffer.compare(into.subarray(0, count), expected), 0)
      }
      const whole = new Uint8Array(file.size)
      file.read(whole, 0)
      assert.equal(Buffer.compare(whole, plain.bytes), 0)
    }),
    { numRuns: 300 },
  )
})
