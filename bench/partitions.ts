/**
 * Many partitions on one broker: node bench/partitions.ts [--counts 1,1000,10000] [--kafka]
 *
 * For each count, in a process of its own on an empty directory: how long one topic of so many
 * partitions takes to create; what each takes of memory while it is idle (heap after a collection,
 * with what is held outside of it), how many files are open and timers run, and the CPU of an idle
 * broker; how long a record takes to each partition, all in one request and by our Producer; how
 * long a start takes after a clean stop and after `kill -9`, until the broker serves. With --kafka
 * the same as far as it can be asked of Apache Kafka; its start ends when a record was produced.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Admin, orThrow, Producer } from '../src/index.ts'
import { nodeIo } from '../src/io/node.ts'
import { produceRequest, produceResponse } from '../src/protocol/messages/produce.ts'
import { buildBatch } from '../src/protocol/records/build.ts'
import { LiveKafka } from '../test/live-kafka.ts'
import { MeasuredBroker, type Usage } from '../test/measured-broker.ts'
import { WireClient } from '../test/wire-client.ts'

const { values } = parseArgs({
  options: {
    counts: { type: 'string', default: '1,1000,10000' },
    kafka: { type: 'boolean', default: false },
    'idle-seconds': { type: 'string', default: '20' },
  },
})
const idleMs = 1000 * Number(values['idle-seconds'])
const timeoutMs = 600_000
/** Requests wait so long. */
const requestMs = 120_000
/** What an idle partition had in memory is given back by then. */
const restMs = 25_000
const topic = 'many'
/** Apache Kafka refuses to create 10,000 with one request. */
const atOnce = 5000
/** Apache Kafka answers a creation before its leaders lead. */
const notLeader = 6
/** Of a hundred partitions, created before anything is measured: what it takes is code, mostly. */
const warmUp = 'first'

type Column = Map<string, string>

const ms = (from: number) => `${Math.round(performance.now() - from).toLocaleString('en')} ms`

async function create(bootstrap: string, topic: string, partitions: number): Promise<string> {
  await using admin = new Admin({ bootstrap })
  await admin.describeCluster()
  const startedAt = performance.now()
  const first = Math.min(partitions, atOnce)
  orThrow(await admin.createTopics([{ topic, partitions: first }], { timeoutMs }))
  for (let total = first; total < partitions; ) {
    total = Math.min(partitions, total + atOnce)
    orThrow(await admin.createPartitions([{ topic, count: total }], { timeoutMs }))
  }
  return ms(startedAt)
}

/** One record to each partition, in one request; what has no leader yet is sent again. */
async function produceAtOnce(bootstrap: string, partitions: number): Promise<string> {
  const port = Number(bootstrap.split(':')[1])
  const client = await WireClient.connect(nodeIo(), port)
  const startedAt = performance.now()
  const value = { timestamp: Date.now(), value: 'one' }
  let left = Array.from({ length: partitions }, (_, index) => index)
  while (left.length > 0) {
    const partitionData = left.map(index => ({ index, records: buildBatch({}, [value]) }))
    const request = { acks: -1, timeoutMs: requestMs, topicData: [{ name: topic, partitionData }] }
    const { responses } = await client.ask(produceRequest, produceResponse, 9, request)
    const refused = responses[0]!.partitionResponses.filter(({ errorCode }) => errorCode !== 0)
    const other = refused.find(({ errorCode }) => errorCode !== notLeader)
    if (other !== undefined) throw new Error(`${refused.length} refused: ${other.errorCode}`)
    left = refused.map(({ index }) => index)
  }
  client.close()
  return ms(startedAt)
}

async function produceByProducer(bootstrap: string, partitions: number): Promise<string> {
  await using producer = new Producer({ bootstrap, deliveryTimeoutMs: requestMs })
  const startedAt = performance.now()
  const all = Array.from({ length: partitions }, (_, partition) => partition)
  await producer.send(all.map(partition => ({ topic, partition, value: 'another' })))
  return ms(startedAt)
}

async function measureOttla(partitions: number): Promise<Column> {
  const column: Column = new Map()
  const broker = new MeasuredBroker()
  try {
    await broker.start()
    await create(broker.bootstrap, warmUp, 100)
    const before = await broker.usage()
    column.set('create', await create(broker.bootstrap, topic, partitions))
    describeIdle(column, partitions, before, await broker.usage(), '')
    column.set('idle: CPU', await idleCpu(broker))
    await broker.stop()
    column.set('start after a clean stop', round(await broker.start()))
    column.set('a record to each, one request', await produceAtOnce(broker.bootstrap, partitions))
    column.set('a record to each, Producer', await produceByProducer(broker.bootstrap, partitions))
    await delay(restMs)
    describeIdle(column, partitions, before, await broker.usage(), ', with records')
    await broker.kill()
    column.set('start after kill -9', round(await broker.start()))
    describeIdle(column, partitions, before, await broker.usage(), ', after that')
    await broker.stop()
  } finally {
    broker.remove()
  }
  return column
}

function round(durationMs: number): string {
  return `${Math.round(durationMs).toLocaleString('en')} ms`
}

function describeIdle(
  column: Column,
  partitions: number,
  before: Usage,
  after: Usage,
  when: string,
): void {
  const heapBytes = Math.round((after.heapBytes - before.heapBytes) / partitions)
  const rssBytes = Math.round((after.rssBytes - before.rssBytes) / partitions)
  const each = (bytes: number) => (partitions < 100 ? '' : `${bytes.toLocaleString('en')} B`)
  column.set(`idle${when}: heap each`, each(heapBytes))
  column.set(`idle${when}: resident each`, each(rssBytes))
  column.set(`idle${when}: resident`, `${(after.rssBytes / 2 ** 20).toFixed(0)} MiB`)
  column.set(`idle${when}: open files`, String(after.openFiles))
  column.set(`idle${when}: timers`, String(after.timers))
}

async function idleCpu(broker: MeasuredBroker): Promise<string> {
  const { cpuMs } = await broker.usage()
  await delay(1000) // The collections of the first look are over.
  const from = await broker.usage()
  await delay(idleMs)
  const to = await broker.usage()
  const measuringMs = from.cpuMs - cpuMs
  return `${((Math.max(0, to.cpuMs - from.cpuMs - measuringMs) / idleMs) * 100).toFixed(1)} %`
}

async function measureKafka(partitions: number): Promise<Column> {
  const column: Column = new Map()
  const kafka = await LiveKafka.start()
  try {
    column.set('create', await create(kafka.bootstrap, topic, partitions))
    column.set('a record to each, one request', await produceAtOnce(kafka.bootstrap, partitions))
    column.set('a record to each, Producer', await produceByProducer(kafka.bootstrap, partitions))
    await kafka.kill()
    const startedAt = performance.now()
    await kafka.restart()
    await produceByProducer(kafka.bootstrap, partitions)
    column.set('start after kill -9', ms(startedAt))
  } finally {
    await kafka.remove()
  }
  return column
}

const columns = new Map<string, Column>()

function add(name: string, column: Column): void {
  columns.set(name, column)
  console.error(name, Object.fromEntries(column))
}

for (const count of values.counts.split(',').map(Number)) {
  add(`Ottla, ${count.toLocaleString('en')}`, await measureOttla(count))
  if (values.kafka) add(`Kafka, ${count.toLocaleString('en')}`, await measureKafka(count))
}
const names = [...columns.keys()]
console.log(`| | ${names.join(' | ')} |`)
console.log(`|---|${names.map(() => '--:|').join('')}`)
for (const row of columns.values().next().value!.keys()) {
  console.log(`| ${row} | ${names.map(name => columns.get(name)!.get(row) ?? '–').join(' | ')} |`)
}
