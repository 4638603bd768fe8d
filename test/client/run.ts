/**
 * The conformance suite of our client:
 *
 *     node test/client/run.ts [--bootstrap HOST:PORT]... [--kafka] [--case TEXT]... [--section NAME]... [--json FILE]
 *
 * Runs against each broker that is named; without one against Ottla, in memory in this process; with
 * `--kafka` also against Apache Kafka (see live-kafka.ts). A case asserts what has to be and answers
 * what it saw, which has to be the same for all brokers. At the end stands a table of cases by
 * brokers; exit code 1 when a case failed or brokers differ.
 */
import { writeFileSync } from 'node:fs'
import { isDeepStrictEqual, parseArgs } from 'node:util'
import { startBroker } from '../../src/testing.ts'
import { LiveKafka } from '../live-kafka.ts'
import { adminCases } from './admin-cases.ts'
import { clientCases } from './client-cases.ts'
import { consumerCases } from './consumer-cases.ts'
import { groupCases } from './group-cases.ts'
import { producerCases } from './producer-cases.ts'
import { roundtripCases } from './roundtrip-cases.ts'
import { type Case, judge, type Outcome } from './suite.ts'

const { values: options } = parseArgs({
  options: {
    bootstrap: { type: 'string', multiple: true, default: [] },
    kafka: { type: 'boolean', default: false },
    case: { type: 'string', multiple: true, default: [''] },
    section: { type: 'string', multiple: true },
    json: { type: 'string' },
  },
})
const all: Readonly<Record<string, readonly Case[]>> = {
  client: clientCases,
  producer: producerCases,
  consumer: consumerCases,
  group: groupCases,
  roundtrip: roundtripCases,
  admin: adminCases,
}

interface Target {
  readonly name: string
  readonly bootstrap: string
  stop(): Promise<void>
}

/** A case, and where it belongs. */
interface Chosen {
  readonly section: string
  readonly each: Case
}

const chosen: readonly Chosen[] = Object.entries(all)
  .filter(([section]) => options.section?.includes(section) ?? true)
  .flatMap(([section, cases]) => cases.map(each => ({ section, each })))
  .filter(({ each }) => options.case.some(text => each.name.includes(text)))

/** What nobody caught, or warned of a leak, while cases ran: it fails the run. */
const strays: string[] = []
let current = 'before the first case'
process.on('unhandledRejection', reason =>
  strays.push(`${current}: unhandled rejection: ${reason}`),
)
process.removeAllListeners('warning').on('warning', ({ name, message }) => {
  if (name === 'MaxListenersExceededWarning') strays.push(`${current}: ${message}`)
})

async function ottla(): Promise<Target> {
  const broker = await startBroker({
    properties: { 'group.initial.rebalance.delay.ms': '0', 'offsets.topic.num.partitions': '4' },
  })
  return { name: 'Ottla', bootstrap: broker.bootstrap, stop: () => broker.close() }
}

async function kafka(): Promise<Target> {
  const broker = await LiveKafka.start()
  return { name: 'Apache Kafka', bootstrap: broker.bootstrap, stop: () => broker.remove() }
}

async function against({ name: broker, bootstrap }: Target): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  console.log(`against ${broker}, ${bootstrap}`)
  for (const [index, { section, each }] of chosen.entries()) {
    if (section !== chosen[index - 1]?.section) console.log(` ${section}`)
    current = each.name
    const outcome = await judge(each, bootstrap, `conf-${Date.now()}-${index}`)
    outcomes.push(outcome)
    const { name, ms, failure } = outcome
    const told = failure === undefined ? '' : `\n         ${failure}`
    const place = `${index + 1}/${chosen.length}`.padStart(7)
    console.log(`${place} ${failure === undefined ? 'ok    ' : 'FAILED'} ${name} (${ms} ms)${told}`)
  }
  return outcomes
}

/** How an outcome differs from what the first broker gave, in words; undefined where it does not. */
function difference(first: Outcome, other: Outcome): string | undefined {
  if (isDeepStrictEqual(first.saw, other.saw) && first.failure === other.failure) return undefined
  const told = ({ saw, failure }: Outcome) => failure ?? JSON.stringify(saw)
  return `${first.name}\n    ${told(first)}\n    ${told(other)}`
}

function table(results: ReadonlyMap<string, readonly Outcome[]>): string[] {
  const cell = ({ failure, ms }: Outcome) => (failure === undefined ? `ok, ${ms} ms` : 'FAILED')
  const rows = chosen.map(({ section, each }, index) => {
    const cells = [...results.values()].map(outcomes => cell(outcomes[index]!))
    return `| ${[section, each.name, ...cells].join(' | ')} |`
  })
  const columns = ['', 'case', ...results.keys()]
  return [`| ${columns.join(' | ')} |`, `|${columns.map(() => '---|').join('')}`, ...rows]
}

const starts: (() => Promise<Target>)[] = options.bootstrap.map(bootstrap => async () => ({
  name: bootstrap,
  bootstrap,
  async stop() {},
}))
if (starts.length === 0) starts.push(ottla)
if (options.kafka) starts.push(kafka)

const results = new Map<string, Outcome[]>()
for (const start of starts) {
  const target = await start()
  try {
    results.set(target.name, await against(target))
  } finally {
    await target.stop()
  }
}
if (options.json !== undefined) {
  writeFileSync(options.json, JSON.stringify(Object.fromEntries(results), null, 2))
}
for (const line of table(results)) console.log(line)

const [[firstName = '', first = []] = [], ...others] = results
const differences = others.flatMap(([name, outcomes]) =>
  outcomes.flatMap((outcome, index) => {
    const told = difference(first[index]!, outcome)
    return told === undefined ? [] : `DIFFERENT ${firstName}, ${name}: ${told}`
  }),
)
for (const told of [...differences, ...strays.map(each => `FAILED ${each}`)]) console.log(told)
let failures = 0
for (const [broker, outcomes] of results) {
  const failed = outcomes.filter(({ failure }) => failure !== undefined).length
  failures += failed
  console.log(`${broker}: ${outcomes.length - failed} passed, ${failed} failed`)
}
if (others.length > 0) console.log(`${differences.length} differences`)
process.exitCode = failures + differences.length + strays.length === 0 ? 0 : 1
