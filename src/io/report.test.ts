import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lineReport, type ReportFormat } from './report.ts'

function reported(format: ReportFormat) {
  const lines: string[] = []
  const report = lineReport({ format, write: line => lines.push(line), wallMs: () => 1.7e12 })
  return { report, lines }
}

test('a text line has time, level, message and fields', () => {
  const { report, lines } = reported('text')
  report.info({ port: 9092, host: 'localhost', epoch: 7n, absent: undefined }, 'listening')
  report.warn({ reason: 'two words', list: ['a', 1n], empty: '' }, 'careful')
  assert.deepEqual(lines, [
    '2023-11-14T22:13:20.000Z INFO  listening port=9092 host=localhost epoch=7\n',
    '2023-11-14T22:13:20.000Z WARN  careful reason="two words" list="[\\"a\\",\\"1\\"]" empty=""\n',
  ])
})

test('names from outside cannot begin a line or steer a terminal', () => {
  const { report, lines } = reported('text')
  report.error({ topic: 'a\nb\u001b[31m' }, 'bad topic x\r\nfake line\u001b[2J')
  assert.equal(lines[0]?.split('\n').length, 2)
  assert.ok(!lines[0]?.includes('\u001b'))
})

test('a JSON line is one object; its time, level and message are ours', () => {
  const { report, lines } = reported('json')
  report.error({ epoch: 7n, level: 'fake', nested: { id: 1n } }, 'two\nlines')
  assert.equal(lines[0]?.indexOf('\n'), lines[0]!.length - 1)
  assert.deepEqual(JSON.parse(lines[0]!), {
    epoch: '7',
    nested: { id: '1' },
    time: '2023-11-14T22:13:20.000Z',
    level: 'error',
    message: 'two\nlines',
  })
})

test('an error is reported with its stack and its causes', () => {
  for (const format of ['text', 'json'] as const) {
    const { report, lines } = reported(format)
    report.error({ error: new Error('outer', { cause: new TypeError('inner') }) }, 'failed')
    assert.match(lines[0]!, /outer.*caused by.*TypeError: inner/)
    assert.match(lines[0]!, /report\.test\.ts/)
  }
})

test('lines below the level are left out, and the level can be coloured', () => {
  const lines: string[] = []
  const report = lineReport({
    level: 'warn',
    style: (level, text) => `<${level}>${text}</>`,
    write: line => lines.push(line),
    wallMs: () => 1.7e12,
  })
  report.info({}, 'quiet')
  report.warn({}, 'loud')
  report.error({}, 'louder')
  assert.deepEqual(lines, [
    '2023-11-14T22:13:20.000Z <warn>WARN </> loud\n',
    '2023-11-14T22:13:20.000Z <error>ERROR</> louder\n',
  ])
})
