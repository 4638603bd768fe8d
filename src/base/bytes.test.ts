import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  int16At,
  int32At,
  int64At,
  isSafeInt64At,
  setInt16,
  setInt32,
  setInt64,
  uint32At,
} from './bytes.ts'

test('integers read and write as a DataView has them', () => {
  const bytes = new Uint8Array(10)
  const view = new DataView(bytes.buffer)
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 15), max: 2 ** 15 - 1 }), value => {
      setInt16(bytes, 1, value)
      assert.equal(view.getInt16(1), value)
      assert.equal(int16At(bytes, 1), value)
    }),
  )
  fc.assert(
    fc.property(fc.integer(), value => {
      setInt32(bytes, 1, value)
      assert.equal(view.getInt32(1), value)
      assert.equal(int32At(bytes, 1), value)
      assert.equal(uint32At(bytes, 1), view.getUint32(1))
    }),
  )
  fc.assert(
    fc.property(fc.oneof(fc.maxSafeInteger(), fc.integer()), value => {
      setInt64(bytes, 1, value)
      assert.equal(view.getBigInt64(1), BigInt(value))
      assert.equal(int64At(bytes, 1), value)
      assert.equal(isSafeInt64At(bytes, 1), true)
    }),
  )
})

test('64-bit integers beyond 2⁵³ are told apart', () => {
  const bytes = new Uint8Array(8)
  const view = new DataView(bytes.buffer)
  for (const value of [2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)]) {
    view.setBigInt64(0, value)
    assert.equal(isSafeInt64At(bytes, 0), false, String(value))
  }
})
