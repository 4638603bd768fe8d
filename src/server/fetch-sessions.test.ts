import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KafkaError } from '../protocol/errors.ts'
import {
  type FetchContext,
  type FetchPartition,
  FetchSessions,
  type SessionRequest,
} from './fetch-sessions.ts'

const nobody = 'AAAAAAAAAAAAAAAAAAAAAA'

function cache(slots = 10, maxPartitions = 1000): FetchSessions {
  let next = 0
  return new FetchSessions(
    { u32: () => (next += 2), bytes: n => new Uint8Array(n) },
    slots,
    maxPartitions,
  )
}

function partition(index: number, fetchOffset = 0): FetchPartition {
  return {
    topicId: nobody,
    topic: 't',
    index,
    fetchOffset,
    maxBytes: 100,
    currentLeaderEpoch: -1,
    lastFetchedEpoch: -1,
    followerLogStart: -1,
    highWatermark: -1,
    logStartOffset: -1,
  }
}

function request(
  sessionId: number,
  sessionEpoch: number,
  partitions: FetchPartition[],
  more: Partial<SessionRequest> = {},
): SessionRequest {
  const usual = { usesTopicIds: false, isFollower: false, forgotten: [] }
  return { sessionId, sessionEpoch, partitions, ...usual, ...more }
}

const quiet = { errorCode: 0, hasAdvice: false, bytes: 0, highWatermark: 5, logStartOffset: 0 }

function indexes({ partitions }: FetchContext): number[] {
  return partitions.map(({ index }) => index)
}

function refusal(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    return (error as KafkaError).error
  }
  return 'none'
}

test('a session remembers its partitions; the client names what changed', () => {
  const sessions = cache()
  const { sessionId } = sessions.open(request(0, 0, [partition(0), partition(1), partition(2)]), 0)
  assert.notEqual(sessionId, 0)
  const forgotten = [{ topicId: nobody, topic: 't', index: 0 }]
  const second = sessions.open(
    request(sessionId, 1, [partition(1, 7), partition(3)], { forgotten }),
    1,
  )
  assert.deepEqual(indexes(second), [1, 2, 3])
  assert.deepEqual(
    second.partitions.map(({ fetchOffset }) => fetchOffset),
    [7, 0, 0],
  )
})

test('only partitions with news are told in a session', () => {
  const sessions = cache()
  const first = sessions.open(request(0, 0, [partition(0)]), 0)
  assert.equal(first.tell(first.partitions[0]!, quiet), true)
  const told = (epoch: number, news: typeof quiet) => {
    const next = sessions.open(request(first.sessionId, epoch, []), epoch)
    return next.tell(next.partitions[0]!, news)
  }
  assert.equal(told(1, quiet), false)
  assert.equal(told(2, { ...quiet, highWatermark: 6 }), true)
  assert.equal(told(3, { ...quiet, highWatermark: 6, logStartOffset: 1 }), true)
  assert.equal(told(4, { ...quiet, highWatermark: 6, logStartOffset: 1, bytes: 3 }), true)
  assert.equal(told(5, { ...quiet, highWatermark: 6, logStartOffset: 1, errorCode: 6 }), true)
  assert.equal(told(6, { ...quiet, highWatermark: 6, logStartOffset: 1 }), true)
  assert.equal(told(7, { ...quiet, highWatermark: 6, logStartOffset: 1 }), false)
})

test('where the logs part is told each time', () => {
  const sessions = cache()
  const { sessionId } = sessions.open(request(0, 0, [partition(0)]), 0)
  for (const epoch of [1, 2]) {
    const context = sessions.open(request(sessionId, epoch, []), 0)
    assert.equal(context.tell(context.partitions[0]!, { ...quiet, hasAdvice: true }), true)
  }
  const after = sessions.open(request(sessionId, 3, []), 0)
  assert.equal(after.tell(after.partitions[0]!, quiet), false)
})

test('a partition that gave records is served last the next time', () => {
  const sessions = cache()
  const first = sessions.open(request(0, 0, [partition(0), partition(1)]), 0)
  first.tell(first.partitions[0]!, { ...quiet, bytes: 10 })
  assert.deepEqual(indexes(sessions.open(request(first.sessionId, 1, []), 1)), [1, 0])
})

test('an unknown session, a wrong epoch, and names after ids are refused', () => {
  const sessions = cache()
  const { sessionId } = sessions.open(request(0, 0, [partition(0)]), 0)
  const ids = { usesTopicIds: true }
  assert.equal(
    refusal(() => sessions.open(request(77, 1, []), 0)),
    'FETCH_SESSION_ID_NOT_FOUND',
  )
  assert.equal(
    refusal(() => sessions.open(request(sessionId, 2, []), 0)),
    'INVALID_FETCH_SESSION_EPOCH',
  )
  assert.equal(
    refusal(() => sessions.open(request(sessionId, 1, [], ids), 0)),
    'FETCH_SESSION_TOPIC_ID_ERROR',
  )
})

test('the final epoch ends a session, the first one replaces it', () => {
  const sessions = cache()
  const first = sessions.open(request(0, 0, [partition(0)]), 0)
  const second = sessions.open(request(first.sessionId, 0, [partition(1)]), 0)
  assert.equal(sessions.size, 1)
  assert.equal(sessions.open(request(second.sessionId, -1, [partition(1)]), 0).sessionId, 0)
  assert.equal(sessions.size, 0)
})

test('a session without partitions ends', () => {
  const sessions = cache()
  const { sessionId } = sessions.open(request(0, 0, [partition(0)]), 0)
  const forgotten = [{ topicId: nobody, topic: 't', index: 0 }]
  assert.equal(sessions.open(request(sessionId, 1, [], { forgotten }), 0).sessionId, 0)
  assert.equal(sessions.size, 0)
})

test('a full cache gives no session until one was silent for two minutes', () => {
  const sessions = cache(1)
  const { sessionId } = sessions.open(request(0, 0, [partition(0)]), 0)
  assert.equal(sessions.open(request(0, 0, [partition(0)]), 60_000).sessionId, 0)
  sessions.open(request(sessionId, 1, []), 100_000)
  assert.equal(sessions.open(request(0, 0, [partition(0)]), 150_000).sessionId, 0)
  assert.notEqual(sessions.open(request(0, 0, [partition(0)]), 220_001).sessionId, 0)
  assert.equal(sessions.size, 1)
})

test('a larger session takes the place of a smaller one that had its two minutes', () => {
  const sessions = cache(1)
  const { sessionId } = sessions.open(request(0, 0, [partition(0)]), 0)
  sessions.open(request(sessionId, 1, []), 119_000)
  const larger = request(0, 0, [partition(0), partition(1)])
  assert.equal(sessions.open(larger, 119_500).sessionId, 0)
  assert.notEqual(sessions.open(larger, 121_000).sessionId, 0)
})

test('a follower takes the place of the smallest consumer at once, a consumer never that of a follower', () => {
  const sessions = cache(2)
  const open = (size: number, isFollower: boolean, nowMs: number) => {
    const partitions = Array.from({ length: size }, (_, index) => partition(index))
    return sessions.open(request(0, 0, partitions, { isFollower }), nowMs).sessionId
  }
  const large = open(3, false, 0)
  const small = open(2, false, 0)
  const follower = open(1, true, 1)
  assert.notEqual(follower, 0)
  const goesOn = (sessionId: number, epoch: number) =>
    refusal(() => sessions.open(request(sessionId, epoch, []), 100_000)) === 'none'
  assert.deepEqual([goesOn(large, 1), goesOn(small, 1)], [true, false])

  const other = open(1, true, 2)
  assert.deepEqual([goesOn(large, 2), goesOn(follower, 1), goesOn(other, 1)], [false, true, true])
  assert.equal(open(9, false, 130_000), 0, 'only followers are left, though smaller and old')
  assert.equal(goesOn(follower, 2), true)
})

test('partitions of all sessions are bounded', () => {
  const sessions = cache(10, 3)
  const { sessionId } = sessions.open(request(0, 0, [partition(0), partition(1)]), 0)
  assert.equal(sessions.open(request(0, 0, [partition(0), partition(1)]), 0).sessionId, 0)
  const more = request(sessionId, 1, [partition(2), partition(3)])
  assert.equal(
    refusal(() => sessions.open(more, 0)),
    'FETCH_SESSION_ID_NOT_FOUND',
  )
  assert.equal(sessions.size, 0)
})
