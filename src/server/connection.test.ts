import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Io, Socket } from '../io/io.ts'
import { World } from '../sim/world.ts'
import { type Answer, Connection, type ConnectionHost } from './connection.ts'
import type { ConnectionFacts } from './context.ts'
import { FrameBuffers } from './frame-reader.ts'
import { Memory } from './memory.ts'

/** Frames of these tests: a letter (P is pipelined), then anything. */
function frame(text: string): Uint8Array {
  const bytes = Buffer.alloc(4 + text.length)
  bytes.writeInt32BE(text.length)
  bytes.write(text, 4)
  return bytes
}

interface Started {
  readonly text: string
  readonly facts: ConnectionFacts
  answer(text: string | undefined, sent?: () => void): void
  fail(error: Error): void
}

/** A server that answers when the test says so, and one client. */
async function connected(io: Io, limits = {}, memory = new Memory(1_000_000)) {
  const started: Started[] = []
  const frames: Uint8Array[] = []
  const broken: string[] = []
  const closed: Connection[] = []
  const host: ConnectionHost = {
    clock: io.clock,
    memory,
    frameBuffers: new FrameBuffers(),
    isPipelined: bytes => bytes[0] === 80,
    dispatch: (bytes, facts) => {
      const { promise, resolve, reject } = Promise.withResolvers<Answer | undefined>()
      frames.push(bytes)
      started.push({
        text: Buffer.from(bytes).toString(),
        facts,
        answer: (text, sent) =>
          resolve(text === undefined ? undefined : { chunks: [Buffer.from(text)], sent }),
        fail: reject,
      })
      return promise
    },
    broken: (_facts, error) => broken.push((error as Error).message),
    closed: connection => closed.push(connection),
  }
  const connections: Connection[] = []
  const listener = await io.network.listen({ host: '127.0.0.1', port: 0 }, socket => {
    const all = { requestMaxBytes: 100_000, maxIdleMs: 600_000, ...limits }
    const connection = new Connection(host, socket, { id: 1, listener: 'PLAINTEXT' }, all)
    connections.push(connection)
    return connection
  })
  const received = { text: '', bytes: 0, isClosed: false }
  const client: Socket = await io.network.connect(
    { host: '127.0.0.1', port: listener.port, timeoutMs: 1000 },
    () => ({
      data(chunk) {
        received.bytes += chunk.length
        if (received.text.length < 1000) received.text += Buffer.from(chunk).toString()
      },
      drain() {},
      close() {
        received.isClosed = true
      },
    }),
  )
  return { started, frames, broken, closed, connections, client, received, memory }
}

function texts(started: readonly Started[]): string[] {
  return started.map(({ text }) => text)
}

test('a request that may be kept has bytes of its own, and one that has to wait, too', async () => {
  const world = new World(1)
  await world.run(async () => {
    const { started, frames, client } = await connected(world.io())
    // The network of this world spoils what it gave, as a real one reads the next bytes there.
    client.write([frame('P1'), frame('x2'), frame('P3')])
    await world.sleep(10)
    for (const each of started) each.answer('')
    await world.sleep(10)
    assert.deepEqual(texts(started), ['P1', 'x2', 'P3'])
    assert.deepEqual(
      frames.map(bytes => Buffer.from(bytes).toString()),
      ['\xdb\xdb', 'x2', 'P3'].map(text => Buffer.from(text, 'latin1').toString()),
    )
  })
})

test('who made an answer is told when it is sent, and when it never will be', async () => {
  const world = new World(1)
  await world.run(async () => {
    const { started, client, received } = await connected(world.io())
    const told: string[] = []
    client.write([frame('P1'), frame('P2')])
    await world.sleep(10)
    started[0]!.answer('1', () => told.push('1'))
    await world.sleep(10)
    assert.deepEqual([received.text, told], ['1', ['1']])
    client.destroy()
    await world.sleep(10)
    started[1]!.answer('2', () => told.push('2'))
    await world.sleep(10)
    assert.deepEqual(told, ['1', '2'])
  })
})

test('pipelined requests start at once, and are answered in the order they came', async () => {
  const world = new World(1)
  await world.run(async () => {
    const { started, client, received } = await connected(world.io())
    client.write([frame('P1'), frame('P2'), frame('P3')])
    await world.sleep(10)
    assert.deepEqual(texts(started), ['P1', 'P2', 'P3'])
    started[2]!.answer('three ')
    started[1]!.answer(undefined)
    await world.sleep(10)
    assert.equal(received.text, '')
    started[0]!.answer('one ')
    await world.sleep(10)
    assert.equal(received.text, 'one three ')
  })
})

test('behind a request that is not pipelined nothing starts before its answer', async () => {
  const world = new World(2)
  await world.run(async () => {
    const { started, client } = await connected(world.io())
    client.write([frame('P1'), frame('F2'), frame('P3'), frame('P4')])
    await world.sleep(10)
    assert.deepEqual(texts(started), ['P1', 'F2'])
    started[1]!.answer('two')
    await world.sleep(10)
    assert.deepEqual(texts(started), ['P1', 'F2'])
    started[0]!.answer('one')
    await world.sleep(10)
    assert.deepEqual(texts(started), ['P1', 'F2', 'P3', 'P4'])
  })
})

test('what cannot be read as a frame closes the connection, after what came before is answered', async () => {
  const world = new World(3)
  await world.run(async () => {
    const { started, client, received, broken } = await connected(world.io())
    client.write([frame('F1'), frame('F2'), Buffer.from([0x7f, 0xff, 0xff, 0xff])])
    await world.sleep(10)
    started[0]!.answer('one ')
    await world.sleep(10)
    assert.equal(received.isClosed, false)
    started[1]!.answer('two')
    await world.sleep(10)
    assert.equal(received.text, 'one two')
    assert.equal(received.isClosed, true)
    assert.deepEqual(broken, ['a frame of 2147483647 bytes: at most 100000 are accepted'])
  })
})

test('a request that closes the connection does so in its turn', async () => {
  const world = new World(4)
  await world.run(async () => {
    const { started, client, received, broken } = await connected(world.io())
    client.write([frame('P1'), frame('P2'), frame('P3')])
    await world.sleep(10)
    started[1]!.fail(new Error('no'))
    started[2]!.answer('three')
    await world.sleep(10)
    assert.equal(received.isClosed, false)
    started[0]!.answer('one')
    await world.sleep(10)
    assert.equal(received.text, 'one')
    assert.equal(received.isClosed, true)
    assert.deepEqual(broken, ['no'])
  })
})

test('a client that does not read its answers is not served further until it does', async () => {
  const world = new World(5)
  await world.run(async () => {
    const { started, client, memory } = await connected(world.io())
    client.pause()
    const answer = 'x'.repeat(600_000)
    client.write([frame('P1'), frame('P2')])
    await world.sleep(10)
    started[0]!.answer(answer)
    started[1]!.answer(answer)
    await world.sleep(10)
    client.write([frame('P3')])
    await world.sleep(100)
    assert.deepEqual(texts(started), ['P1', 'P2'])
    assert.ok(memory.used > 600_000, `${memory.used}`)
    client.resume()
    await world.sleep(1000)
    assert.deepEqual(texts(started), ['P1', 'P2', 'P3'])
    started[2]!.answer('x')
    await world.sleep(1000)
    assert.ok(memory.used < 100, `${memory.used}`)
  })
})

test('when memory is short sockets are not read, and whoever holds it is cut off', async () => {
  const world = new World(6)
  await world.run(async () => {
    const io = world.io()
    const memory = new Memory(150_000)
    const greedy = await connected(io, {}, memory)
    const patient = await connected(io, {}, memory)
    const half = frame('F'.repeat(90_000)).subarray(0, 89_000)
    greedy.client.write([half])
    await world.sleep(100)
    assert.equal(greedy.received.isClosed, false)
    patient.client.write([frame('F'.repeat(80_000)).subarray(0, 79_000)])
    await world.sleep(100)
    assert.equal(greedy.received.isClosed, true)
    assert.equal(patient.received.isClosed, false)
    assert.match(greedy.broken[0]!, /most of the memory/)
    patient.client.write([frame('F'.repeat(80_000)).subarray(79_000)])
    await world.sleep(100)
    assert.equal(patient.started.length, 1)
    patient.started[0]!.answer('done')
    await world.sleep(100)
    assert.equal(patient.received.text, 'done')
    assert.equal(memory.used, 0)
  })
})

test('a connection on which nothing happens for long enough is closed', async () => {
  const world = new World(7)
  await world.run(async () => {
    const { started, client, received } = await connected(world.io(), { maxIdleMs: 1000 })
    await world.sleep(900)
    client.write([frame('F1')])
    await world.sleep(900)
    started[0]!.answer('one')
    await world.sleep(900)
    assert.equal(received.isClosed, false)
    await world.sleep(200)
    assert.equal(received.isClosed, true)
  })
})

test('a stop answers what came whole, and hurries those who wait', async () => {
  const world = new World(8)
  await world.run(async () => {
    const { started, client, received, connections, closed } = await connected(world.io())
    client.write([frame('F1'), frame('F2'), frame('F3').subarray(0, 5)])
    await world.sleep(10)
    const { hurry } = started[0]!.facts
    assert.equal(hurry.aborted, false)
    connections[0]!.stop()
    assert.equal(hurry.aborted, true)
    started[0]!.answer('one ')
    await world.sleep(10)
    started[1]!.answer('two')
    await world.sleep(10)
    assert.equal(received.text, 'one two')
    assert.equal(received.isClosed, true)
    assert.equal(closed.length, 1)
  })
})

test('a client that is gone leaves nothing behind', async () => {
  const world = new World(9)
  await world.run(async () => {
    const { started, client, memory, closed } = await connected(world.io())
    client.write([frame('P1'), frame('F2'), frame('F3').subarray(0, 5)])
    await world.sleep(10)
    client.destroy()
    await world.sleep(10)
    assert.equal(closed.length, 1)
    assert.equal(started[0]!.facts.hurry.aborted, true)
    assert.equal(memory.used, 0)
    started[0]!.answer('one')
    started[1]!.answer('two')
    await world.sleep(10)
    assert.deepEqual(texts(started), ['P1', 'F2'])
    assert.equal(memory.used, 0)
  })
})
