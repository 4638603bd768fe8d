import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseDuration, parsePlace, parseTime } from './when.ts'

const nowMs = 1_800_000_000_000

test('a place is a word, an offset, a distance from the end, a time or an age', () => {
  const places: [text: string, place: unknown][] = [
    ['earliest', { at: 'earliest' }],
    ['beginning', { at: 'earliest' }],
    ['latest', { at: 'latest' }],
    ['end', { at: 'latest' }],
    ['0', { offset: 0 }],
    ['-3', { last: 3 }],
    ['@1700000000000', { timestamp: 1_700_000_000_000 }],
    ['2023-11-14T22:13:20Z', { timestamp: 1_700_000_000_000 }],
    ['2023-11-14T22:13:20+01:00', { timestamp: 1_699_996_400_000 }],
    ['15m', { timestamp: nowMs - 900_000 }],
    ['2h ago', { timestamp: nowMs - 7_200_000 }],
  ]
  for (const [text, place] of places) {
    assert.deepEqual(parsePlace('--from', text, nowMs), place, text)
  }
})

test('what is no place is refused with what could be written', () => {
  for (const text of ['', 'yesterday', '5 minutes', '1.5', '--1', '2026-99-99', 'noon 5', '2026']) {
    if (text === '2026') assert.deepEqual(parsePlace('--to', text, nowMs), { offset: 2026 })
    else assert.throws(() => parsePlace('--to', text, nowMs), { message: /^--to .*write earliest/ })
  }
})

test('a duration is written short, in several units, or as in Java', () => {
  const durations: [text: string, ms: number | undefined][] = [
    ['90s', 90_000],
    ['1h30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['7d', 604_800_000],
    ['1w', 604_800_000],
    ['250ms', 250],
    ['PT1H30M', 5_400_000],
    ['P1DT2H', 93_600_000],
    ['', undefined],
    ['5', undefined],
    ['P', undefined],
    ['m', undefined],
    ['5x', undefined],
  ]
  for (const [text, ms] of durations) assert.equal(parseDuration(text), ms, text)
})

test('a day is a time, also without its hour', () => {
  assert.equal(parseTime('2023-11-14'), Date.parse('2023-11-14'))
  assert.equal(parseTime('2023-11-14 22:13'), Date.parse('2023-11-14 22:13'))
  assert.equal(parseTime('soon'), undefined)
})
