import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LogRecord } from '../protocol/records/records.ts'
import { recordFilter } from './filter.ts'

const record: LogRecord = {
  offset: 7,
  timestamp: 1_700_000_000_000,
  key: Buffer.from('anna'),
  value: Buffer.from('{"total":42,"tags":["new"]}'),
  headers: [{ key: 'source', value: Buffer.from('shop') }],
}

test('an expression sees key, value, JSON, headers and where the record is', () => {
  const cases: [expression: string, matches: boolean][] = [
    ["key === 'anna'", true],
    ["value.includes('new')", true],
    ['json.total > 42', false],
    ['json?.tags[0]', true],
    ["headers.source === 'shop'", true],
    ["topic === 'orders' && partition === 2 && offset === 7", true],
    ['timestamp < 0', false],
    ['true // a comment', true],
    ['true,\nfalse', false],
  ]
  for (const [expression, matches] of cases) {
    assert.equal(recordFilter(expression)('orders', 2, record), matches, expression)
  }
})

test('a value that is no JSON is undefined, and the fault of one record is thrown', () => {
  const text = { ...record, value: Buffer.from('plain') }
  assert.equal(recordFilter('json === undefined')('t', 0, text), true)
  assert.throws(() => recordFilter('json.total > 1')('t', 0, text), TypeError)
  assert.equal(recordFilter('value === null')('t', 0, { ...record, value: null }), true)
})

test('what is no expression is refused with its place', () => {
  assert.throws(() => recordFilter('json.total >) 4'), {
    name: 'Failure',
    message:
      /^--filter: Unexpected token '\)' at line 1, column 13\n {2}json.total >\) 4\n {14}\^$/,
  })
  assert.throws(() => recordFilter('json.total >'), { message: /ends too early: json.total >$/ })
  assert.throws(() => recordFilter('true &&\n  const'), { message: /line 2, column 3\n/ })
  for (const none of ['', 'if (key) 1', 'key;', 'return key']) {
    assert.throws(() => recordFilter(none), { name: 'Failure', message: /^--filter: / }, none)
  }
})

test('a misspelt name is refused before there is a record', () => {
  assert.throws(() => recordFilter('vlaue === 1'), {
    name: 'Failure',
    message: /vlaue is not defined; there are key, value, json/,
  })
})
