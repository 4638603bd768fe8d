import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import { DecodeError, decode, EncodeError, encode } from './compile.ts'
import { maxElements } from './reader.ts'
import {
  array,
  bool,
  bytes,
  float64,
  int8,
  int16,
  int32,
  int64,
  type Message,
  message,
  records,
  string,
  struct,
  uint16,
  uint32,
  uuid,
  zeroUuid,
} from './schema.ts'

const hex = (text: string): Uint8Array =>
  new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'))
const toHex = (chunks: readonly Uint8Array[]): string => Buffer.concat(chunks).toString('hex')
const throwsDecodeError = (run: () => unknown, problem: RegExp): void =>
  assert.throws(run, (error: unknown) => {
    assert.ok(error instanceof DecodeError, String(error))
    assert.match(error.message, problem)
    return true
  })
const throwsEncodeError = (run: () => unknown, problem: RegExp): void =>
  assert.throws(run, (error: unknown) => {
    assert.ok(error instanceof EncodeError, String(error))
    assert.match(error.message, problem)
    return true
  })

const parcel = message(
  'Parcel',
  { versions: '0-2', flexible: '2+' },
  {
    sender: string({ nullable: '1+' }),
    weight: int32({ versions: '1+', default: -1, ignorable: true }),
    labels: array(string(), { versions: '1+' }),
    content: bytes(),
    place: struct({ x: int16(), y: int16({ default: 7 }) }, { versions: '2+', tag: 0 }),
    note: string({ versions: '2+', nullable: '2+', default: null, tag: 3 }),
  },
)

test('a version has its own fields, and the others have their defaults', () => {
  const value = decode(parcel, 0, hex('0002 6869 00000001 ff'))
  assert.deepEqual(value, {
    sender: 'hi',
    weight: -1,
    labels: [],
    content: hex('ff'),
    place: { x: 0, y: 7 },
    note: null,
  })
})

test('tagged fields are written in order, and only when they are not their default', () => {
  const base = { sender: null, content: hex('') }
  assert.equal(toHex(encode(parcel, 2, base)), '00 ffffffff 01 01 00'.replaceAll(' ', ''))
  const tagged = { ...base, note: 'n', place: { x: 1 } }
  const expected = '00 ffffffff 01 01 02 00 05 0001 0007 00 03 02 02 6e'.replaceAll(' ', '')
  assert.equal(toHex(encode(parcel, 2, tagged)), expected)
  const atDefault = { ...base, note: null, place: { x: 0, y: 7 } }
  assert.equal(toHex(encode(parcel, 2, atDefault)), toHex(encode(parcel, 2, base)))
})

test('a value that the version cannot carry is refused unless the field is ignorable', () => {
  const base = { sender: 's', content: hex('') }
  throwsEncodeError(
    () => encode(parcel, 0, { ...base, labels: ['l'] }),
    /Parcel.labels .*version 0/,
  )
  throwsEncodeError(() => encode(parcel, 1, { ...base, place: { x: 1 } }), /Parcel.place/)
  throwsEncodeError(() => encode(parcel, 0, { ...base, sender: null }), /Parcel.sender .*null/)
  const ignored = encode(parcel, 0, { ...base, weight: 5, labels: [], place: { x: 0 } })
  assert.equal(toHex(ignored), '0001 73 00000000'.replaceAll(' ', ''))
})

test('a message has no versions but its own', () => {
  assert.throws(() => decode(parcel, 3, hex('')), RangeError)
  assert.throws(() => encode(parcel, -1, { sender: 's', content: hex('') }), RangeError)
})

const numbers = message(
  'Numbers',
  { versions: '0', flexible: 'none' },
  { a: int8(), b: int16(), c: int32(), d: uint16(), e: uint32(), f: float64(), g: bool() },
)

test('a number that does not fit is refused, never wrapped', () => {
  const fits = { a: -128, b: 32767, c: -(2 ** 31), d: 65535, e: 2 ** 32 - 1, f: 0.5, g: true }
  assert.deepEqual(decode(numbers, 0, Buffer.concat(encode(numbers, 0, fits))), fits)
  for (const wrong of [
    { a: 128 },
    { b: -32769 },
    { c: 2 ** 31 },
    { d: -1 },
    { e: 2 ** 32 },
    { c: 1.5 },
    { c: Number.NaN },
  ]) {
    const [name] = Object.keys(wrong)
    throwsEncodeError(() => encode(numbers, 0, { ...fits, ...wrong }), RegExp(`Numbers.${name}`))
  }
  const { c: _, ...missing } = fits
  throwsEncodeError(() => encode(numbers, 0, missing as typeof fits), /Numbers.c cannot be undef/)
})

const longs = message(
  'Longs',
  { versions: '0', flexible: 'none' },
  { plain: int64(), exact: int64({ exact: true }), clamped: int64({ clamped: true }) },
)
const long = (value: bigint): string => BigInt.asUintN(64, value).toString(16).padStart(16, '0')

test('an int64 is a number within the safe integers, a bigint when exact, or moved when clamped', () => {
  const most = BigInt(Number.MAX_SAFE_INTEGER)
  for (const plain of [0n, -1n, most, -most, 2n ** 32n, -(2n ** 32n) - 1n]) {
    const text = long(plain) + long(2n ** 63n - 1n) + long(-(2n ** 63n))
    const value = decode(longs, 0, hex(text))
    assert.equal(value.plain, Number(plain))
    assert.equal(value.exact, 2n ** 63n - 1n)
    assert.equal(value.clamped, Number.MIN_SAFE_INTEGER)
    assert.equal(toHex(encode(longs, 0, value)).slice(0, 32), text.slice(0, 32))
    assert.deepEqual(decode(longs, 0, hex(text), 0, { exact: true }), {
      plain,
      exact: 2n ** 63n - 1n,
      clamped: -(2n ** 63n),
    })
  }
  for (const beyond of [most + 1n, -most - 1n, 2n ** 63n - 1n, -(2n ** 63n)]) {
    throwsDecodeError(() => decode(longs, 0, hex(long(beyond) + long(0n) + long(0n))), /int64/)
  }
  throwsEncodeError(
    () => encode(longs, 0, { plain: 2 ** 53, exact: 0n, clamped: 0 }),
    /Longs.plain/,
  )
  throwsEncodeError(
    () => encode(longs, 0, { plain: 0, exact: 2n ** 63n, clamped: 0 }),
    /Longs.exact/,
  )
})

const blobs = message(
  'Blobs',
  { versions: '0-1', flexible: '1+' },
  { parts: array({ id: uuid(), data: records({ nullable: '0+' }) }) },
)

test('large bytes are referenced when encoding and viewed when decoding', () => {
  const large = new Uint8Array(600).fill(1)
  const pieces = [hex('0a'), large, hex('0b')]
  const chunks = encode(blobs, 1, { parts: [{ id: zeroUuid, data: pieces }] })
  assert.ok(chunks.includes(large))
  const frame = new Uint8Array(Buffer.concat(chunks))
  const data = decode(blobs, 1, frame).parts[0]?.data
  assert.equal(data?.length, 602)
  assert.equal(data?.buffer, frame.buffer)
  assert.equal(Object.getPrototypeOf(data), Uint8Array.prototype)
})

test('a message that outgrows the slab stays whole', () => {
  const parts = Array.from({ length: 3000 }, (_, i) => ({
    id: Buffer.alloc(16, i).toString('base64url'),
    data: i % 3 === 0 ? null : new Uint8Array(i % 700).fill(i),
  }))
  for (const version of [0, 1]) {
    const frame = new Uint8Array(Buffer.concat(encode(blobs, version, { parts })))
    assert.deepEqual(decode(blobs, version, frame), { parts })
  }
})

test('a tagged field that outgrows the slab stays whole', () => {
  const wide = message(
    'Wide',
    { versions: '0', flexible: '0+' },
    {
      first: string({ tag: 0 }),
      many: array({ data: bytes(), inner: string({ tag: 5 }) }, { tag: 1 }),
      last: string({ tag: 2 }),
    },
  )
  const many = Array.from({ length: 200 }, (_, i) => ({
    data: new Uint8Array(1000).fill(i),
    inner: 'é'.repeat(i),
  }))
  const value = { first: 'f'.repeat(127), many, last: '😀'.repeat(5000) }
  assert.deepEqual(decode(wide, 0, Buffer.concat(encode(wide, 0, value))), value)
})

test('an encoding that fails leaves nothing behind in the next', () => {
  const good = { parts: [{ id: zeroUuid, data: hex('0102') }] }
  const before = toHex(encode(blobs, 1, good))
  const bad = { parts: [{ id: 'no uuid', data: new Uint8Array(1000) }] }
  throwsEncodeError(() => encode(blobs, 1, bad), /Blobs.parts.id cannot be no uuid/)
  assert.equal(toHex(encode(blobs, 1, good)), before)
})

test('a chunk that was handed out is never written again', () => {
  const chunks = encode(blobs, 1, { parts: [{ id: zeroUuid, data: hex('0102') }] })
  const before = toHex(chunks)
  for (let i = 0; i < 5000; i++) encode(blobs, 1, { parts: [{ id: zeroUuid, data: hex('ff') }] })
  assert.equal(toHex(chunks), before)
})

test('a uuid is its 22 characters of base64url, and nothing else is taken for one', () => {
  const id = '5Ib_9XINcS1KVOZKMiiE8w'
  const frame = Buffer.concat(encode(blobs, 0, { parts: [{ id, data: null }] }))
  assert.equal(decode(blobs, 0, frame).parts[0]?.id, id)
  assert.equal(decode(blobs, 0, frame).parts[0]?.id, id)
  for (const wrong of ['', `${id}A`, `${id.slice(1)}é`, `${id.slice(1)}+`, `${id.slice(0, 21)}x`]) {
    throwsEncodeError(() => encode(blobs, 0, { parts: [{ id: wrong, data: null }] }), /parts.id/)
  }
})

test('strings of every length and script keep their text', () => {
  for (const text of [
    '',
    'a',
    'é',
    '漢字',
    '😀',
    '\ufffd',
    'x'.repeat(127),
    'é'.repeat(64),
    'é'.repeat(16383),
  ]) {
    for (const version of [0, 1, 2]) {
      const frame = Buffer.concat(encode(parcel, version, { sender: text, content: hex('') }))
      assert.equal(decode(parcel, version, frame).sender, text)
      assert.equal(decode(parcel, version, frame).sender, text)
    }
  }
  const long = { sender: 'é'.repeat(16384), content: hex('') }
  throwsEncodeError(() => encode(parcel, 0, long), /Parcel.sender/)
  throwsEncodeError(() => encode(parcel, 2, long), /Parcel.sender/)
})

const malformed: [
  name: string,
  message: Message,
  version: number,
  frame: string,
  problem: RegExp,
][] = [
  ['an empty frame', parcel, 0, '', /2 bytes are wanted where 0 are left/],
  ['a truncated string', parcel, 0, '0005 6869', /5 bytes are wanted where 2/],
  ['a null that is not allowed', parcel, 0, 'ffff 00000000', /null/],
  ['a negative length', parcel, 1, 'fffe 00000000 00000000 00000000', /length of -2/],
  ['bytes with a negative length', parcel, 0, '0000 fffffffe', /length of -2/],
  ['a string that is not UTF-8', parcel, 0, '0002 c328 00000000', /UTF-8/],
  ['a surrogate in UTF-8', parcel, 0, '0003 eda080 00000000', /UTF-8/],
  ['trailing bytes', parcel, 0, '0000 00000000 00', /1 bytes follow/],
  ['an array that the frame cannot hold', parcel, 1, '0000 00000000 7fffffff 0000', /room for 1/],
  [
    'a compact array that the frame cannot hold',
    parcel,
    2,
    '01 00000000 ffffffff0f 0000',
    /array of/,
  ],
  ['a varint without an end', parcel, 2, 'ffffffffffff', /varint/],
  ['a varint above 32 bits', parcel, 2, 'ffffffff1f', /varint/],
  ['tags out of order', parcel, 2, '01 00000000 01 01 02 03 01 00 00 00', /tag 0 follows tag 3/],
  ['a tag twice', parcel, 2, '01 00000000 01 01 02 03 01 00 03 01 00', /tag 3 follows tag 3/],
  ['a tagged field beyond the frame', parcel, 2, '01 00000000 01 01 01 09 7f', /127 bytes/],
  [
    'a tagged field that is longer than it says',
    parcel,
    2,
    '01 00000000 01 01 01 03 01 0261',
    /tag 3/,
  ],
  [
    'a tagged field that is shorter than it says',
    parcel,
    2,
    '01 00000000 01 01 01 03 02 0061',
    /tag 3/,
  ],
  ['more tags than bytes', parcel, 2, '01 00000000 01 01 ffffffff0f', /wanted/],
]
for (const [name, declaration, version, frame, problem] of malformed) {
  test(`${name} is a DecodeError`, () => {
    throwsDecodeError(() => decode(declaration, version, hex(frame)), problem)
  })
}

test('unknown tags are skipped', () => {
  const value = decode(parcel, 2, hex('01 00000000 01 01 02 03 02 0261 09 03 010203'))
  assert.equal(value.note, 'a')
})

test('trailing bytes are passed over where they are allowed', () => {
  const frame = hex('0000 00000000 00')
  const value = decode(parcel, 0, frame, 0, { trailing: true })
  assert.deepEqual(value, decode(parcel, 0, frame.subarray(0, -1)))
})

test('a nullable struct is null or there', () => {
  const maybe = message(
    'Maybe',
    { versions: '0', flexible: '0+' },
    { inner: struct({ x: int8() }, { nullable: '0+', default: null }) },
  )
  assert.deepEqual(decode(maybe, 0, hex('ff00')), { inner: null })
  assert.deepEqual(decode(maybe, 0, hex('01050000')), { inner: { x: 5 } })
  assert.equal(toHex(encode(maybe, 0, {})), 'ff00')
  assert.equal(toHex(encode(maybe, 0, { inner: { x: 5 } })), '01050000')
  throwsDecodeError(() => decode(maybe, 0, hex('02050000')), /nullable struct/)
})

test('arrays of elements without bytes, and of very many, are bounded', () => {
  const empty = message(
    'Empty',
    { versions: '0', flexible: 'none' },
    { nothing: array({ later: int8({ versions: '1+' }) }) },
  )
  assert.equal(decode(empty, 0, hex('00000003')).nothing.length, 3)
  throwsDecodeError(() => decode(empty, 0, hex('7fffffff')), /array of 2147483647/)
  const frame = new Uint8Array(maxElements + 20).fill(1)
  // No sender, weight 0, and one label more than allowed: 1,000,002 as a varint.
  frame.set(hex('00 00000000 c2843d'))
  throwsDecodeError(() => decode(parcel, 2, frame), /more than 1000000 array elements/)
})
