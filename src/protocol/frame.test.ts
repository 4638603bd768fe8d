import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import { DecodeError } from './compile.ts'
import { decodeRequestHeader, decodeResponse, encodeRequest, encodeResponse } from './frame.ts'
import { apiVersionsRequest, apiVersionsResponse } from './messages/api-versions.ts'
import { metadataRequest, metadataResponse } from './messages/metadata.ts'
import { produceRequest } from './messages/produce.ts'

/** The frame without its size, which is checked. */
function unframed(chunks: readonly Uint8Array[]): Uint8Array {
  const bytes = Buffer.concat(chunks)
  assert.equal(bytes.readInt32BE(0), bytes.length - 4)
  return new Uint8Array(bytes.subarray(4))
}

const request = { topics: null }

test('a request has header v1 before its API is flexible and v2 from then on', () => {
  const old = unframed(encodeRequest(metadataRequest, 8, 77, 'me', request))
  assert.equal(Buffer.from(old.subarray(0, 12)).toString('hex'), '000300080000004d00026d65')
  assert.deepEqual(decodeRequestHeader(old), {
    apiKey: 3,
    apiVersion: 8,
    correlationId: 77,
    clientId: 'me',
    bodyOffset: 12,
  })
  const flexible = unframed(encodeRequest(metadataRequest, 9, -1, null, request))
  const header = decodeRequestHeader(flexible)
  assert.deepEqual([header.clientId, header.correlationId, header.bodyOffset], [null, -1, 11])
})

test('tagged fields of a header are skipped', () => {
  const frame = Buffer.from('0003000900000001ffff 01 07 03 aabbcc 00'.replaceAll(' ', ''), 'hex')
  assert.equal(decodeRequestHeader(frame).bodyOffset, 16)
})

test('the header of an unknown API or of a version to come is read as far as all agree', () => {
  const unknown = Buffer.from('4242000900000001ffff', 'hex')
  assert.deepEqual(
    [decodeRequestHeader(unknown).apiKey, decodeRequestHeader(unknown).bodyOffset],
    [0x4242, 10],
  )
  const later = Buffer.from('001203e700000005000161 00'.replaceAll(' ', ''), 'hex')
  assert.equal(decodeRequestHeader(later).apiVersion, 999)
})

test('a client id in another charset is replaced, not refused', () => {
  const frame = Buffer.from('000300080000000100026de9', 'hex')
  assert.equal(decodeRequestHeader(frame).clientId, 'm\ufffd')
})

test('a header that is cut short or lies is a DecodeError', () => {
  for (const frame of [
    '',
    '0003',
    '00030008000000010005',
    '000300080000000100056d',
    '00030009000000010000',
    '0003000800000001fffe',
  ]) {
    assert.throws(() => decodeRequestHeader(Buffer.from(frame, 'hex')), DecodeError, frame)
  }
})

test('a response comes back with its correlation id', () => {
  for (const version of [0, 5, 8, 9, 13]) {
    const sent = { brokers: [{ nodeId: 1, host: 'h', port: 9092 }], topics: [] }
    const frame = unframed(encodeResponse(metadataResponse, version, 42, sent))
    const { correlationId, response } = decodeResponse(metadataResponse, version, frame)
    assert.equal(correlationId, 42)
    assert.deepEqual(response.brokers, [{ nodeId: 1, host: 'h', port: 9092, rack: null }])
  }
})

test('ApiVersions is answered with header v0 in every version', () => {
  for (const version of [0, 3, 5]) {
    const sent = { errorCode: 35, apiKeys: [{ apiKey: 18, minVersion: 0, maxVersion: 5 }] }
    const frame = unframed(encodeResponse(apiVersionsResponse, version, 7, sent))
    assert.equal(Buffer.from(frame.subarray(0, 6)).toString('hex'), '000000070023')
    assert.equal(decodeResponse(apiVersionsResponse, version, frame).response.errorCode, 35)
  }
  const asked = unframed(encodeRequest(apiVersionsRequest, 3, 1, 'c', {}))
  assert.equal(decodeRequestHeader(asked).bodyOffset, 12)
})

test('large records stay chunks of their own, and count in the size', () => {
  const large = new Uint8Array(100_000)
  const topicData = [{ name: 't', partitionData: [{ index: 0, records: large }] }]
  const chunks = encodeRequest(produceRequest, 9, 1, 'c', { acks: 1, timeoutMs: 1, topicData })
  assert.ok(chunks.includes(large))
  unframed(chunks)
})
