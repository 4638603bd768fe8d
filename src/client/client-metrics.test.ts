import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Counting } from './client-metrics.ts'

const quiet = { debug() {}, info() {}, warn() {}, error() {} }
const address = { host: 'a', port: 1 }

test('latencies are sorted into buckets, those of requests that are held apart', () => {
  const counting = new Counting('ottla', quiet)
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
  const counting = new Counting('ottla', quiet)
  for (let port = 1; port <= 1_200; port++) counting.watch({ host: 'a', port }, '').opened(1)
  const ports = counting.read().map(each => each.port)
  assert.deepEqual([ports.length, ports[0], ports.at(-1)], [1_000, 201, 1_200])
})
