import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Io, Socket } from '../io/io.ts'
import { decodeRequestHeader, encodeResponse, type RequestHeader } from '../protocol/frame.ts'
import { apiVersionsResponse } from '../protocol/messages/api-versions.ts'
import { metadataRequest, metadataResponse } from '../protocol/messages/metadata.ts'
import { produceRequest } from '../protocol/messages/produce.ts'
import { simulated, type World } from '../sim/world.ts'
import { Connection, ConnectionError, softwareVersion } from './connection.ts'

const port = 9092
const apiVersionsKey = 18
const metadataKey = 3

type Answer = (header: RequestHeader, socket: Socket) => void

/** Listens on `broker`, hands each request to `answer`, and keeps the headers it saw. */
async function listen(io: Io, answer: Answer): Promise<RequestHeader[]> {
  const seen: RequestHeader[] = []
  await io.network.listen({ host: '', port }, socket => {
    let bytes = Buffer.alloc(0)
    return {
      data(chunk) {
        bytes = Buffer.concat([bytes, chunk])
        while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
          const end = 4 + bytes.readInt32BE(0)
          const header = decodeRequestHeader(bytes.subarray(4, end))
          bytes = bytes.subarray(end)
          seen.push(header)
          answer(header, socket)
        }
      },
      drain() {},
      close() {},
    }
  })
  return seen
}

const apiKeys = [
  { apiKey: apiVersionsKey, minVersion: 0, maxVersion: 3 },
  { apiKey: metadataKey, minVersion: 0, maxVersion: 8 },
]

function answerVersions({ apiVersion, correlationId }: RequestHeader, socket: Socket): void {
  const body = { errorCode: 0, apiKeys }
  socket.write(encodeResponse(apiVersionsResponse, apiVersion, correlationId, body))
}

function answerMetadata(header: RequestHeader, socket: Socket, correlationId?: number): void {
  const body = { brokers: [], topics: [], controllerId: header.correlationId }
  const id = correlationId ?? header.correlationId
  socket.write(encodeResponse(metadataResponse, header.apiVersion, id, body))
}

function inWorld(answer: Answer, scenario: Scenario): Promise<void> {
  return simulated().run(async world => {
    const seen = await listen(world.io('broker'), answer)
    await scenario(world.io('client'), seen, world)
  })
}

type Scenario = (io: Io, seen: RequestHeader[], world: World) => Promise<void>

function open(io: Io, options: { maxFrameBytes?: number } = {}): Promise<Connection> {
  const deadlineMs = io.clock.monotonicMs() + 30_000
  return Connection.open(io, { host: 'broker', port, clientId: 'test', deadlineMs, ...options })
}

function askMetadata(connection: Connection, io: Io, timeoutMs = 1_000) {
  const deadlineMs = io.clock.monotonicMs() + timeoutMs
  return connection.request(metadataRequest, metadataResponse, { topics: [] }, deadlineMs)
}

const ordinary: Answer = (header, socket) => {
  if (header.apiKey === apiVersionsKey) answerVersions(header, socket)
  else answerMetadata(header, socket)
}

test('a request goes in the highest version that both sides know', () =>
  inWorld(ordinary, async (io, seen) => {
    const connection = await open(io)
    await askMetadata(connection, io)
    assert.equal(connection.versionOf(metadataRequest), 8)
    assert.deepEqual(
      seen.map(header => [header.apiKey, header.apiVersion, header.clientId]),
      [
        [apiVersionsKey, 5, 'test'],
        [metadataKey, 8, 'test'],
      ],
    )
  }))

test('a broker that refuses our ApiVersions is asked again in a version it names', () =>
  inWorld(
    (header, socket) => {
      if (header.apiKey === apiVersionsKey && header.apiVersion > 3) {
        const body = { errorCode: 35, apiKeys: apiKeys.slice(0, 1) }
        socket.write(encodeResponse(apiVersionsResponse, 0, header.correlationId, body))
      } else ordinary(header, socket)
    },
    async (io, seen) => {
      const connection = await open(io)
      await askMetadata(connection, io)
      assert.deepEqual(
        seen.map(header => header.apiVersion),
        [5, 3, 8],
      )
    },
  ))

test('an API that the broker does not list is refused before it is sent', () =>
  inWorld(ordinary, async (io, seen) => {
    const connection = await open(io)
    assert.throws(() => connection.versionOf(produceRequest), { error: 'UNSUPPORTED_VERSION' })
    assert.equal(seen.length, 1)
  }))

test('requests are pipelined and each gets its own answer', () => {
  const held: (() => void)[] = []
  return inWorld(
    (header, socket) => {
      if (header.apiKey === apiVersionsKey) return answerVersions(header, socket)
      held.push(() => answerMetadata(header, socket))
      if (held.length === 3) for (const answer of held) answer()
    },
    async io => {
      const connection = await open(io)
      const asked = [1, 2, 3].map(() => askMetadata(connection, io))
      const answers = await Promise.all(asked)
      const ids = answers.map(answer => answer.controllerId)
      assert.deepEqual(ids, [ids[0]!, ids[0]! + 1, ids[0]! + 2])
    },
  )
})

test('a request past its deadline takes the connection and what is behind it with it', () =>
  inWorld(
    (header, socket) => {
      if (header.apiKey === apiVersionsKey) answerVersions(header, socket)
    },
    async io => {
      const connection = await open(io)
      const startMs = io.clock.monotonicMs()
      const results = await Promise.allSettled([
        askMetadata(connection, io, 200),
        askMetadata(connection, io, 5_000),
      ])
      for (const result of results) {
        assert.equal(result.status, 'rejected')
        assert.ok(result.reason instanceof ConnectionError)
        assert.equal(result.reason.code, 'TIMED_OUT')
      }
      assert.ok(io.clock.monotonicMs() - startMs < 1_000)
      await assert.rejects(askMetadata(connection, io), { code: 'TIMED_OUT' })
    },
  ))

test('an answer to another request closes the connection', () =>
  inWorld(
    (header, socket) => {
      if (header.apiKey === apiVersionsKey) answerVersions(header, socket)
      else answerMetadata(header, socket, header.correlationId + 1)
    },
    async io => {
      const connection = await open(io)
      await assert.rejects(askMetadata(connection, io), { code: 'BAD_ANSWER' })
      assert.ok(connection.failure)
    },
  ))

test('an answer larger than the bound is refused by its size alone', () =>
  inWorld(
    (header, socket) => {
      if (header.apiKey === apiVersionsKey) answerVersions(header, socket)
      else socket.write([Uint8Array.of(0x7f, 0xff, 0xff, 0xff)])
    },
    async io => {
      const connection = await open(io, { maxFrameBytes: 1_000 })
      await assert.rejects(askMetadata(connection, io), { code: 'BAD_ANSWER', message: /at most/ })
    },
  ))

test('an answer that is no message of its kind closes the connection', () =>
  inWorld(
    (header, socket) => {
      if (header.apiKey === apiVersionsKey) return answerVersions(header, socket)
      const id = header.correlationId
      socket.write([Uint8Array.of(0, 0, 0, 5, id >>> 24, id >>> 16, id >>> 8, id, 0)])
    },
    async io => {
      const connection = await open(io)
      await assert.rejects(askMetadata(connection, io), { code: 'BAD_ANSWER' })
      assert.ok(connection.failure)
    },
  ))

test('a broker that hangs up fails every request that waits', () =>
  inWorld(
    (header, socket) => {
      if (header.apiKey === apiVersionsKey) answerVersions(header, socket)
      else socket.end()
    },
    async io => {
      const connection = await open(io)
      const results = await Promise.allSettled([
        askMetadata(connection, io),
        askMetadata(connection, io),
      ])
      for (const result of results) {
        assert.equal(result.status, 'rejected')
        assert.equal(result.reason.code, 'CLOSED')
      }
    },
  ))

test('an answer that arrives byte by byte is put together', () =>
  inWorld(
    (header, socket) => {
      if (header.apiKey === apiVersionsKey) return answerVersions(header, socket)
      const body = { brokers: [], topics: [], controllerId: 7 }
      const { apiVersion, correlationId } = header
      const bytes = Buffer.concat(encodeResponse(metadataResponse, apiVersion, correlationId, body))
      for (const byte of bytes) socket.write([Uint8Array.of(byte)])
    },
    async io => {
      const connection = await open(io)
      assert.equal((await askMetadata(connection, io)).controllerId, 7)
    },
  ))

test('a port where nobody listens is refused', () =>
  simulated().run(async world => {
    world.io('broker')
    await assert.rejects(open(world.io('client')), { name: 'ConnectionError', code: 'REFUSED' })
  }))

test('a closed connection refuses requests and may be closed again', () =>
  inWorld(ordinary, async io => {
    const connection = await open(io)
    const waiting = askMetadata(connection, io)
    connection.close()
    connection.close()
    await assert.rejects(waiting, { code: 'CLOSED' })
    await assert.rejects(askMetadata(connection, io), { code: 'CLOSED' })
  }))

test('brokers are told the version of the package', () => {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  assert.equal(softwareVersion, JSON.parse(text).version)
})
