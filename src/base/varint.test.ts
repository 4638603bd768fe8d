import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  VarintCursor,
  VarintError,
  varintSize,
  varlongSize,
  writeVarint,
  writeVarlong,
} from './varint.ts'

const int32 = fc.oneof(fc.integer(), fc.constantFrom(0, -1, 63, -64, 64, 2 ** 31 - 1, -(2 ** 31)))
const safe = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer(),
  fc.constantFrom(0, -1, 63, -64, 64, 8191, -8192, 8192, 2 ** 53 - 1, 1 - 2 ** 53),
)

test('a varint reads back as it was written, in as many bytes as announced', () => {
  fc.assert(
    fc.property(int32, value => {
      const bytes = new Uint8Array(5)
      const end = writeVarint(bytes, 0, value)
      assert.equal(end, varintSize(value))
      const cursor = new VarintCursor(bytes, 0, end)
      assert.equal(cursor.varint(), value)
      assert.equal(cursor.position, end)
    }),
  )
})

test('a varlong reads back as it was written, in as many bytes as announced', () => {
  fc.assert(
    fc.property(safe, value => {
      const bytes = new Uint8Array(10)
      const end = writeVarlong(bytes, 0, value)
      assert.equal(end, varlongSize(value))
      const cursor = new VarintCursor(bytes, 0, end)
      assert.equal(cursor.varlong(), value)
      assert.equal(cursor.position, end)
    }),
  )
})

test('varints have the bytes of the protocol', () => {
  const written = (value: number): string => {
    const bytes = Buffer.alloc(5)
    return bytes.subarray(0, writeVarint(bytes, 0, value)).toString('hex')
  }
  assert.equal(written(0), '00')
  assert.equal(written(-1), '01')
  assert.equal(written(1), '02')
  assert.equal(written(300), 'd804')
  assert.equal(written(-(2 ** 31)), 'ffffffff0f')
})

test('what does not end, ends early or is beyond 2⁵³ is refused', () => {
  const cursor = (hex: string) => new VarintCursor(Buffer.from(hex, 'hex'))
  assert.throws(() => cursor('').varint(), VarintError)
  assert.throws(() => cursor('ff').varint(), VarintError)
  assert.throws(() => cursor('ffffffffff00').varint(), VarintError)
  assert.throws(() => cursor('ffffffffffffffffffff00').varlong(), VarintError)
  assert.throws(() => cursor('ffffffff').varlong(), VarintError)
  assert.throws(() => cursor('ffffffffffffffffff01').varlong(), VarintError)
  assert.throws(() => cursor('0011').skip(3), VarintError)
  assert.throws(() => new VarintCursor(Uint8Array.of(2, 2), 0, 1).skip(2), VarintError)
})
