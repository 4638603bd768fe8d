/**
 * kcat (librdkafka): node kcat/main.ts BOOTSTRAP PREFIX TIME work|again
 *
 * kcat cannot administrate: topics of three partitions are created, and committed offsets looked
 * up, by Ottla's own client. It cannot set timestamps either, so it has no use for TIME.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { withCluster } from '../../../src/cli/bootstrap.ts'
import { fetchOffsets } from '../../../src/client/groups.ts'
import { createTopics } from '../../../src/client/topics.ts'
import { absent, shown, version } from '../shown.ts'
import { KcatMember, type KcatMessage, until } from './member.ts'

const [bootstrap = '', prefix = '', , phase = ''] = process.argv.slice(2)
const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

/** A line of input: keyed when there is a tab in it, as `-K` splits it. */
interface Line {
  key: string | null
  payload: string
}

/** Runs kcat and answers what it prints. Throws with its messages when its exit code is not 0. */
function kcat(options: string[], input = ''): string {
  return execFileSync('kcat', ['-b', bootstrap, '-m', '20', ...options], {
    input,
    encoding: 'utf8',
    timeout: 20_000,
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
}

function produce(topic: string, lines: Line[], ...options: string[]): void {
  const keyed = lines.filter(line => line.key !== null)
  const unkeyed = lines.filter(line => line.key === null)
  const text = (part: Line[]) =>
    part.map(({ key, payload }) => (key === null ? payload : `${key}\t${payload}`)).join('\n')
  if (keyed.length > 0) kcat(['-P', '-t', topic, '-p', '0', '-K', '\t', ...options], text(keyed))
  if (unkeyed.length > 0) kcat(['-P', '-t', topic, '-p', '0', ...options], text(unkeyed))
}

/** At the end kcat waits for its last long poll; half a second each time is half the test. */
const promptly = ['-X', 'fetch.wait.max.ms=50']

/** Reads partition 0 from where `-o` says to its end. */
function consume(topic: string, from: string): KcatMessage[] {
  return kcat(['-C', '-t', topic, '-p', '0', '-o', from, '-e', '-q', '-J', ...promptly])
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line))
}

/** The same lines for the same topic in every run: first the keyed ones, then the unkeyed. */
function linesOf(topic: string): Line[] {
  const keyed = Array.from({ length: 300 }, (_, i) => ({
    key: `key-${i % 7}`,
    payload: `${topic} keyed message ${i} ${'.'.repeat(i % 50)}`,
  }))
  const unkeyed = Array.from({ length: 300 }, (_, i) => ({
    key: null,
    payload: `${topic} unkeyed message ${i} ${'é'.repeat(i % 20)}`,
  }))
  return [...keyed, ...unkeyed]
}

function holds(messages: KcatMessage[], topic: string, lines: Line[], firstOffset = 0): void {
  assert.deepEqual(
    messages.map(({ topic, offset, key, payload }) => ({ topic, offset, key, payload })),
    lines.map(({ key, payload }, i) => ({ topic, offset: firstOffset + i, key, payload })),
  )
}

/** Three partitions: kcat -P creates topics with as many as the broker's default says. */
async function create(topic: string): Promise<void> {
  await withCluster({ bootstrap }, async cluster => {
    const [made] = await createTopics(cluster, [{ name: topic, partitions: 3 }])
    if (made?.error !== undefined) throw made.error
    const topics = () => cluster.metadata([topic])
    // Apache Kafka answers before the partitions have leaders.
    while ((await topics()).topics[0]?.partitions.some(({ leaderId }) => leaderId < 0) !== false);
  })
}

/** Message i goes to partition i % 3. */
function produceInTurn(topic: string, text: string): string[] {
  const lines = Array.from({ length: 300 }, (_, i) => `${text} ${i}`)
  for (const p of [0, 1, 2]) {
    const own = lines.filter((_, i) => i % 3 === p)
    kcat(['-P', '-t', topic, '-p', String(p)], own.join('\n'))
  }
  return lines
}

async function committed(group: string): Promise<Record<number, number>> {
  const offsets = await withCluster({ bootstrap }, cluster => fetchOffsets(cluster, group))
  return Object.fromEntries(offsets.map(({ partition, offset }) => [partition, offset]))
}

const join = (topic: string, ...options: string[]) => new KcatMember(bootstrap, topic, ...options)

/** All members hold something, and together each partition once. */
function share(...members: KcatMember[]): Promise<void> {
  const all = () => members.map(({ holds }) => holds)
  return until(
    () => all().every(holds => holds.length > 0) && all().flat().sort().join() === '0,1,2',
    all,
  )
}

/** Produces anew and waits until the members have read exactly that between them. */
async function readTogether(topic: string, text: string, ...members: KcatMember[]): Promise<void> {
  const lines = produceInTurn(topic, text)
  const read = () =>
    members.flatMap(member => member.read.filter(({ payload }) => payload.startsWith(text)))
  await until(
    () => read().length >= lines.length,
    () => read().length,
  )
  assert.deepEqual(
    read()
      .map(({ payload }) => payload)
      .sort(),
    lines.sort(),
  )
}

/** The offset of the first message of each partition. */
function starts(messages: readonly KcatMessage[]): Record<number, number> {
  return Object.fromEntries(
    [...messages].reverse().map(({ partition, offset }) => [partition, offset]),
  )
}

/** The partitions of key-0 … key-9 among three, as the Java client's murmur2 has them. */
const javaHomes = [1, 0, 2, 2, 0, 2, 2, 1, 1, 0]
const everyPartition = (offset: number) => ({ 0: offset, 1: offset, 2: offset })

function topicOf(name: string): string {
  return `${prefix}-kcat-${name}`
}

version(
  /Version (\S+) .*librdkafka (\S+)/
    .exec(kcat(['-V']))
    ?.slice(1)
    .join(', librdkafka ') ?? '?',
)

if (phase === 'work') {
  for (const codec of codecs) {
    await shown(`produce ${codec}`, () => {
      const topic = topicOf(codec)
      const lines = linesOf(topic)
      produce(topic, lines, '-z', codec)
      holds(consume(topic, 'beginning'), topic, lines)
    })
  }
  for (const acks of ['0', '1', 'all']) {
    await shown(`acks=${acks}`, () => {
      const topic = topicOf(`acks-${acks}`)
      const lines = linesOf(topic)
      // The first produce creates the topic; without an answer it may be lost on the way there.
      produce(topic, lines.slice(0, 1))
      produce(topic, lines.slice(1), '-X', `acks=${acks}`)
      holds(consume(topic, 'beginning'), topic, lines)
    })
  }
  await shown('idempotent', () => {
    const topic = topicOf('idempotent')
    const lines = linesOf(topic)
    produce(topic, lines, '-X', 'enable.idempotence=true', '-z', 'lz4')
    holds(consume(topic, 'beginning'), topic, lines)
  })
  await shown('headers', () => {
    const topic = topicOf('odd')
    const big = 'x'.repeat(900_000)
    kcat(['-P', '-t', topic, '-p', '0', '-H', 'trace=abc', '-H', 'empty='], 'with headers')
    kcat(['-P', '-t', topic, '-p', '0', '-Z', '-K', '\t'], 'deleted\t')
    kcat(['-P', '-t', topic, '-p', '0', '-D', '\n'], big)
    const [first, second, third] = consume(topic, 'beginning')
    assert.deepEqual(first?.headers, ['trace', 'abc', 'empty', ''])
    assert.equal(second?.key, 'deleted')
    assert.equal(second?.payload, null)
    assert.equal(third?.payload, big)
  })
  await shown('timestamp', () => {
    const topic = topicOf('from')
    const lines = linesOf(topic)
    produce(topic, lines.slice(0, 300))
    produce(topic, lines.slice(300))
    const all = consume(topic, 'beginning')
    holds(consume(topic, '123'), topic, lines.slice(123), 123)
    holds(consume(topic, '-10'), topic, lines.slice(-10), lines.length - 10)
    const time = all[300]?.ts ?? 0
    const at = all.findIndex(message => message.ts >= time)
    assert.ok(at > 0, 'the second half is younger than the first message')
    holds(consume(topic, `s@${time}`), topic, lines.slice(at), at)
    assert.equal(kcat(['-Q', '-t', `${topic}:0:${time}`]).trim(), `${topic} [0] offset ${at}`)
  })
  await shown('list topics and brokers', () => {
    const { brokers, topics } = JSON.parse(kcat(['-L', '-J']))
    assert.equal(brokers.length, 1)
    const names = topics.map(({ topic }: { topic: string }) => topic)
    for (const codec of codecs) assert.ok(names.includes(topicOf(codec)), `no ${topicOf(codec)}`)
    const one = JSON.parse(kcat(['-L', '-J', '-t', topicOf('none')])).topics[0]
    const id = brokers[0].id
    assert.deepEqual(one.partitions[0].replicas, [{ id }])
    assert.deepEqual(one.partitions[0].isrs, [{ id }])
    assert.equal(one.partitions[0].leader, id)
  })
}

if (phase === 'work') {
  absent('topic', 'it creates topics only by producing into them')
  absent('list groups', 'it has no commands for groups')
  absent('describe group', 'it has no commands for groups')
  await shown('partitioner', async () => {
    const topic = topicOf('partitioner')
    await create(topic)
    const lines = javaHomes.map((_, i) => `key-${i}\tvalue ${i}`).join('\n')
    kcat(['-P', '-t', topic, '-K', '\t', '-X', 'partitioner=murmur2_random'], lines)
    const found = kcat(['-C', '-t', topic, '-o', 'beginning', '-e', '-q', '-J', ...promptly])
      .trim()
      .split('\n')
      .map((line): KcatMessage => JSON.parse(line))
    const home = (i: number) => found.find(({ key }) => key === `key-${i}`)?.partition
    assert.deepEqual(
      javaHomes.map((_, i) => home(i)),
      javaHomes,
    )
  })
  const topic = topicOf('group')
  const members: KcatMember[] = []
  await shown('group of two', async () => {
    await create(topic)
    members.push(join(topic))
    await share(...members)
    members.push(join(topic))
    await share(...members)
    await readTogether(topic, 'for two', ...members)
  })
  await shown('leave', async () => {
    await members.shift()?.close()
    await share(...members)
    await readTogether(topic, 'for one', ...members)
  })
  for (const member of members) await member.close()
  await shown('commit', async () => {
    const topic = topicOf('commit')
    await create(topic)
    produceInTurn(topic, 'first')
    await join(topic, '-e').ended()
    assert.deepEqual(await committed(topic), everyPartition(100))
    produceInTurn(topic, 'second')
    assert.deepEqual(await committed(topic), everyPartition(100))
  })
  await shown('resume', async () => {
    await resumes(100)
    produceInTurn(topicOf('commit'), 'third')
  })
}

/**
 * A member of the group of `commit` begins where it was committed, reads the 300 messages there
 * are, and commits: kcat does whenever it ends.
 */
async function resumes(from: number): Promise<void> {
  const member = join(topicOf('commit'), '-e')
  await member.ended()
  assert.deepEqual(starts(member.read), everyPartition(from))
  assert.equal(member.read.length, 300)
  assert.deepEqual(await committed(topicOf('commit')), everyPartition(from + 100))
}

if (phase === 'again') {
  await shown('offsets kept', async () => {
    assert.deepEqual(await committed(topicOf('commit')), everyPartition(200))
  })
  await shown('group resumes', () => resumes(200))
  await shown('messages kept', () => {
    for (const name of [...codecs, 'acks-0', 'acks-1', 'acks-all', 'idempotent', 'from']) {
      const topic = topicOf(name)
      holds(consume(topic, 'beginning'), topic, linesOf(topic))
    }
  })
  await shown('produce and consume go on', () => {
    const topic = topicOf('none')
    const lines = linesOf(topic)
    produce(topic, lines, '-X', 'enable.idempotence=true')
    holds(consume(topic, 'beginning'), topic, [...lines, ...lines])
  })
}
