import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeResponse } from '../protocol/frame.ts'
import { apiVersionsResponse } from '../protocol/messages/api-versions.ts'
import { understood } from './probe.ts'

function versions(correlationId: number): Buffer {
  const apiKeys = [{ apiKey: 1, minVersion: 4, maxVersion: 18 }]
  return Buffer.concat(
    encodeResponse(apiVersionsResponse, 0, correlationId, { errorCode: 0, apiKeys }),
  )
}

test('an answer to our question is Kafka, an answer to another one is not', () => {
  const spoken = understood(versions(1))
  assert.equal(spoken.kind, 'kafka')
  assert.deepEqual(spoken.kind === 'kafka' && spoken.apis, [
    { apiKey: 1, minVersion: 4, maxVersion: 18 },
  ])
  assert.equal(understood(versions(2)).kind, 'other')
})

test('what is torn or strange is shown as text, without control characters', () => {
  assert.deepEqual(understood(versions(1).subarray(0, 9)).kind, 'other')
  const strange = understood(Buffer.from('220 mail\u001b[31m\r\nready'))
  assert.deepEqual(strange, { kind: 'other', text: '220 mail·[31m·ready' })
  assert.deepEqual(understood(Buffer.from('HTTP/1.1 400')), { kind: 'http' })
})
