import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ErrorName, errorCode, errorName, errors, KafkaError } from './errors.ts'

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

test('every error says what it means, and what to do about it', () => {
  for (const name of Object.keys(errors) as ErrorName[]) {
    const { message, advice } = new KafkaError(name)
    for (const sentence of [message, advice]) {
      assert.match(sentence, /^\S.{5,}[^.\s]$/, name)
    }
  }
  assert.equal(
    KafkaError.of('GROUP_MAX_SIZE_REACHED', 'group billing').message,
    "group billing: GROUP_MAX_SIZE_REACHED, the group has as many members as it may have: run fewer members, or raise the broker's group.max.size",
  )
  assert.match(new KafkaError('MESSAGE_TOO_LARGE').advice, /max\.message\.bytes/)
  assert.match(new KafkaError('FETCH_SESSION_ID_NOT_FOUND').advice, /tries again/)
  assert.match(new KafkaError('INVALID_VOTER_KEY').advice, /as it is it fails again/)
})
