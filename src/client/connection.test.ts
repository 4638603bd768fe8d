import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Io } from '../io/io.ts'
import { encodeResponse, type RequestHeader } from '../protocol/frame.ts'
import { apiVersionsResponse } from '../protocol/messages/api-versions.ts'
import { metadataRequest, metadataResponse } from '../protocol/messages/metadata.ts'
import { produceRequest } from '../protocol/messages/produce.ts'
import { type ScriptedRequest, scriptedBroker } from '../sim/scripted-broker.ts'
import { simulated } from '../sim/world.ts'
import { Connection, ConnectionError } from './connection.ts'

const port = 9092
const apiVersionsKey = 18
const metadataKey = 3
const versions = new Map([[metadataKey, 8]])

type Scenario = (io: Io, seen: readonly RequestHeader[]) => Promise<void>

function inWorld(script: (request: ScriptedRequest) => void, scenario: Scenario): Promise<void> {
  return simulated().run(async world => {
    const seen = await scriptedBroker(world.io('broker'), port, versions, script)
    await scenario(world.io('client'), seen)
  })
}

/** Says the request's own number, so that answers can be told apart. */
function answerMetadata(request: ScriptedRequest, correlationId?: number): void {
  const controllerId = request.header.correlationId
  request.answer(metadataResponse, { brokers: [], topics: [], controllerId }, correlationId)
}

function open(io: Io, options: { maxFrameBytes?: number } = {}): Promise<Connection> {
  const deadlineMs = io.clock.monotonicMs() + 30_000
  return Connection.open(io, { host: 'broker', port, clientId: 'test', deadlineMs, ...options })
}

function askMetadata(connection: Connection, io: Io, timeoutMs = 1_000) {
  const deadlineMs = io.clock.monotonicMs() + timeoutMs
  return connection.request(metadataRequest, metadataResponse, { topics: [] }, deadlineMs)
}

test('a request goes in the highest version that both sides know', () =>
  inWorld(answerMetadata, async (io, seen) => {
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
  simulated().run(async world => {
    const seen = await scriptedBroker(world.io('broker'), port, undefined, request => {
      const { apiVersion, correlationId } = request.header
      const apiKeys = [{ apiKey: apiVersionsKey, minVersion: 0, maxVersion: 3 }]
      const body = { errorCode: apiVersion > 3 ? 35 : 0, apiKeys }
      const answered = apiVersion > 3 ? 0 : apiVersion
      request.socket.write(encodeResponse(apiVersionsResponse, answered, correlationId, body))
    })
    await open(world.io('client'))
    assert.deepEqual(
      seen.map(header => header.apiVersion),
      [5, 3],
    )
  }))

test('an API that the broker does not list is refused before it is sent', () =>
  inWorld(answerMetadata, async (io, seen) => {
    const connection = await open(io)
    assert.throws(() => connection.versionOf(produceRequest), { error: 'UNSUPPORTED_VERSION' })
    assert.equal(seen.length, 1)
  }))

test('requests are pipelined and each gets its own answer', () => {
  const held: ScriptedRequest[] = []
  return inWorld(
    request => {
      held.push(request)
      if (held.length === 3) for (const each of held) answerMetadata(each)
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
    () => {},
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
    request => answerMetadata(request, request.header.correlationId + 1),
    async io => {
      const connection = await open(io)
      await assert.rejects(askMetadata(connection, io), { code: 'BAD_ANSWER' })
      assert.ok(connection.failure)
    },
  ))

test('an answer larger than the bound is refused by its size alone', () =>
  inWorld(
    ({ socket }) => socket.write([Uint8Array.of(0x7f, 0xff, 0xff, 0xff)]),
    async io => {
      const connection = await open(io, { maxFrameBytes: 1_000 })
      await assert.rejects(askMetadata(connection, io), { code: 'BAD_ANSWER', message: /at most/ })
    },
  ))

test('an answer that is no message of its kind closes the connection', () =>
  inWorld(
    ({ header: { correlationId: id }, socket }) =>
      socket.write([Uint8Array.of(0, 0, 0, 5, id >>> 24, id >>> 16, id >>> 8, id, 0)]),
    async io => {
      const connection = await open(io)
      await assert.rejects(askMetadata(connection, io), { code: 'BAD_ANSWER' })
      assert.ok(connection.failure)
    },
  ))

test('a broker that hangs up fails every request that waits', () =>
  inWorld(
    ({ socket }) => socket.end(),
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
    ({ header: { apiVersion, correlationId }, socket }) => {
      const body = { brokers: [], topics: [], controllerId: 7 }
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
  inWorld(answerMetadata, async io => {
    const connection = await open(io)
    const waiting = askMetadata(connection, io)
    connection.close()
    connection.close()
    await assert.rejects(waiting, { code: 'CLOSED' })
    await assert.rejects(askMetadata(connection, io), { code: 'CLOSED' })
  }))
