/**
 * Kafka's console tools: node kafka-tools/main.ts CLASSPATH BOOTSTRAP PREFIX TIME work|again
 *
 * A JVM starts for every step, so the steps are few: all compressions go into one topic, which is
 * read once. The console producer stamps messages with its own clock: there is no use for TIME.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { absent, runtime, shown, version } from '../shown.ts'
import { type ToolMember, Tools, until } from './tools.ts'

const [classPath = '', bootstrap = '', prefix = '', , phase = ''] = process.argv.slice(2)
const tools = new Tools(classPath, bootstrap)
const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
const count = 60 // of each codec
const topic = `${prefix}-kafka-tools-messages`
const group = `${prefix}-kafka-tools-group`
const kept = `${prefix}-kafka-tools-kept`
/** The partitions of key-0 … key-9 among three, as the Java client's murmur2 has them. */
const javaHomes = [1, 0, 2, 2, 0, 2, 2, 1, 1, 0]

/** What the console consumer prints of a message; null is `NULL`. */
interface Line {
  readonly time: number
  readonly partition: number
  readonly offset: number
  readonly headers: string
  readonly key: string
  readonly value: string
}

/** As they are sent: every third without a key, one without a value. */
function messagesOf(codec: string): Pick<Line, 'headers' | 'key' | 'value'>[] {
  return Array.from({ length: count }, (_, i) => ({
    headers: `trace:${codec}-${i},empty:`,
    key: i % 3 === 0 ? 'NULL' : `key-${i % 10}`,
    value: i === 7 ? 'NULL' : `${codec} message ${i} ${'é.'.repeat(i % 20)}`,
  }))
}

async function produce(codec: string): Promise<void> {
  const options = ['parse.key=true', 'parse.headers=true', 'null.marker=NULL']
  await tools.run(
    'kafka-console-producer',
    [
      ...['--topic', topic, '--compression-codec', codec],
      ...options.flatMap(option => ['--reader-property', option]),
    ],
    messagesOf(codec)
      .map(({ headers, key, value }) => `${headers}\t${key}\t${value}\n`)
      .join(''),
  )
}

/** Reads this many messages; fails when they do not come. */
async function consume(messages: number, ...args: string[]): Promise<Line[]> {
  const fields = ['timestamp', 'partition', 'offset', 'headers', 'key', 'value']
  const options = [...fields.map(field => `print.${field}=true`), 'null.literal=NULL']
  const printed = await tools.run('kafka-console-consumer', [
    ...['--topic', topic, '--max-messages', String(messages), '--timeout-ms', '20000'],
    ...options.flatMap(option => ['--formatter-property', option]),
    ...args,
  ])
  const lines = printed.split('\n').filter(line => line.startsWith('CreateTime:'))
  assert.equal(lines.length, messages, `of ${messages} messages came ${lines.length}`)
  return lines.map(line => {
    const [time = '', partition, offset, headers = '', key = '', value = ''] = line.split('\t')
    const number = (text = '') => Number(text.slice(text.indexOf(':') + 1))
    const at = { time: number(time), partition: number(partition), offset: number(offset) }
    return { ...at, headers, key, value }
  })
}

/** The messages of one codec are there, each once, and in order in each partition. */
function holds(lines: readonly Line[], codec: string): void {
  const sent = messagesOf(codec)
  const number = ({ headers }: Pick<Line, 'headers'>) => Number(/-(\d+),/.exec(headers)?.[1])
  const ours = lines.filter(({ headers }) => headers.startsWith(`trace:${codec}-`))
  const read = ours.map(({ headers, key, value }) => ({ headers, key, value }))
  assert.deepEqual(
    read.sort((a, b) => number(a) - number(b)),
    sent,
  )
  for (const partition of [0, 1, 2]) {
    const own = ours.filter(line => line.partition === partition).map(number)
    assert.deepEqual(
      own,
      own.toSorted((a, b) => a - b),
      `order in partition ${partition}`,
    )
  }
}

/** The first offset that was read of each partition. */
function starts(lines: readonly Line[]): Record<number, number> {
  return Object.fromEntries(
    [...lines].reverse().map(({ partition, offset }) => [partition, offset]),
  )
}

/** The rows that kafka-consumer-groups prints, by the words of their head. */
async function rows(...args: string[]): Promise<Record<string, string>[]> {
  const lines = (await tools.run('kafka-consumer-groups', args))
    .split('\n')
    .map(line => line.trim().split(/\s{2,}|\s(?=\S)/))
  const head = lines.findIndex(([first]) => first === 'GROUP' || first === 'TOPIC')
  const names = lines[head] ?? []
  return lines
    .slice(head + 1)
    .filter(cells => cells.length > 1)
    .map(cells => Object.fromEntries(names.map((name, i) => [name, cells[i] ?? ''])))
}

async function committed(name: string): Promise<Record<string, number>> {
  const found = await rows('--describe', '--group', name)
  return Object.fromEntries(
    found
      .filter(row => row['CURRENT-OFFSET'] !== '-')
      .map(row => [row['PARTITION'], Number(row['CURRENT-OFFSET'])]),
  )
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0)
const everyPartition = (offset: number) => ({ 0: offset, 1: offset, 2: offset })
const jar = readdirSync(dirname(classPath)).find(name => /^kafka-tools-\d/.test(name)) ?? ''
version(/\d+(\.\d+)+/.exec(jar)?.[0] ?? '?')
const java = execFileSync('java', ['--version'], { encoding: 'utf8' })
runtime(`Java ${/\d+(\.\d+)*/.exec(java)?.[0]}`)

async function topics(): Promise<void> {
  const create = ['--create', '--topic', topic, '--partitions', '3']
  await tools.run('kafka-topics', create)
  const twice = await tools.tryRun('kafka-topics', create)
  assert.notEqual(twice.code, 0)
  assert.match(twice.stdout + twice.stderr, /already exists/)
  const described = await tools.run('kafka-topics', ['--describe', '--topic', topic])
  assert.match(described, /PartitionCount: 3\s+ReplicationFactor: 1/)
  assert.equal(
    described.match(/Partition: \d\s+Leader: (\d+)\s+Replicas: \1\s+Isr: \1/g)?.length,
    3,
  )
}

/** The offsets of a moment between the compressions, and what is read from there. */
async function timestamp(lines: readonly Line[], moment: number): Promise<void> {
  const printed = await tools.run('kafka-get-offsets', ['--topic', topic, '--time', `${moment}`])
  const expected = starts(lines.filter(({ time }) => time >= moment))
  const found = printed
    .trim()
    .split('\n')
    .map(line => line.split(':').slice(-2).map(Number))
  assert.deepEqual(Object.fromEntries(found), expected)
  const partition = 2
  const rest = lines.filter(line => line.partition === partition && line.time >= moment)
  const from = ['--partition', `${partition}`, '--offset', `${expected[partition]}`]
  assert.deepEqual(await consume(rest.length, ...from), rest)
}

/** All members hold something, and together each partition once. */
function share(...members: ToolMember[]): Promise<void> {
  const all = () => members.map(member => member.holds)
  const held = () => all().flat().sort().join()
  return until(() => all().every(own => own.length > 0) && held() === '0,1,2', all)
}

/** Produces anew and waits until the members have read exactly that between them. */
async function readTogether(first: number, ...members: ToolMember[]): Promise<void> {
  const options = ['--max-messages', '300', '--repeating-keys', '10', '--value-prefix', `${first}`]
  await tools.run('kafka-verifiable-producer', ['--topic', group, ...options])
  const read = () =>
    members.flatMap(member => member.read.filter(({ value }) => value?.startsWith(`${first}.`)))
  await until(
    () => read().length >= 300,
    () => read().length,
  )
  assert.equal(new Set(read().map(({ value }) => value)).size, 300)
  assert.equal(read().length, 300)
}

async function groupOfTwo(): Promise<void> {
  const join = () =>
    tools.member('--topic', group, '--group-id', group, '--group-protocol', 'classic')
  const members: ToolMember[] = []
  await shown('group of two', async () => {
    await tools.run('kafka-topics', ['--create', '--topic', group, '--partitions', '3'])
    members.push(join(), join())
    await share(...members)
    await readTogether(1, ...members)
  })
  await shown('list groups', async () => {
    const listed = await tools.run('kafka-consumer-groups', ['--list'])
    assert.ok(listed.split('\n').includes(group), listed)
  })
  await shown('describe group', async () => {
    const [state] = await rows('--describe', '--group', group, '--state')
    assert.equal(state?.['STATE'], 'Stable')
    assert.equal(state?.['#MEMBERS'], '2')
    const held = await rows('--describe', '--group', group)
    assert.deepEqual(held.map(row => row['PARTITION']).sort(), ['0', '1', '2'])
    for (const row of held) assert.match(row['CLIENT-ID'] ?? '', /^consumer-/)
    assert.equal(new Set(held.map(row => row['CONSUMER-ID'])).size, 2)
  })
  await shown('leave', async () => {
    await members.shift()?.close()
    await share(...members)
    await readTogether(2, ...members)
  })
  await Promise.all(members.map(member => member.close()))
}

async function offsets(): Promise<void> {
  const all = count * codecs.length
  const select = ['--group', kept, '--from-beginning']
  let first: Record<string, number> = {}
  await shown('commit', async () => {
    await consume(120, ...select)
    first = await committed(kept)
    assert.equal(sum(Object.values(first)), 120)
  })
  await shown('lag', async () => {
    const lags = await rows('--describe', '--group', kept)
    assert.equal(sum(lags.map(row => Number(row['LAG']))), all - 120)
  })
  await shown('resume', async () => {
    const rest = starts(await consume(all - 120, ...select))
    for (const [partition, offset] of Object.entries(rest)) {
      assert.equal(offset, first[partition] ?? 0, `where partition ${partition} begins`)
    }
  })
  await shown('reset offsets', async () => {
    const to = ['--topic', topic, '--to-offset', '10', '--execute']
    await tools.run('kafka-consumer-groups', ['--reset-offsets', '--group', kept, ...to])
    assert.deepEqual(await committed(kept), everyPartition(10))
  })
  await shown('delete offsets', async () => {
    const start = ['--group', group, '--topic', group, '--to-earliest', '--execute']
    await tools.run('kafka-consumer-groups', ['--reset-offsets', ...start])
    assert.deepEqual(await committed(group), everyPartition(0))
    const one = ['--group', group, '--topic', `${group}:1`]
    await tools.run('kafka-consumer-groups', ['--delete-offsets', ...one])
    assert.deepEqual(Object.keys(await committed(group)), ['0', '2'])
  })
  await shown('delete group', async () => {
    await tools.run('kafka-consumer-groups', ['--delete', '--group', group])
    const listed = await tools.run('kafka-consumer-groups', ['--list'])
    assert.ok(!listed.split('\n').includes(group), listed)
  })
}

async function configs(): Promise<void> {
  const entity = ['--entity-type', 'topics', '--entity-name', topic]
  const change = ['--alter', '--add-config', 'retention.ms=86400001']
  await tools.run('kafka-configs', [...entity, ...change])
  assert.match(
    await tools.run('kafka-configs', [...entity, '--describe']),
    /retention.ms=86400001 /,
  )
}

if (phase === 'work') {
  await shown('topic', topics)
  await Promise.all(codecs.slice(0, 3).map(produce))
  const moment = Date.now()
  await delay(2) // no message has this very millisecond
  await Promise.all(codecs.slice(3).map(produce))
  const lines = await consume(count * codecs.length, '--from-beginning')
  for (const codec of codecs) await shown(`produce ${codec}`, () => holds(lines, codec))
  await shown('headers', () => {
    assert.equal(lines.filter(({ value }) => value === 'NULL').length, codecs.length)
    assert.equal(lines[0]?.headers.endsWith(',empty:'), true)
  })
  await shown('partitioner', () => {
    for (const { key, partition } of lines.filter(line => line.key !== 'NULL')) {
      assert.equal(partition, javaHomes[Number(key.slice(4))], key)
    }
  })
  await shown('timestamp', () => timestamp(lines, moment))
  await groupOfTwo()
  await offsets()
  absent('remove members', 'kafka-consumer-groups has no such command')
  await shown('kafka-configs changes and describes a topic', configs)
  await shown('kafka-broker-api-versions', async () => {
    const printed = await tools.run('kafka-broker-api-versions', [])
    assert.match(printed, /Produce\(0\): /)
  })
}

if (phase === 'again') {
  await shown('messages kept', async () => {
    const lines = await consume(count * codecs.length, '--from-beginning')
    for (const codec of codecs) holds(lines, codec)
  })
  await shown('offsets kept', async () => {
    assert.deepEqual(await committed(kept), everyPartition(10))
  })
  await shown('group resumes', async () => {
    const lines = await consume(count * codecs.length - 30, '--group', kept)
    assert.deepEqual(starts(lines), everyPartition(10))
    assert.equal(sum(Object.values(await committed(kept))), count * codecs.length)
  })
}
