import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LogRecord } from '../protocol/records/records.ts'
import { recordFormat, verboseText } from './format.ts'

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

test('a format says where each part of a record goes', () => {
  const text = recordFormat('%t[%p]@%o %T %d %k=%s {%h} 100%%\\t|\\n')('orders', 2, record)
  assert.equal(
    Buffer.from(text).toString(),
    'orders[2]@7 1700000000000 2023-11-14T22:13:20.000Z k=größe {a=1,b=NULL} 100%\t|\n',
  )
})

test('a value is printed byte by byte, also when it is no text', () => {
  const value = Uint8Array.of(0xff, 0x00, 0xfe)
  assert.deepEqual([...recordFormat('%s')('t', 0, { ...record, value })], [...value])
  assert.equal(recordFormat('%k%s')('t', 0, { ...record, key: null, value: null }).length, 0)
})

test('an unknown letter of a format is refused', () => {
  assert.throws(() => recordFormat('%s %x'), { name: 'Failure', message: /%x means nothing/ })
  assert.throws(() => recordFormat('100%'), { name: 'Failure' })
})

test('lengths are as in kcat, and a backslash is taken literally where it means nothing', () => {
  const text = recordFormat('%S %K|%R|\\x41\\q\\\\n')('t', 0, { ...record, key: null })
  assert.equal(Buffer.from(text).toString('latin1'), '7 -1|\0\0\0\x07|A\\q\\n')
})

test('verbose is one line: place, time, key, headers, value', () => {
  const key = Buffer.from('two\nlines')
  const text = Buffer.from(verboseText('orders', 2, { ...record, key })).toString()
  assert.equal(text, 'orders-2@7  2023-11-14T22:13:20.000Z  key=two lines  a=1 b=NULL  größe\n')
  const tombstone = verboseText('orders', 2, { ...record, key: null, headers: [], value: null })
  assert.match(Buffer.from(tombstone).toString(), /Z {2}no key {2}null\n$/)
})
