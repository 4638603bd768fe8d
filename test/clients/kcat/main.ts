/**
 * kcat (librdkafka): node kcat.ts BOOTSTRAP PREFIX TIME work|again
 *
 * `work` produces into topics named after PREFIX and reads everything back; `again` only reads
 * back what `work` left there. kcat creates topics by producing into them; it has no use for TIME.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { shown, version } from '../shown.ts'

const [bootstrap = '', prefix = '', , phase = ''] = process.argv.slice(2)
const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

interface KcatMessage {
  topic: string
  partition: number
  offset: number
  ts: number
  key: string | null
  payload: string
  headers?: string[]
}

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
    await shown(`produce and consume, ${codec}: keyed and unkeyed, in order`, () => {
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
  await shown('idempotent producer', () => {
    const topic = topicOf('idempotent')
    const lines = linesOf(topic)
    produce(topic, lines, '-X', 'enable.idempotence=true', '-z', 'lz4')
    holds(consume(topic, 'beginning'), topic, lines)
  })
  await shown('headers, null values, a message of 900 kB', () => {
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
  await shown('consume from an offset, from the tail, from a timestamp', () => {
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

if (phase === 'again') {
  await shown('every topic, every message, in order', () => {
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
