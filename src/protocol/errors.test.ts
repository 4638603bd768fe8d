import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorCode, errorName, errors, KafkaError } from './errors.ts'

test('names and codes lead to each other, an unknown code to UNKNOWN_SERVER_ERROR', () => {
  for (const [name, { code }] of Object.entries(errors)) assert.equal(errorName(code), name)
  assert.equal(errorCode('NOT_LEADER_OR_FOLLOWER'), 6)
  assert.equal(errorName(9999), 'UNKNOWN_SERVER_ERROR')
})

test('a KafkaError tells its sentence or the detail, and has no stack', () => {
  const limit = Error.stackTraceLimit
  const plain = new KafkaError('CORRUPT_MESSAGE')
  assert.deepEqual(
    [plain.code, plain.retriable, plain.message, plain.detail],
    [2, true, errors.CORRUPT_MESSAGE.message, undefined],
  )
  assert.equal(new KafkaError('INVALID_REQUEST', 'why').message, 'why')
  assert.doesNotMatch(plain.stack ?? '', /\n\s+at /)
  assert.equal(Error.stackTraceLimit, limit)
})
