import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { crc32c, tableCrc32c } from './crc32c.ts'

/** Bit by bit, from the definition. */
function plainCrc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  return ~crc >>> 0
}

test('the check value of the polynomial comes out', () => {
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283)
  assert.equal(crc32c(new Uint8Array(0)), 0)
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa) // RFC 3720, B.4
})

test('tables, native code and the definition agree at every length', () => {
  const bytes = new Uint8Array(1100).map((_, index) => (index * 31 + (index >> 3)) & 0xff)
  for (let length = 0; length <= bytes.length; length += length < 40 ? 1 : 53) {
    const part = bytes.subarray(3, 3 + length)
    const expected = plainCrc32c(part)
    assert.equal(tableCrc32c(part), expected, `tables, ${length} bytes`)
    assert.equal(crc32c(part), expected, `${length} bytes`)
  }
})

test('a checksum goes on where another ended', () => {
  const bytes = new Uint8Array(3000).map((_, index) => (index * 7) & 0xff)
  fc.assert(
    fc.property(fc.nat(3000), cut => {
      const first = crc32c(bytes.subarray(0, cut))
      assert.equal(crc32c(bytes.subarray(cut), first), crc32c(bytes))
      assert.equal(tableCrc32c(bytes.subarray(cut), first), crc32c(bytes))
    }),
    { numRuns: 30 },
  )
})
