import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Io } from '../io/io.ts'
import { fetchRequest } from '../protocol/messages/fetch.ts'
import { joinGroupRequest } from '../protocol/messages/join-group.ts'
import { metadataRequest } from '../protocol/messages/metadata.ts'
import type { Message } from '../protocol/schema.ts'
import type { RequestContext } from './context.ts'
import { SlowRequests } from './slow-requests.ts'

/** A clock that the test moves, and what was reported: `[API, milliseconds, unreported]`. */
function measured(thresholdMs = 1000) {
  const lines: unknown[][] = []
  let nowMs = 0
  const warn = (fields: Readonly<Record<string, unknown>>) =>
    void lines.push([fields.api, fields.ms, fields.unreported])
  const io = { clock: { monotonicMs: () => nowMs }, report: { warn } } as unknown as Io
  const slow = new SlowRequests(io, () => thresholdMs)
  const took = (message: Message, ms: number, request = {}) => {
    const header = { apiVersion: 1, clientId: 'app' }
    const connection = { remoteAddress: '127.0.0.1' }
    slow.answered(
      message,
      { receivedMs: nowMs - ms, header, connection } as RequestContext,
      request,
    )
  }
  return { lines, took, pass: (ms: number) => (nowMs += ms) }
}

test('a request beyond the threshold is reported, with who sent it', () => {
  const { lines, took } = measured()
  took(metadataRequest, 999)
  took(metadataRequest, 1500)
  assert.deepEqual(lines, [['MetadataRequest', 1500, undefined]])
})

test('what a fetch or a member of a group waits by itself is not slow', () => {
  const { lines, took } = measured()
  took(fetchRequest, 5900, { maxWaitMs: 5000 })
  took(joinGroupRequest, 300_000)
  assert.deepEqual(lines, [])
  took(fetchRequest, 6100, { maxWaitMs: 5000 })
  assert.deepEqual(lines, [['FetchRequest', 6100, undefined]])
})

test('a few lines a second are enough; the next one counts what was left out', () => {
  const { lines, took, pass } = measured()
  for (let index = 0; index < 10; index++) took(metadataRequest, 2000)
  assert.equal(lines.length, 3)
  pass(1000)
  took(metadataRequest, 2000)
  assert.deepEqual(lines.at(-1), ['MetadataRequest', 2000, 7])
})

test('an infinite threshold reports nothing', () => {
  const { lines, took } = measured(Number.POSITIVE_INFINITY)
  took(metadataRequest, 1e9)
  assert.deepEqual(lines, [])
})
