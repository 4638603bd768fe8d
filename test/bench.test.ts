import assert from 'node:assert/strict'
import { test } from 'node:test'
import { goalOf, goals, verdict } from '../bench/goals.ts'
import { lines, pickLines } from '../bench/versus/lines.ts'
import { plot } from '../bench/versus/plot.ts'
import { Progress } from '../bench/versus/progress.ts'
import { compared, fromCompare, inOrder, keptRate, row } from '../bench/versus/row.ts'
import { planSteps } from '../bench/versus/steps.ts'
import { markdown, summary, table } from '../bench/versus/table.ts'

const line = {
  group: 'produce',
  name: 'produce-1k',
  title: '1 KB, acks=all',
  client: 'Java',
} as const
const idle = { group: 'memory', name: 'memory-idle', title: 'idle', client: '' } as const
const rows = [
  row(
    line,
    'records',
    compared('records/s', [
      [120, 100],
      [90, 100],
      [130, 100],
    ]),
  ),
  row(
    line,
    'broker_cpu',
    compared(
      's/GB',
      [
        [12, 10],
        [11, 10],
        [13, 10],
      ],
      1,
    ),
  ),
  row(idle, 'resident', compared('MiB', [[75, 380]])),
]

test('a ratio is the median of the ratios of pairs, not the ratio of the medians', () => {
  const { a, b, ratio, min, max } = compared('ms', [
    [1, 10],
    [2, 2],
    [30, 5],
  ])
  assert.deepEqual([a, b, ratio, min, max], [2, 5, 1, 0.1, 6])
})

test('a goal is met on its bound, and missed by its share of it', () => {
  const rate = goalOf('produce', 'produce-1k', 'records')!
  assert.equal(verdict(rate, 1, 5), 'yes')
  assert.equal(verdict(rate, 0.88, 5), 'no, by 12 %')
  const cpu = goalOf('produce', 'produce-1k', 'broker_cpu')!
  assert.equal(verdict(cpu, 0.5, 5), 'yes')
  assert.equal(verdict(cpu, 0.6, 5), 'no, by 20 %')
  assert.equal(verdict(cpu, 1.8, 5), 'no, 3.6 times as much')
  const size = goalOf('package', 'package', 'size')!
  assert.equal(verdict(size, 9, 20), 'yes')
  assert.equal(verdict(size, 0.1, 22), 'no, by 10 %')
  assert.equal(verdict(cpu, Number.NaN, 5), 'not measured')
})

test('every goal stands at a line that is measured', () => {
  const derived = ['memory', 'package', 'limit', 'cluster']
  for (const { group, lines: names = [] } of goals) {
    const known = lines.filter(each => each.group === group).map(({ name }) => name)
    if (derived.includes(group)) continue
    assert.notEqual(known.length, 0, group)
    for (const name of names.filter(each => !/\*|-beside-/.test(each))) {
      assert.ok(known.includes(name), name)
    }
  }
  assert.equal(goalOf('partitions', 'partitions-10000', 'records'), undefined)
  assert.equal(goalOf('latency', 'e2e-1k', 'p99')?.atMost, 0.5)
  assert.equal(goalOf('latency', 'paced-1k', 'p99')?.atMost, 0.2)
})

test('what is lost of a rate with many is compared pair by pair, and a gain is no loss', () => {
  const few = [
    [100, 200],
    [100, 100],
  ] as const
  const lost = keptRate(few, [
    [50, 50],
    [80, 40],
  ])
  assert.deepEqual([lost.a, lost.b, lost.min, lost.max], [0.65, 0.325, 2, 2])
  const { ratio, a, b } = keptRate([[100, 100]], [[200, 900]])
  assert.deepEqual([ratio, a, b], [1, 2, 9])
})

test('a figure of compare is found by workload and figure', () => {
  const found = { name: 'produce-1k.broker_cpu', unit: 's/GB', a: 6, b: 3, ratio: 2, min: 1 }
  const out = `\n${JSON.stringify({ ...found, name: 'produce-1k.records' })}\n${JSON.stringify(found)}\n`
  assert.deepEqual(fromCompare(out, 'produce-1k', 'broker_cpu'), found)
  assert.equal(fromCompare(out, 'produce-1k-lz4', 'broker_cpu'), undefined)
})

test('the table says met, missed and disturbed', () => {
  const text = table(rows)
  assert.match(
    text,
    /1 KB, acks=all \(Java\) +rate +records\/s +120 +100 +1\.20 +0\.90–1\.30 +≥ 1\.0 +yes/,
  )
  assert.match(
    text,
    /broker CPU +s\/GB +12\.0 +10\.0 +1\.20 +1\.10–1\.30 \* +≤ 0\.5 +no, 2\.4 times as much/,
  )
  assert.match(summary(rows), /^2 of 3 goals met\. A \*/)
  const cells = markdown(rows)
    .split('\n')
    .map(each => each.split(' | ').length)
  assert.equal(new Set([cells[0], ...cells.slice(2)]).size, 1)
})

test('rows stand by group, in the order of the table', () => {
  const names = inOrder([rows[2]!, rows[0]!, rows[1]!]).map(({ figure }) => figure)
  assert.deepEqual(names, ['records', 'broker_cpu', 'resident'])
})

test('the picture has a bar for each ratio and nothing that is not a number', () => {
  const nothing = row(idle, 'resident', compared('MiB', [[75, Number.NaN]]))
  const svg = plot([...rows, nothing], 'Node <24>')
  assert.equal(svg.match(/<rect /g)?.length, 3)
  assert.equal(svg.match(/class="goal"/g)?.length, 3)
  assert.match(svg, /Node &lt;24&gt;/)
  assert.doesNotMatch(svg, /NaN|Infinity|undefined/)
})

test('the rest is estimated from what the steps behind have taken', () => {
  let nowMs = 0
  const said: string[] = []
  const steps = [
    { name: 'first', seconds: 600 },
    { name: 'second', seconds: 600 },
  ]
  const write = (text: string) => void said.push(text)
  const progress = new Progress(steps, { nowMs: () => nowMs, write, isTerminal: false })
  progress.next()
  assert.equal(progress.restSeconds, 1200)
  nowMs = 1_260_000
  progress.next()
  assert.equal(progress.share, 0.5)
  assert.equal(progress.restSeconds, 1200) // Twice as slow as it was thought to be.
  progress.at(0.5, 'pair 1/2')
  assert.match(said.at(-1)!, /^ *75 % \[2\/2\] second, pair 1\/2 · about \d+ min to go\n$/)
})

test('lines are picked by name, by group and by the beginning of a name', () => {
  const pick = (only?: string, hasLibrdkafka = true) =>
    pickLines(only, { isQuick: false, requested: [], hasLibrdkafka }).map(({ name }) => name)
  assert.deepEqual(pick('connections-1,paced-*'), ['paced-1k', 'paced-80', 'connections-1'])
  assert.deepEqual(pick('tail'), ['tail-1-group', 'tail-10-groups'])
  assert.deepEqual(pick('tail', false), [])
  assert.ok(!pick().includes('recovery'))
  assert.throws(() => pick('nonsense'), /no line nonsense/)
})

test('lines of one client and the same properties share a run', () => {
  const amount = { pairs: 1, scale: 1, maxOther: 20 }
  const steps = planSteps(lines, amount, 10)
  const names = steps.map(({ name }) => name)
  assert.equal(names.filter(name => name === "Java's client").length, 1)
  assert.equal(new Set(names).size, names.length)
  assert.ok(steps.every(({ seconds }) => seconds > 0))
})
