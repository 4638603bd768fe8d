import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  offsetsCsv,
  type PartitionFacts,
  parseOffsets,
  parseTopic,
  planReset,
  type Target,
  targetOf,
} from './reset-plan.ts'

const nowMs = 1_700_000_000_000
const fact: PartitionFacts = { topic: 'orders', partition: 0, committed: 30, begin: 10, end: 50 }

function after(target: Target, changes: Partial<PartitionFacts> = {}): [number, string] {
  const [planned] = planReset(target, [{ ...fact, ...changes }], () => 44)
  return [planned!.after, planned!.note]
}

test('each target finds its offset', () => {
  assert.deepEqual(after({ to: 'earliest' }), [10, ''])
  assert.deepEqual(after({ to: 'latest' }), [50, ''])
  assert.deepEqual(after({ to: 'current' }), [30, ''])
  assert.deepEqual(after({ to: 'offset', offset: 33 }), [33, ''])
  assert.deepEqual(after({ to: 'shift', by: -5 }), [25, ''])
  assert.deepEqual(after({ to: 'time', timestampMs: 1 }, { atTime: 20 }), [20, ''])
  assert.deepEqual(after({ to: 'file', file: 'x' }), [44, ''])
})

test('an offset outside the log becomes the nearest inside, and the note says so', () => {
  assert.deepEqual(after({ to: 'offset', offset: 3 }), [10, '3 is before the start of the log'])
  assert.deepEqual(after({ to: 'offset', offset: 51 }), [50, '51 is behind the end of the log'])
  assert.deepEqual(after({ to: 'shift', by: -90 }), [10, '-60 is before the start of the log'])
  assert.deepEqual(after({ to: 'current' }, { committed: 2 }), [
    10,
    '2 is before the start of the log',
  ])
})

test('what is not known has a place too, or is refused', () => {
  const [late, note] = after({ to: 'time', timestampMs: 1 }, { atTime: -1 })
  assert.deepEqual([late, note], [50, 'all records are older: the end'])
  assert.deepEqual(after({ to: 'time', timestampMs: 1 }, { atTime: -1, end: 10 }), [10, ''])
  assert.equal(after({ to: 'current' }, { committed: undefined })[0], 50)
  assert.throws(() => after({ to: 'shift', by: 1 }, { committed: undefined }), {
    message: /orders:0 has no committed offset to shift/,
  })
  assert.throws(() => planReset({ to: 'file', file: 'x' }, [fact]), { message: /names no offset/ })
})

test('the options name exactly one target', () => {
  assert.deepEqual(targetOf({ toEarliest: true }, nowMs), { to: 'earliest' })
  assert.deepEqual(targetOf({ byDuration: '90m' }, nowMs), {
    to: 'time',
    timestampMs: nowMs - 5_400_000,
  })
  assert.deepEqual(targetOf({ byDuration: 'PT1H' }, nowMs), {
    to: 'time',
    timestampMs: nowMs - 3_600_000,
  })
  assert.deepEqual(targetOf({ toDatetime: '2023-11-14T22:13:20Z' }, nowMs), {
    to: 'time',
    timestampMs: nowMs,
  })
  assert.deepEqual(targetOf({ shiftBy: 0 }, nowMs), { to: 'shift', by: 0 })
  assert.throws(() => targetOf({}, nowMs), { message: /^say where to: --to-earliest, / })
  assert.throws(() => targetOf({ toLatest: true, toOffset: 1 }, nowMs), { message: /^choose one/ })
  assert.throws(() => targetOf({ byDuration: '1 year' }, nowMs), { message: /write it as 90m/ })
  assert.throws(() => targetOf({ toDatetime: 'noon' }, nowMs), { message: /--to-datetime noon/ })
})

test('a topic is named with or without partitions', () => {
  assert.deepEqual(parseTopic('orders'), { topic: 'orders', partitions: undefined })
  assert.deepEqual(parseTopic('orders:2,0,2'), { topic: 'orders', partitions: [2, 0] })
  for (const wrong of ['', ':1', 'orders:', 'orders:a', 'orders:1,', 'a:1:2']) {
    assert.throws(() => parseTopic(wrong), { name: 'Failure' }, wrong)
  }
})

test('offsets are read from CSV of this tool and of Kafka, and from JSON lines', () => {
  const offset = { topic: 'orders', partition: 1, offset: 42 }
  const texts: [text: string, group: string | undefined][] = [
    ['orders,1,42\n', undefined],
    ['"billing","orders",1,42\r\n', 'billing'],
    ['TOPIC,PARTITION,OFFSET\norders, 1, 42', undefined],
    ['{"topic":"orders","partition":1,"offset":42,"lag":3}', undefined],
    ['\n{"group":"billing","topic":"orders","partition":1,"offset":42}\n\n', 'billing'],
  ]
  for (const [text, group] of texts) {
    assert.deepEqual(parseOffsets(text), [
      group ? { group, ...offset } : { group: undefined, ...offset },
    ])
  }
  const plan = planReset({ to: 'latest' }, [fact])
  assert.deepEqual(
    parseOffsets(offsetsCsv(plan)).map(each => each.offset),
    [50],
  )
})

test('a line that names no offset is refused with its number', () => {
  const wrong = [
    'orders,1',
    'orders,1,-2',
    'a,b,c,1,2',
    '{"topic":"t"}',
    '{',
    ',0,0',
    'orders,1,1e3',
  ]
  for (const line of wrong) {
    assert.throws(() => parseOffsets(`orders,0,0\n${line}`), { message: /^line 2: / }, line)
  }
})
