/** Properties of all codecs: what is written reads back, and no frame does harm. */
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { DecodeError } from '../src/protocol/compile.ts'
import type { Message } from '../src/protocol/schema.ts'
import { arbitraryStruct } from './vectors/arbitrary.ts'
import { messages } from './vectors/check.ts'
import { compiledCodec, interpretedCodec } from './vectors/message-vectors.ts'

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))

/** Every message in its first and last version and those where its form changes. */
const forms = [...messages.values()].flatMap(message => {
  const { first, last } = message.versions
  const { flexible } = message
  const versions = new Set([first, last, flexible.first - 1, flexible.first])
  return [...versions]
    .filter(version => version >= first && version <= last)
    .map(version => ({ message, version }))
})

/** A random message, version and value. */
const sample = fc
  .constantFrom(...forms)
  .chain(({ message, version }) =>
    arbitraryStruct(message.fields, version).map(value => ({ message, version, value })),
  )

function check(property: fc.IProperty<unknown>, numRuns: number): void {
  fc.assert(property, { seed, numRuns, verbose: 0 })
}

test(`random values read back as they were written (SEED=${seed})`, () => {
  check(
    fc.property(sample, ({ message, version, value }) => {
      const bytes = Buffer.concat(compiledCodec.encode(message, version, value))
      assert.deepEqual(Buffer.concat(interpretedCodec.encode(message, version, value)), bytes)
      assert.deepEqual(compiledCodec.decode(message, version, bytes), value)
      assert.deepEqual(interpretedCodec.decode(message, version, bytes), value)
    }),
    600,
  )
})

/** A change to a frame: overwrites, cuts or inserts at a place given as a fraction. */
const mutation = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  remove: fc.nat(6),
  insert: fc.oneof(
    fc.uint8Array({ maxLength: 6 }),
    fc.constantFrom(
      Uint8Array.of(0x7f, 0xff, 0xff, 0xff),
      Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f),
      Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff),
      Uint8Array.of(0x80, 0x00),
    ),
  ),
})

function mutated(
  frame: Uint8Array,
  changes: readonly { at: number; remove: number; insert: Uint8Array }[],
) {
  return changes.reduce<Uint8Array>((bytes, { at, remove, insert }) => {
    const start = Math.floor(at * bytes.length)
    return Buffer.concat([bytes.subarray(0, start), insert, bytes.subarray(start + remove)])
  }, frame)
}

/** What decoding does: a value, or the DecodeError's text. Anything else is thrown. */
function outcome(decode: () => unknown): unknown {
  try {
    return { value: decode() }
  } catch (error) {
    if (error instanceof DecodeError) return { refused: true }
    throw error
  }
}

test(`a mutated frame is a value or a DecodeError, soon (SEED=${seed})`, () => {
  const changes = fc.array(mutation, { minLength: 1, maxLength: 4 })
  check(
    fc.property(sample, changes, ({ message, version, value }, list) => {
      const frame = mutated(Buffer.concat(compiledCodec.encode(message, version, value)), list)
      const start = performance.now()
      const compiled = outcome(() => compiledCodec.decode(message, version, frame))
      assert.ok(performance.now() - start < 1000)
      assert.deepEqual(
        outcome(() => interpretedCodec.decode(message, version, frame)),
        compiled,
      )
    }),
    2000,
  )
})

test(`noise is a value or a DecodeError for every message (SEED=${seed})`, () => {
  for (const { message, version } of forms) {
    const noise = fc.uint8Array({ maxLength: 64, size: 'max' })
    check(
      fc.property(noise, frame => {
        outcome(() => compiledCodec.decode(message as Message, version, frame))
      }),
      20,
    )
  }
})
