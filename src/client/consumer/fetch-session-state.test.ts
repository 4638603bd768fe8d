import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FetchSessionState, type FetchWanted, type SessionRequest } from './fetch-session-state.ts'

function wanted(partition: number, fetchOffset: number, topicId = 'id'): FetchWanted {
  return { topic: 'orders', topicId, partition, leaderEpoch: 0, fetchOffset, maxBytes: 1 }
}

function said({ sessionId, sessionEpoch, named, forgotten }: SessionRequest) {
  const place = ({ topicId, partition, fetchOffset }: FetchWanted) =>
    `${topicId}-${partition}@${fetchOffset}`
  return [sessionId, sessionEpoch, named.map(place), forgotten.map(place)]
}

test('after a full request only what is new, moved or gone is named', () => {
  const session = new FetchSessionState()
  assert.deepEqual(said(session.request([wanted(0, 0), wanted(1, 0)])), [
    0,
    0,
    ['id-0@0', 'id-1@0'],
    [],
  ])
  session.answered(7)
  assert.deepEqual(said(session.request([wanted(0, 5), wanted(2, 0)])), [
    7,
    1,
    ['id-0@5', 'id-2@0'],
    ['id-1@0'],
  ])
  session.answered(7)
  assert.deepEqual(said(session.request([wanted(0, 5), wanted(2, 0)])), [7, 2, [], []])
})

test('a topic that was made anew is forgotten by its old id and named by its new one', () => {
  const session = new FetchSessionState()
  session.request([wanted(0, 3)])
  session.answered(7)
  assert.deepEqual(said(session.request([wanted(0, 0, 'new')])), [7, 1, ['new-0@0'], ['id-0@3']])
})

test('after a lost answer all is named again, and the old session is ended by its id', () => {
  const session = new FetchSessionState()
  session.request([wanted(0, 0)])
  session.answered(7)
  session.request([wanted(0, 1)])
  session.lost()
  assert.deepEqual(said(session.request([wanted(0, 1)])), [7, 0, ['id-0@1'], []])
  session.lost({ isUnknown: true })
  assert.deepEqual(said(session.request([wanted(0, 1)])), [0, 0, ['id-0@1'], []])
})

test('a broker that gives no session is asked with full requests', () => {
  const session = new FetchSessionState()
  session.request([wanted(0, 0)])
  session.answered(0)
  assert.deepEqual(said(session.request([wanted(0, 4)])), [0, 0, ['id-0@4'], []])
})
