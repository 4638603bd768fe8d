import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FrameBuffers, FrameReader } from './frame-reader.ts'

function framed(...bodies: Uint8Array[]): Uint8Array {
  return Buffer.concat(
    bodies.flatMap(body => {
      const size = Buffer.alloc(4)
      size.writeInt32BE(body.length)
      return [size, body]
    }),
  )
}

function body(length: number, fill = 7): Uint8Array {
  return new Uint8Array(length).fill(fill)
}

test('frames come out whole, wherever the bytes are cut', () => {
  const bodies = [body(3, 1), body(0), body(70_000, 2), body(1, 3), body(300_000, 4)]
  const bytes = framed(...bodies)
  for (const step of [1, 2, 3, 5, 4093, 65_536, bytes.length]) {
    const reader = new FrameReader(400_000, new FrameBuffers())
    const frames: Uint8Array[] = []
    for (let at = 0; at < bytes.length; at += step) {
      for (const frame of reader.push(bytes.subarray(at, at + step))) {
        frames.push(new Uint8Array(frame))
      }
    }
    assert.equal(frames.length, bodies.length, `cut every ${step}`)
    for (const [index, frame] of frames.entries()) {
      assert.equal(Buffer.compare(frame, bodies[index]!), 0, `cut every ${step}`)
    }
    assert.equal(reader.unfinishedBytes, 0)
  }
})

test('a frame that lies whole in a chunk is not copied', () => {
  const bytes = framed(body(10), body(20))
  const frames = [...new FrameReader(100, new FrameBuffers()).push(bytes)]
  assert.deepEqual(
    frames.map(frame => frame.buffer === bytes.buffer),
    [true, true],
  )
})

test('a size that is negative or too large is refused before memory is taken', () => {
  for (const size of [101, 0x7fffffff, -1]) {
    const bytes = Buffer.alloc(8)
    bytes.writeInt32BE(size)
    assert.throws(() => [...new FrameReader(100, new FrameBuffers()).push(bytes)], {
      name: 'DecodeError',
      message: `a frame of ${size} bytes: at most 100 are accepted`,
    })
  }
})

test('a client of another protocol is told by its first bytes', () => {
  const hello = Buffer.from('160301020001000', 'hex')
  const refused: [bytes: Uint8Array, message: RegExp][] = [
    [hello, /^this is TLS, not Kafka: .*security.protocol=PLAINTEXT$/],
    [Buffer.from('GET / HTTP/1.1'), /^this is HTTP, not Kafka: /],
  ]
  for (const [bytes, message] of refused) {
    assert.throws(() => [...new FrameReader(100, new FrameBuffers()).push(bytes)], {
      name: 'DecodeError',
      message,
    })
  }
})

test('memory grows with what arrives, not with what is announced', () => {
  const reader = new FrameReader(100 * 1024 * 1024, new FrameBuffers())
  const size = Buffer.alloc(4)
  size.writeInt32BE(100 * 1024 * 1024)
  const before = process.memoryUsage().arrayBuffers
  const readers = Array.from(
    { length: 50 },
    () => new FrameReader(100 * 1024 * 1024, new FrameBuffers()),
  )
  for (const one of [...readers, reader]) {
    assert.deepEqual([...one.push(size)], [])
    assert.deepEqual([...one.push(body(1000))], [])
    assert.equal(one.unfinishedBytes, 1004)
  }
  assert.ok(process.memoryUsage().arrayBuffers - before < 10 * 1024 * 1024)
})
