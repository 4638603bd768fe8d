import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from '../io/io.ts'
import { nodeIo } from '../io/node.ts'
import { Counting } from './client-metrics.ts'

const quiet = { debug() {}, info() {}, warn() {}, error() {} }
const address = { host: 'a', port: 1 }

/** Milliseconds that a test sets. */
const time = { nowMs: 0 }
const clock: Clock = {
  ...nodeIo().clock,
  monotonicMs: () => time.nowMs,
}

test('latencies are sorted into buckets, those of requests that are held apart', () => {
  const counting = new Counting('ottla', quiet, clock)
  const watch = counting.watch(address, 'group-1')
  const answered = (request: string, tookMs: number) =>
    watch.answered({ request, version: 1, requestBytes: 10 }, 20, tookMs)
  watch.opened(3)
  answered('HeartbeatRequest', 0.5)
  answered('HeartbeatRequest', 0.6)
  answered('MetadataRequest', 60_000)
  answered('FetchRequest', 500)
  answered('JoinGroupRequest', 20_000)
  const lost = { request: 'FetchRequest', version: 1, requestBytes: 10 }
  watch.answered(lost, 0, 7, new Error('lost'))
  watch.closed(new Error('lost'))
  const [counts] = counting.read()
  const { latency, heldLatency, ...rest } = counts!
  assert.deepEqual(rest, {
    ...address,
    connections: 0,
    connects: 1,
    failedConnects: 0,
    requests: 5,
    failedRequests: 1,
    requestBytes: 60,
    responseBytes: 100,
  })
  const filled = ({ buckets }: typeof latency) =>
    buckets.filter(({ count }) => count > 0).map(({ atMostMs, count }) => [atMostMs, count])
  assert.deepEqual(filled(latency), [
    [0.5, 1],
    [1, 1],
    [Infinity, 1],
  ])
  assert.deepEqual([latency.count, latency.maxMs], [3, 60_000])
  assert.deepEqual(filled(heldLatency), [
    [500, 1],
    [Infinity, 1],
  ])
  assert.equal(heldLatency.sumMs, 20_500)
})

test('brokers that move on and on take a bounded memory', () => {
  const counting = new Counting('ottla', quiet, clock)
  for (let port = 1; port <= 1_200; port++) counting.watch({ host: 'a', port }, '').opened(1)
  const ports = counting.read().map(each => each.port)
  assert.deepEqual([ports.length, ports[0], ports.at(-1)], [1_000, 201, 1_200])
})

test('when no broker is reached for seconds people are told once, and when one is again', () => {
  const lines: string[] = []
  const note = (_: object, message: string) => void lines.push(message)
  const counting = new Counting('ottla', { ...quiet, info: note, warn: note }, clock)
  const watch = counting.watch(address, '')
  const refused = new Error('no broker at a:1')
  time.nowMs = 10_000
  watch.opened(1, refused)
  assert.equal(counting.outage, refused)
  time.nowMs = 12_999
  watch.opened(1, refused)
  assert.deepEqual(lines, [])
  for (time.nowMs of [13_000, 20_000]) watch.opened(1, refused)
  assert.deepEqual(lines, ['no broker at a:1: no broker is reached; calls wait and try again'])
  watch.opened(1)
  watch.opened(1, refused) // One broker of several.
  assert.deepEqual([lines.slice(1), counting.outage], [['a broker is reached again'], undefined])
})
