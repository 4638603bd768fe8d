import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Frames } from './frames.ts'

function framed(...bodies: readonly string[]): Buffer {
  return Buffer.concat(
    bodies.flatMap(body => {
      const size = Buffer.alloc(4)
      size.writeInt32BE(Buffer.byteLength(body))
      return [size, Buffer.from(body)]
    }),
  )
}

/** What comes out when a chunk comes in. */
function cut(frames: Frames, chunk: Uint8Array): string[] {
  const found: string[] = []
  frames.push(chunk)
  for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
    found.push(Buffer.from(frame).toString())
  }
  return found
}

test('frames come out whole, wherever the stream is cut', () => {
  const bodies = ['one', '', 'a longer one', 'x', '']
  const stream = framed(...bodies)
  for (let first = 0; first <= stream.length; first++) {
    for (let second = first; second <= stream.length; second++) {
      const frames = new Frames(100)
      const parts = [stream.subarray(0, first), stream.subarray(first, second)]
      const found = [...parts, stream.subarray(second)].flatMap(part => cut(frames, part))
      assert.deepEqual(found, bodies)
    }
  }
})

test('a frame does not change when the memory it came in does', () => {
  const frames = new Frames(100)
  const chunk = framed('kept')
  frames.push(chunk)
  const frame = frames.next()!
  chunk.fill(0)
  assert.equal(Buffer.from(frame).toString(), 'kept')
})

test('what is too large, or no frame at all, is refused before memory is taken', () => {
  const size = (bytes: number) => {
    const chunk = Buffer.alloc(4)
    chunk.writeInt32BE(bytes)
    return chunk
  }
  assert.throws(() => cut(new Frames(100), size(101)), /101 bytes, where at most 100/)
  assert.throws(() => cut(new Frames(100), size(-1)), /-1 bytes/)
  const page = Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')
  assert.throws(() => cut(new Frames(100), page), /it speaks HTTP/)
  const frames = new Frames(100)
  assert.deepEqual(cut(frames, page.subarray(0, 2)), [])
  assert.throws(() => cut(frames, page.subarray(2)), /it speaks HTTP/)
})
