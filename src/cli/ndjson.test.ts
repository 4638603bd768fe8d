import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LogRecord } from '../protocol/records/records.ts'
import { parseRecordJson, recordJson } from './ndjson.ts'

const record: LogRecord = {
  offset: 7,
  timestamp: 1_700_000_000_000,
  key: Buffer.from('k'),
  value: Buffer.from('größe'),
  headers: [
    { key: 'a', value: Buffer.from('1') },
    { key: 'b', value: null },
  ],
}

test('what consume prints as JSON, produce reads back to the byte', () => {
  const odd: LogRecord = {
    ...record,
    key: Uint8Array.of(0xff, 0xfe),
    value: null,
    headers: [{ key: 'h', value: Uint8Array.of(0xc3) }],
  }
  for (const each of [record, odd]) {
    const line = JSON.stringify(recordJson('orders', 2, each))
    const read = parseRecordJson(line, 'line 1')
    const bytes = (value: unknown) => (value === null ? null : [...(value as Uint8Array)])
    assert.equal(read.partition, 2)
    assert.equal(read.timestamp, each.timestamp)
    assert.deepEqual(bytes(read.key), bytes(each.key))
    assert.deepEqual(bytes(read.value), bytes(each.value))
    assert.deepEqual(
      read.headers!.map(header => [header.key, bytes(header.value)]),
      each.headers.map(header => [header.key, bytes(header.value)]),
    )
  }
})

test('JSON that is no record is refused with its line', () => {
  const refused = (line: string, message: RegExp) =>
    assert.throws(() => parseRecordJson(line, 'line 3'), { name: 'Failure', message })
  refused('{', /line 3 is not JSON/)
  refused('[]', /line 3/)
  refused('7', /line 3/)
  refused('{"headers":[{"value":"x"}]}', /line 3: headers/)
  refused('{"timestamp":1.5}', /line 3: timestamp/)
  refused('{"partition":-2}', /line 3: partition/)
})

test('a JSON value that is no text is taken as its JSON', () => {
  const { value } = parseRecordJson('{"value":{"a":1}}', 'line 1')
  assert.equal(Buffer.from(value as Uint8Array).toString(), '{"a":1}')
})
