import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import snappy from 'snappy'
import { KafkaError } from '../errors.ts'
import { type Compression, compressions } from './batch.ts'
import { compress, decompress } from './compression.ts'

const codecs = compressions.filter(codec => codec !== 'none')

const refuses = (error: string) => (thrown: unknown) =>
  thrown instanceof KafkaError && thrown.error === error

/** Bytes that compress somewhat, the same each time. */
function text(length: number): Uint8Array {
  return new Uint8Array(length).map((_, index) => 97 + (((index * index) >> 5) % 19))
}

/** Bytes that hardly compress. */
function noise(length: number): Uint8Array {
  let state = 12345
  return new Uint8Array(length).map(() => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return state >>> 24
  })
}

test('every codec gives back what it took, at sizes around its blocks', () => {
  for (const codec of codecs) {
    for (const length of [1, 2, 1000, 32768, 32769, 65536, 65537, 300_000]) {
      for (const bytes of [text(length), noise(length)]) {
        const expanded = decompress(codec, compress(codec, bytes), length)
        assert.ok(Buffer.from(bytes).equals(expanded), `${codec} ${length}`)
      }
    }
  }
})

test('nothing compresses to something that is nothing again', () => {
  for (const codec of codecs) {
    assert.equal(decompress(codec, compress(codec, new Uint8Array(0)), 10).length, 0, codec)
  }
})

test('levels are heeded by gzip and zstd', () => {
  const bytes = text(100_000)
  assert.ok(compress('gzip', bytes, 9).length < compress('gzip', bytes, 1).length)
  assert.ok(compress('zstd', bytes, 19).length < compress('zstd', bytes, -5).length)
})

test('the bound is exact', () => {
  for (const codec of codecs) {
    const bytes = compress(codec, text(100_000))
    assert.equal(decompress(codec, bytes, 100_000).length, 100_000, codec)
    assert.throws(() => decompress(codec, bytes, 99_999), refuses('MESSAGE_TOO_LARGE'), codec)
    assert.throws(() => decompress(codec, bytes, 0), refuses('MESSAGE_TOO_LARGE'), codec)
  }
})

test('a bomb is refused without its memory being taken', () => {
  for (const codec of codecs) {
    const bomb = compress(codec, new Uint8Array(32 << 20))
    const before = process.memoryUsage()
    assert.throws(() => decompress(codec, bomb, 1 << 20), refuses('MESSAGE_TOO_LARGE'), codec)
    const after = process.memoryUsage()
    const grown = after.external - before.external + (after.heapUsed - before.heapUsed)
    assert.ok(grown < 8 << 20, `${codec}: ${grown} bytes`)
  }
})

test('claimed sizes take no memory', () => {
  // A bare snappy block of 2³²−1 and one of 100 MB, the latter also in xerial framing.
  const xerial = Buffer.from('82534e415050590000000001000000010000000580c2d72f00', 'hex')
  for (const bytes of [
    Buffer.from('ffffffff0f00', 'hex'),
    Buffer.from('80c2d72f00', 'hex'),
    xerial,
  ]) {
    assert.throws(() => decompress('snappy', bytes, 2 ** 31), refuses('INVALID_RECORD'))
  }
  // An lz4 frame of 4 MB blocks whose block claims more than there is.
  const lz4 = Buffer.from('04224d1860707300000040', 'hex')
  assert.throws(() => decompress('lz4', lz4, 2 ** 31), refuses('INVALID_RECORD'))
})

test('snappy is read bare and in blocks of any size', () => {
  const bytes = text(100_000)
  const bare = snappy.compressSync(Buffer.from(bytes))
  assert.ok(Buffer.from(bytes).equals(decompress('snappy', bare, 100_000)))
  const length = Buffer.alloc(4)
  length.writeInt32BE(bare.length)
  const header = Buffer.from('82534e4150505900' + '0000000100000001', 'hex')
  const framed = Buffer.concat([header, length, bare, length, bare])
  assert.equal(decompress('snappy', framed, 200_000).length, 200_000)
})

test('all frames of zstd and all members of gzip are read, and bounded together', () => {
  const parts = [text(5000), noise(3000), text(1)]
  const whole = Buffer.concat(parts)
  const packed: [Compression, Uint8Array][] = [
    ['zstd', Buffer.concat(parts.map(part => zstdCompressSync(part)))],
    ['gzip', Buffer.concat(parts.map(part => gzipSync(part)))],
  ]
  for (const [codec, bytes] of packed) {
    assert.ok(whole.equals(decompress(codec, bytes, whole.length)), codec)
    assert.throws(() => decompress(codec, bytes, whole.length - 1), refuses('MESSAGE_TOO_LARGE'))
  }
})

test('thousands of empty zstd frames are refused in no time', () => {
  const frames = Buffer.concat(Array(5000).fill(zstdCompressSync(new Uint8Array(0))))
  assert.throws(() => decompress('zstd', frames, 1 << 20), refuses('INVALID_RECORD'))
})

test('lz4 frames of other writers are read, whatever they carry besides', () => {
  // By python-lz4: blocks of 64 KB to 4 MB; content size; checksums of blocks, content, all of it.
  const block = '100000006f6f74746c6120060005506f74746572'
  for (const frame of [
    `04224d18684023000000000000009f${block}00000000`,
    `04224d187040ad${block}585c151400000000`,
    `04224d186440a7${block}00000000fa50fc6f`,
    `04224d187c402300000000000000eb${block}585c151400000000fa50fc6f`,
  ]) {
    const expanded = decompress('lz4', Buffer.from(frame, 'hex'), 35)
    assert.equal(Buffer.from(expanded).toString(), 'ottla ottla ottla ottla ottla otter')
  }
})

test('lz4 frames that Kafka could not read are refused', () => {
  const good = Buffer.from(compress('lz4', text(1000)))
  const refused = (bytes: Uint8Array, why: RegExp) =>
    assert.throws(
      () => decompress('lz4', bytes, 1000),
      error => {
        assert.ok(error instanceof KafkaError && error.error === 'INVALID_RECORD')
        assert.match(error.message, why)
        return true
      },
    )
  refused(Buffer.concat([Buffer.from('04224d184040c0', 'hex'), good.subarray(7)]), /linked/)
  refused(Buffer.concat([good.subarray(0, 6), Buffer.of(0x83), good.subarray(7)]), /checksum/)
  refused(Buffer.concat([good, good]), /ends elsewhere/)
  refused(good.subarray(0, -4), /cut short/)
})

test('cut, changed and surplus bytes never crash or hang a codec', () => {
  for (const codec of codecs) {
    const good = compress(codec, text(3000))
    const run = (bytes: Uint8Array) => {
      try {
        assert.ok(decompress(codec, bytes, 10_000).length <= 10_000)
      } catch (error) {
        assert.ok(error instanceof KafkaError, String(error))
      }
    }
    for (let length = 0; length < good.length; length += 1 + (length >> 5)) {
      run(good.subarray(0, length))
    }
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        fc.uint8Array({ maxLength: 3 }),
        (edits, tail) => {
          const bytes = Buffer.concat([good, tail])
          for (const [at, byte] of edits) bytes[at] = byte
          run(bytes)
        },
      ),
      { numRuns: 300 },
    )
  }
})
