/**
 * One conformance suite of our client: node test/client/run.ts [--bootstrap HOST:PORT] [--kafka] [--case TEXT]... [--json FILE]
 *
 * Runs against Ottla, in memory in this process; against the broker that is named; or, with
 * `--kafka`, against Ottla and then Apache Kafka, which ../shared/bench starts (BENCH names another
 * place), and tells where they differ. A case asserts what has to be and answers what it saw, which
 * has to be the same for all brokers. Exit code 1 when a case failed or they differ.
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual, parseArgs } from 'node:util'
import { startBroker } from '../../src/testing.ts'
import { freePort } from '../live-broker.ts'
import { consumerCases } from './consumer-cases.ts'
import { groupCases } from './group-cases.ts'
import { type Case, judge, type Outcome } from './suite.ts'

const { values: options } = parseArgs({
  options: {
    bootstrap: { type: 'string' },
    kafka: { type: 'boolean', default: false },
    case: { type: 'string', multiple: true, default: [''] },
    json: { type: 'string' },
  },
})
const bench = process.env['BENCH'] ?? join(import.meta.dirname, '../../../shared/bench')
const sections: readonly (readonly [string, readonly Case[]])[] = [
  ['Consumer', consumerCases],
  ['Consumer in a group', groupCases],
]

/** What nobody caught while cases ran: it fails the run. */
const strays: string[] = []
process.on('unhandledRejection', reason => strays.push(`unhandled rejection: ${reason}`))

async function against(broker: string, bootstrap: string): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (const [section, cases] of sections) {
    const chosen = cases.filter(({ name }) => options.case.some(each => name.includes(each)))
    if (chosen.length > 0) console.log(`${section}, against ${broker}`)
    for (const [index, each] of chosen.entries()) {
      const prefix = `conf-${Date.now()}-${index}`
      const outcome = await judge(each, bootstrap, prefix)
      outcomes.push(outcome)
      const { name, ms, failure } = outcome
      const told = failure === undefined ? '' : `\n         ${failure}`
      console.log(`  ${failure === undefined ? 'ok    ' : 'FAILED'} ${name} (${ms} ms)${told}`)
    }
  }
  return outcomes
}

async function againstOttla(): Promise<Outcome[]> {
  await using broker = await startBroker({
    properties: { 'group.initial.rebalance.delay.ms': '0', 'offsets.topic.num.partitions': '4' },
  })
  return await against('Ottla', broker.bootstrap)
}

async function againstKafka(): Promise<Outcome[]> {
  const port = await freePort()
  execFileSync(join(bench, 'kafka-start'), ['1', String(port)])
  try {
    return await against('Apache Kafka', `127.0.0.1:${port}`)
  } finally {
    execFileSync(join(bench, 'kafka-stop'), [String(port), '--purge'])
  }
}

function differences(ottla: readonly Outcome[], kafka: readonly Outcome[]): string[] {
  return ottla.flatMap((mine, index) => {
    const theirs = kafka[index]!
    if (isDeepStrictEqual(mine.saw, theirs.saw) && mine.failure === theirs.failure) return []
    const told = ({ saw, failure }: Outcome) => failure ?? JSON.stringify(saw)
    return `${mine.name}\n  Ottla: ${told(mine)}\n  Kafka: ${told(theirs)}`
  })
}

const results: Record<string, Outcome[]> = {}
if (options.bootstrap !== undefined) {
  results[options.bootstrap] = await against(options.bootstrap, options.bootstrap)
} else {
  results['Ottla'] = await againstOttla()
  if (options.kafka) results['Kafka'] = await againstKafka()
}
if (options.json !== undefined) writeFileSync(options.json, JSON.stringify(results, null, 2))

const { Ottla: ottla, Kafka: kafka } = results
const differing = ottla === undefined || kafka === undefined ? [] : differences(ottla, kafka)
for (const difference of differing) console.log(`DIFFERENT ${difference}`)
for (const stray of strays) console.log(`FAILED ${stray}`)
for (const [broker, outcomes] of Object.entries(results)) {
  const failed = outcomes.filter(({ failure }) => failure !== undefined).length
  console.log(`${broker}: ${outcomes.length - failed} passed, ${failed} failed`)
}
if (kafka !== undefined) console.log(`${differing.length} differences`)
const isGood = Object.values(results).every(each =>
  each.every(({ failure }) => failure === undefined),
)
process.exitCode = isGood && differing.length === 0 && strays.length === 0 ? 0 : 1
