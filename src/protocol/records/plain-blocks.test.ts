import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import snappy from 'snappy'
import { CodecError } from './codec.ts'
import { compress, decompress } from './compression.ts'
import { plainlyExpandedFrame } from './lz4-frame.ts'
import { expandLz4Block, expandSnappyBlock } from './plain-blocks.ts'
import { plainlyExpandedBlock } from './xerial.ts'

/** Runs of few different bytes, so that there are matches of all lengths and distances. */
const content = fc
  .array(
    fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 300 })),
    {
      maxLength: 40,
    },
  )
  .map(parts => Buffer.concat(parts.flatMap(([part, times]) => Array(times).fill(part))))

test('what the libraries compress is expanded without them', () => {
  fc.assert(
    fc.property(content, bytes => {
      assert.ok(bytes.equals(plainlyExpandedBlock(snappy.compressSync(bytes))))
      assert.ok(bytes.equals(plainlyExpandedFrame(compress('lz4', bytes))))
    }),
    { numRuns: 100 },
  )
})

test('the elements of snappy have the bytes of its format', () => {
  const expanded = (hex: string, length: number) =>
    Buffer.from(expandSnappyBlock(Buffer.from(hex, 'hex'), length)).toString()
  assert.equal(expanded('03' + '08' + '616263', 3), 'abc')
  assert.equal(expanded('03' + 'f002' + '616263', 3), 'abc') // the length behind the tag
  assert.equal(expanded('07' + '08616263' + '0103', 7), 'abcabca') // 4 bytes, 3 before
  assert.equal(expanded('05' + '0061' + '0e0100', 5), 'aaaaa') // 16 bits of distance, overlapping
  assert.equal(expanded('05' + '0061' + '0f01000000', 5), 'aaaaa') // 32 bits
})

test('the sequences of lz4 have the bytes of its format', () => {
  const expanded = (hex: string, length: number) =>
    Buffer.from(expandLz4Block(Buffer.from(hex, 'hex'), length)).toString()
  assert.equal(expanded('30616263', 3), 'abc')
  assert.equal(expanded('306162630300' + '1078', 8), 'abcabcax') // a match of 4, 3 before
  assert.equal(expanded('1f610100' + '02' + '1078', 23), 'a'.repeat(22) + 'x') // 19 and 2 more
})

test('blocks that point outside themselves are refused', () => {
  const refuses = (expand: typeof expandLz4Block, hex: string, length: number, why: RegExp) =>
    assert.throws(
      () => expand(Buffer.from(hex, 'hex'), length),
      error => error instanceof CodecError && why.test(error.message),
      hex,
    )
  refuses(expandSnappyBlock, '05' + '0061' + '0e0200', 5, /before itself/)
  refuses(expandSnappyBlock, '05' + '0061' + '0e0000', 5, /before itself/)
  refuses(expandSnappyBlock, '05' + '0061' + '0e01', 5, /within a number/)
  refuses(expandSnappyBlock, '03' + '0861', 3, /within literals/)
  refuses(expandSnappyBlock, '03' + 'fcffffffff' + '61', 3, /within literals/)
  refuses(expandSnappyBlock, '03' + '0061', 3, /less than it says/)
  refuses(expandSnappyBlock, '01' + '08616263', 1, /more than it says/)
  refuses(expandLz4Block, '1061' + '0200' + '1078', 6, /within literals|before itself/)
  refuses(expandLz4Block, '10610000' + '1078', 6, /before itself/)
  refuses(expandLz4Block, '30616263' + '03', 7, /within a number/)
  refuses(expandLz4Block, 'f0', 15, /within a length/)
  refuses(expandLz4Block, '10610100', 5, /without literals/)
})

test('changed bytes are refused, or expand as with the libraries', () => {
  const text = Buffer.from('to be or not to be, that is the question; '.repeat(30))
  const blocks = [
    { good: snappy.compressSync(text), plain: plainlyExpandedBlock, codec: 'snappy' as const },
    { good: compress('lz4', text), plain: plainlyExpandedFrame, codec: 'lz4' as const },
  ]
  for (const { good, plain, codec } of blocks) {
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), (at, byte) => {
        const bytes = Buffer.from(good)
        bytes[at] = byte
        assert.deepEqual(
          outcome(() => plain(bytes)),
          outcome(() => decompress(codec, bytes, 1 << 20)),
        )
      }),
      { numRuns: 500 },
    )
  }
})

function outcome(expand: () => Uint8Array): string {
  try {
    return Buffer.from(expand()).toString('latin1')
  } catch {
    return 'refused'
  }
}
