/**
 * The topics of the crash test, and what is in them. What the record at an offset holds is a function
 * of the offset: one producer writes each partition, every record once and in order, so the n-th one
 * has offset n or something is wrong. No list of what was sent is needed to know what must be there.
 */

export interface CrashTopic {
  readonly topic: string
  readonly isCompacted: boolean
  readonly configs: Readonly<Record<string, string>>
  /** Tombstones may go that soon. */
  readonly tombstonesMs: number
}

/** Kafka allows no smaller segments. */
const segmentBytes = 1024 * 1024
/** Its log start moves by itself. */
export const retainedTopic = 'retained'
export const retentionBytes = 3 * segmentBytes
export const partitionsOfEach = 2
const keys = 300

const compacted = {
  'cleanup.policy': 'compact',
  'segment.bytes': String(segmentBytes),
  'min.cleanable.dirty.ratio': '0.01',
  'file.delete.delay.ms': '500',
}

/** One that retention takes from, one that DeleteRecords takes from, and two that are compacted. */
export const topics: readonly CrashTopic[] = [
  {
    topic: retainedTopic,
    isCompacted: false,
    tombstonesMs: 0,
    configs: {
      'segment.bytes': String(segmentBytes),
      'retention.bytes': String(retentionBytes),
      'file.delete.delay.ms': '500',
    },
  },
  {
    topic: 'deleted',
    isCompacted: false,
    tombstonesMs: 0,
    configs: { 'segment.bytes': String(segmentBytes), 'file.delete.delay.ms': '500' },
  },
  {
    topic: 'compacted',
    isCompacted: true,
    tombstonesMs: 3_600_000,
    configs: { ...compacted, 'delete.retention.ms': '3600000' },
  },
  {
    topic: 'compacted-soon',
    isCompacted: true,
    tombstonesMs: 500,
    configs: { ...compacted, 'delete.retention.ms': '500' },
  },
]

const filler = Buffer.alloc(2000, 'the quick brown fox jumps over the lazy dog. ')

export interface Content {
  readonly key: string
  /** null: a tombstone. */
  readonly value: Buffer | null
}

/** What the record at that offset holds. */
export function contentAt({ isCompacted }: CrashTopic, partition: number, offset: number): Content {
  const chance = mixed(offset * 8 + partition)
  const key = `key ${chance % keys}`
  if (isCompacted && mixed(chance) % 10 === 0) return { key, value: null }
  const value = Buffer.concat([
    Buffer.from(`${offset}:`),
    filler.subarray(0, 300 + (chance % 1400)),
  ])
  return { key, value }
}

function mixed(number: number): number {
  let mix = Math.imul(number ^ (number >>> 16), 0x85ebca6b)
  mix = Math.imul(mix ^ (mix >>> 13), 0xc2b2ae35)
  return (mix ^ (mix >>> 16)) >>> 0
}
