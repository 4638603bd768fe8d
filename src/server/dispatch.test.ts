import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KafkaError } from '../protocol/errors.ts'
import { decodeResponse, encodeRequest } from '../protocol/frame.ts'
import { metadataRequest, metadataResponse } from '../protocol/messages/metadata.ts'
import { World } from '../sim/world.ts'
import { CloseConnection, type Domain, noResponse, type ServerState } from './context.ts'
import { type Api, Dispatcher } from './dispatch.ts'
import { metadataFailure } from './handlers/metadata.ts'

const connection = {
  id: 1,
  listener: 'PLAINTEXT',
  localAddress: '127.0.0.1',
  localPort: 9092,
  remoteAddress: '127.0.0.1',
  remotePort: 1,
  principal: { type: 'User', name: 'ANONYMOUS' },
  hurry: new AbortController().signal,
}

const body = { topics: [{ name: 'a' }] }

/** A broker that serves Metadata by `handle` and nothing else. */
function dispatcher(handle: () => Promise<unknown>) {
  const world = new World(1)
  const api = {
    request: metadataRequest,
    response: metadataResponse,
    handle,
    fail: metadataFailure,
    served: { first: 0, last: 13 },
    listedMin: 0,
    remarks: '',
    isPipelined: false,
  }
  // Handlers of this test ask neither the domain nor the state of the server.
  const domain = { io: world.io(), config: () => ({ slowRequestMs: 1000 }) } as unknown as Domain
  const one = new Dispatcher([api as unknown as Api], domain, {} as ServerState)
  return { world, dispatcher: one }
}

function frameOf(version: number): Uint8Array {
  return Buffer.concat(encodeRequest(metadataRequest, version, 77, 'me', body)).subarray(4)
}

async function answerOf(handle: () => Promise<unknown>, version = 1) {
  const { world, dispatcher: one } = dispatcher(handle)
  const answer = await one.dispatch(frameOf(version), connection)
  const bytes = Buffer.concat(answer?.chunks ?? [])
  assert.equal(bytes.readInt32BE(0), bytes.length - 4)
  const { correlationId, response } = decodeResponse(metadataResponse, version, bytes.subarray(4))
  assert.equal(correlationId, 77)
  return { response, unforeseen: one.unforeseen, reported: world.reported }
}

test('a refusal of the whole request takes the form of the API', async () => {
  const { response, unforeseen } = await answerOf(async () => {
    throw new KafkaError('INVALID_REQUEST', 'no')
  })
  assert.deepEqual(
    response.topics.map(({ name, errorCode }) => [name, errorCode]),
    [['a', 42]],
  )
  assert.equal(unforeseen, 0)
})

test('what nobody foresaw is answered with UNKNOWN_SERVER_ERROR, reported and counted', async () => {
  const { response, unforeseen, reported } = await answerOf(async () => {
    throw new TypeError('oops')
  })
  assert.equal(response.topics[0]!.errorCode, -1)
  assert.equal(unforeseen, 1)
  assert.equal(reported[0]!.message, 'a request failed unexpectedly')
  assert.match(JSON.stringify(reported[0]), /TypeError: oops/)
})

test('an answer that cannot be encoded becomes a failure', async () => {
  const { response, unforeseen } = await answerOf(async () => ({ brokers: [], topics: 7 }))
  assert.equal(response.topics[0]!.errorCode, -1)
  assert.equal(unforeseen, 1)
})

test('a handler may answer nothing, or close the connection', async () => {
  const { dispatcher: quiet } = dispatcher(async () => noResponse)
  assert.equal(await quiet.dispatch(frameOf(1), connection), undefined)
  const { dispatcher: closing } = dispatcher(async () => {
    throw new CloseConnection('no')
  })
  await assert.rejects(closing.dispatch(frameOf(1), connection), { name: 'CloseConnection' })
})

test('the handler has begun when dispatch returns its promise', () => {
  let hasBegun = false
  const { dispatcher: one } = dispatcher(async () => {
    hasBegun = true
    return noResponse
  })
  void one.dispatch(frameOf(1), connection)
  assert.equal(hasBegun, true)
})

test('a body cut short is refused', async () => {
  const { dispatcher: one } = dispatcher(async () => noResponse)
  const frame = frameOf(1)
  for (const bad of [frame.subarray(0, -1), frame.subarray(0, 5)]) {
    await assert.rejects(one.dispatch(bad, connection), { name: 'DecodeError' })
  }
})

test('bytes after the body are passed over: librdkafka 2.15 asks for all topics so', async () => {
  const asked: unknown[] = []
  const { dispatcher: one } = dispatcher(async (...[, request]: unknown[]) => {
    asked.push(request)
    return noResponse
  })
  const frame = Buffer.from(
    '0003000d000000030007 72646b61666b61 00 00000000 010000'.replaceAll(' ', ''),
    'hex',
  )
  await one.dispatch(frame, connection)
  assert.deepEqual(asked, [
    {
      topics: null,
      allowAutoTopicCreation: false,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: false,
    },
  ])
})
