/**
 * Kafka's files and ours are the same: node test/kafka-files/run.ts
 *
 * A broker of Apache Kafka writes topics of every kind; Ottla adopts its directory and serves the
 * same records, offsets and committed offsets to the Java client. `ottla log dump` and Kafka's own
 * kafka-dump-log agree on every file of both. Then Kafka starts again on the directory that Ottla has
 * written on, and serves all of it. Prints a table; exit code 1 when something differs.
 */
import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { LiveBroker } from '../live-broker.ts'
import { batchesOf, recordsIn } from './dumps.ts'
import { java, Kafka } from './kafka.ts'

const run = promisify(execFile)
const bin = join(import.meta.dirname, '../../src/bin.js')
/** Kafka's cleaner may take so long to come by. */
const cleanerMs = 2500

const folder = mkdtempSync(join(tmpdir(), 'ottla-kafka-files-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
const rows: { step: string; seconds: string; result: string }[] = []
let failed = 0

/** Runs a step; what it answers is what was compared. */
async function step(name: string, work: () => Promise<string>): Promise<void> {
  const startedMs = performance.now()
  let result: string
  try {
    result = await work()
  } catch (error) {
    failed++
    result = 'FAILED'
    console.log(`${name}: ${(error as Error).stack}`)
  }
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
  rows.push({ step: name, seconds, result })
  console.log(`  ${seconds.padStart(5)} s  ${name}: ${result}`)
}

async function ottla(...args: readonly string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [bin, ...args], { maxBuffer: 2 ** 30 })
  return stdout
}

/** All records, positions and committed offsets, as lines in one order. */
async function read(bootstrap: string): Promise<string[]> {
  const printed = await java('FilesClient', 'read', bootstrap)
  return printed.trim().split('\n').sort()
}

function expectSame(a: readonly string[], b: readonly string[]): string {
  const missing = a.find((line, at) => line !== b[at])
  if (missing !== undefined || a.length !== b.length) {
    const at = a.findIndex((line, index) => line !== b[index])
    throw new Error(`${a.length} and ${b.length} lines, at ${at}: ${a[at]} | ${b[at]}`)
  }
  return `${a.length} lines are equal`
}

/** Paths of files of all partitions with that ending. */
function files(data: string, ending: string): string[] {
  return readdirSync(data)
    .filter(name => /-\d+$/.test(name) && !name.startsWith('__cluster_metadata'))
    .flatMap(name => readdirSync(join(data, name)).map(file => join(data, name, file)))
    .filter(path => path.endsWith(ending) && statSync(path).size > 0)
}

/** What both dumps say of every batch and record. */
async function dumpsAgree(data: string): Promise<string> {
  const logs = files(data, '.log')
  const kafkas = await java(
    'org.apache.kafka.tools.DumpLogSegments',
    ...['--deep-iteration', '--print-data-log', '--files', logs.join(',')],
  )
  const ours: string[] = []
  for (const path of logs) {
    ours.push(...recordsIn(path, await ottla('log', 'dump', path, '--records', '--json')))
  }
  const same = expectSame(batchesOf(kafkas), ours)
  return `${logs.length} segments: ${same}`
}

/** Indexes, time indexes and snapshots, as kafka-dump-log checks them. */
async function kafkaApproves(data: string): Promise<string> {
  const indexes = [...files(data, '.index'), ...files(data, '.timeindex')]
  const snapshots = files(data, '.snapshot')
  const dump = (...args: readonly string[]) =>
    java('org.apache.kafka.tools.DumpLogSegments', ...args)
  const [sane, verified, dumped] = await Promise.all([
    dump('--index-sanity-check', '--files', indexes.join(',')),
    dump('--verify-index-only', '--files', indexes.join(',')),
    dump('--files', [...indexes, ...snapshots].join(',')),
  ])
  const approved = sane.match(/passed sanity check/g)?.length
  const complaint = /mismatch|should|error|exception|invalid/i.exec(verified + dumped)
  if (approved !== indexes.length || complaint !== null) {
    throw new Error(`${approved} of ${indexes.length} passed\n${sane}${verified}${dumped}`)
  }
  return `${indexes.length} indexes, ${snapshots.length} snapshots without complaint`
}

/** Entries of the transaction indexes, as kafka-dump-log prints them and `ottla log dump` says too. */
async function transactionIndexes(data: string): Promise<string[]> {
  const lines: string[] = []
  for (const path of files(data, '.txnindex')) {
    const dumped = await java('org.apache.kafka.tools.DumpLogSegments', '--files', path)
    const entries = dumped.split('\n').filter(line => line.startsWith('version: '))
    const fields = (line: string) => line.match(/\d+/g)!.slice(1).map(Number)
    const ours = (await ottla('log', 'dump', path, '--json')).trim().split('\n')
    expectSame(
      entries.map(line => fields(line).join()),
      ours.map(line => {
        const { producerId, firstOffset, lastOffset, lastStableOffset } = JSON.parse(line)
        return [producerId, firstOffset, lastOffset, lastStableOffset].join()
      }),
    )
    lines.push(...entries.map(line => `${basename(path)} ${line}`))
  }
  if (lines.length === 0) throw new Error('nothing was aborted')
  return lines
}

/** `ottla log verify` finds nothing wrong. */
async function verified(data: string): Promise<string> {
  const printed = await ottla('log', 'verify', data, '--deep', '--json')
  const lines = printed.trim().split('\n')
  const folders = lines.filter(line => JSON.parse(line).segments !== undefined)
  return `${folders.length} partitions are sound`
}

async function onOttla<T>(data: string, use: (broker: LiveBroker) => Promise<T>): Promise<T> {
  const broker = await LiveBroker.start({ settings: { 'log.dirs': data } })
  try {
    const result = await use(broker)
    await broker.stop()
    return result
  } finally {
    await broker.remove()
  }
}

const kafka = await Kafka.start(join(folder, 'kafka'))
const moved = join(folder, 'moved')
let written: string[] = []
let appended: string[] = []

await step('Kafka writes', async () => {
  await java('FilesClient', 'write', kafka.bootstrap)
  await delay(cleanerMs)
  written = await read(kafka.bootstrap)
  await kafka.stop()
  cpSync(kafka.data, moved, { recursive: true })
  return `${written.length} lines`
})
await step("Kafka's files, ottla log verify", () => verified(moved))
await step("Kafka's files, both dumps", () => dumpsAgree(moved))
await step('Ottla adopts', async () => {
  await ottla('log', 'adopt', moved)
  return await onOttla(moved, async ({ bootstrap }) => {
    const same = expectSame(written, await read(bootstrap))
    await java('FilesClient', 'append', bootstrap)
    appended = await read(bootstrap)
    return `${same}; ${appended.length - written.length} more are written`
  })
})
await step('what Ottla went on with, verify', () => verified(moved))
await step('what Ottla went on with, kafka-dump-log', () => kafkaApproves(moved))
await step('Kafka goes on with it', async () => {
  const again = await Kafka.start(join(folder, 'again'), moved)
  const same = expectSame(appended, await read(again.bootstrap))
  await again.stop()
  return same
})
await step('transaction indexes made again, kafka-dump-log', async () => {
  const kafkas = await transactionIndexes(kafka.data)
  const damaged = join(folder, 'damaged')
  cpSync(kafka.data, damaged, { recursive: true })
  for (const path of files(damaged, '.txnindex')) rmSync(path)
  // It finds them missing, and says so with its exit code.
  await ottla('log', 'verify', damaged, '--repair').catch(() => {})
  const ours = await transactionIndexes(damaged)
  return expectSame(kafkas, ours)
})
const own = join(folder, 'own')
await step('Ottla writes', () =>
  onOttla(own, async ({ bootstrap }) => {
    await java('FilesClient', 'write', bootstrap, 'without-transactions')
    return `${(await read(bootstrap)).length} lines`
  }),
)
await step("Ottla's files, both dumps", () => dumpsAgree(own))
await step("Ottla's files, kafka-dump-log", () => kafkaApproves(own))

console.table(rows)
console.log(`kafka-files: ${rows.length - failed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
