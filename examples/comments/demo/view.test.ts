import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Latencies } from './figures.ts'
import { sparkline, type View, viewLines } from './view.ts'

function view(kind: View['kind']): View {
  const latencies = new Latencies()
  for (let at = 0; at < 500; at++) latencies.add([1, 99_999])
  const service = {
    state: 'killed',
    backlog: 100_000,
    handled: 100_000,
    duplicates: 100_000,
  } as const
  return {
    kind,
    latencies,
    elapsedMs: 599_000,
    total: 100_000,
    submitted: 100_000,
    errors: 100_000,
    stored: 100_000,
    pushed: 100_000,
    services: ['notification', 'moderation', 'statistics', 'search'].map(name => ({
      name,
      ...service,
    })),
    news: Array.from({ length: 9 }, (_, at) => `0:0${at}  something happened`),
  }
}

test('every line fits into 80 columns, and their number never changes', () => {
  const views = [view('events'), view('direct'), { ...view('events'), news: [] }]
  for (const lines of views.map(viewLines)) {
    assert.equal(lines.length, viewLines(view('events')).length)
    for (const line of lines) {
      const text = line.map(([piece]) => piece).join('')
      assert.ok(text.length <= 80, `${text.length} columns: ${text}`)
    }
  }
})

test('percentiles are of all latencies, and the sparkline rises with them', () => {
  const latencies = new Latencies()
  latencies.add(Array.from({ length: 100 }, (_, at) => at + 1))
  latencies.add([1000])
  assert.deepEqual([latencies.at(0.5), latencies.at(0.99), latencies.at(1)], [51, 100, 1000])
  assert.equal(sparkline([1, 4, 5, 1_000_000], 10), '▁▁▂█')
  assert.equal(sparkline([1, 9, 1, 1], 2), '▂▁')
})
