/**
 * Values of requests that get past the decoder: made from the declarations, with names that exist
 * and numbers at the edges, so that the handlers behind it are reached.
 */
import { topicKeys } from '../../src/config/topic-keys.ts'
import { type Compression, compressions } from '../../src/protocol/records/batch.ts'
import { buildBatch } from '../../src/protocol/records/build.ts'
import { type Field, type Fields, includes } from '../../src/protocol/schema.ts'
import type { Prng } from '../../src/sim/random.ts'
import { mutate } from './mutate.ts'

/** Topics that the fuzzer creates and writes to; few, so that they meet again. */
export const topicNames = ['fuzz-a', 'fuzz-b', 'fuzz-c', 'fuzz-d']

const oddStrings = ['', '.', '..', 'a b', '/etc/passwd', '../up', 'x'.repeat(249), 'x'.repeat(250)]
const strings = [
  ...topicNames,
  ...oddStrings,
  'ünïcode',
  '\0',
  '-1',
  '0',
  '1',
  '100',
  '99999999999',
]
const partitions = [0, 0, 0, 0, 1, 2, -1, 2147483647]
/** Counts of partitions: what creates a few, or is to be refused. */
const counts = [-1, 0, 1, 1, 2, 3, -2, 1_000_000, 2147483647]

/** The fields of `version`, filled at random. */
export function structValue(random: Prng, fields: Fields, version: number): object {
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([, field]) => includes(field.versions, version))
      .filter(([, field]) => field.tag === undefined || random.chance(0.3))
      .map(([name, field]) => [name, value(random, name, field, version)]),
  )
}

function value(random: Prng, name: string, field: Field, version: number): unknown {
  if (includes(field.nullable, version) && random.chance(0.15)) return null
  switch (field.kind) {
    case 'int8':
      return number(random, name, 0x7f)
    case 'int16':
      return number(random, name, 0x7fff)
    case 'int32':
      return number(random, name, 0x7fff_ffff)
    case 'uint16':
    case 'uint32':
      return random.below(0x1_0000)
    case 'int64':
      return number(random, name, Number.MAX_SAFE_INTEGER)
    case 'float64':
      return pick(random, [0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])
    case 'bool':
      return random.chance(0.5)
    case 'string':
      return text(random, name)
    case 'uuid':
      return Buffer.from(random.chance(0.3) ? new Uint8Array(16) : random.bytes(16)).toString(
        'base64url',
      )
    case 'bytes':
      return random.bytes(random.below(40))
    case 'records':
      return batches(random)
    case 'struct':
      return structValue(random, field.fields ?? {}, version)
    case 'array':
      return Array.from({ length: arrayLength(random) }, () =>
        value(random, name, field.element as Field, version),
      )
  }
}

/** Mostly one or two; seldom none or many. */
function arrayLength(random: Prng): number {
  const draw = random.fraction()
  if (draw < 0.1) return 0
  if (draw < 0.95) return 1 + random.below(3)
  return random.below(200)
}

function number(random: Prng, name: string, max: number): number {
  if (/numPartitions|^count$/.test(name)) return pick(random, counts)
  if (/^(index|partition|partitionIndex|partitionIndexes)$/.test(name)) {
    return Math.min(pick(random, partitions), max)
  }
  if (name === 'replicationFactor') return pick(random, [1, 1, -1, 0, 3])
  if (name === 'resourceType') return pick(random, [2, 2, 4, 4, 1, 8, 0])
  if (name === 'configOperation') return pick(random, [0, 1, 2, 3, 4, -1])
  if (name === 'brokerIds') return pick(random, [0, 1, 2, -1])
  if (name === 'acks') return pick(random, [-1, 0, 1, 2])
  if (name === 'maxWaitMs' || name === 'timeoutMs') return pick(random, [0, 10, 1000, -1, max])
  const edges = [
    -1,
    0,
    0,
    1,
    2,
    10,
    -2,
    -3,
    -4,
    -5,
    -6,
    max,
    -max - 1,
    random.below(Math.min(max, 1000)),
  ]
  return Math.max(pick(random, edges), -Number.MAX_SAFE_INTEGER)
}

function text(random: Prng, name: string): string {
  if (/config|^name$/i.test(name) && random.chance(0.4)) return pick(random, [...topicKeys.keys()])
  if (/topic/i.test(name) && random.chance(0.8)) return pick(random, topicNames)
  return random.chance(0.6) ? pick(random, topicNames) : pick(random, strings)
}

/** Whole batches, a few of them broken, or no batches at all. */
function batches(random: Prng): Uint8Array {
  if (random.chance(0.05)) return random.bytes(random.below(200))
  const made = Array.from({ length: random.chance(0.8) ? 1 : random.below(4) }, () => batch(random))
  const whole = Buffer.concat(made)
  return random.chance(0.4) ? mutate(random, whole) : whole
}

const bombBytes = 48 * 1024 * 1024
const bombs = new Map<Compression, Uint8Array>()

/** A batch of some kilobytes that expands to many megabytes. */
function bomb(random: Prng): Uint8Array {
  const compression = pick<Compression>(random, ['gzip', 'snappy', 'lz4', 'zstd'])
  let made = bombs.get(compression)
  if (made === undefined) {
    const record = { timestamp: Date.now(), value: new Uint8Array(bombBytes) }
    made = buildBatch({ compression }, [record])
    bombs.set(compression, made)
  }
  return made
}

function batch(random: Prng): Uint8Array {
  if (random.chance(0.01)) return bomb(random)
  const isIdempotent = random.chance(0.3)
  return buildBatch(
    {
      baseOffset: random.chance(0.9) ? 0 : random.below(1000),
      compression: pick<Compression>(random, compressions),
      producerId: isIdempotent ? random.below(5) : -1,
      producerEpoch: isIdempotent ? random.below(2) : -1,
      baseSequence: isIdempotent ? random.below(20) : -1,
      transactional: random.chance(0.05),
      control: random.chance(0.05),
    },
    Array.from({ length: random.below(20) }, () => ({
      timestamp: random.chance(0.9) ? Date.now() : number(random, '', Number.MAX_SAFE_INTEGER),
      key: random.chance(0.5) ? null : text(random, ''),
      value: random.chance(0.1)
        ? null
        : 'v'.repeat(random.below(random.chance(0.02) ? 300_000 : 300)),
      headers: random.chance(0.2) ? [{ key: text(random, ''), value: random.bytes(4) }] : [],
    })),
  )
}

/** One of a list that is not empty. */
export function pick<Value>(random: Prng, values: readonly Value[]): Value {
  return values[random.below(values.length)] as Value
}
