/** Where `ottla groups reset-offsets` moves a group: the pure part. */
import { Failure } from './failure.ts'
import { parseDuration, parseTime } from './when.ts'

/** What was asked for, by one option of the command line. */
export type Target =
  | { readonly to: 'earliest' | 'latest' | 'current' }
  | { readonly to: 'time'; readonly timestampMs: number }
  | { readonly to: 'shift'; readonly by: number }
  | { readonly to: 'offset'; readonly offset: number }
  | { readonly to: 'file'; readonly file: string }

/** The options that choose a target. */
export interface TargetOptions {
  readonly toEarliest?: true
  readonly toLatest?: true
  readonly toCurrent?: true
  readonly toDatetime?: string
  readonly byDuration?: string
  readonly shiftBy?: number
  readonly toOffset?: number
  readonly fromFile?: string
}

/** What is known of a partition before its offset is chosen. `end` is exclusive. */
export interface PartitionFacts {
  readonly topic: string
  readonly partition: number
  readonly committed: number | undefined
  readonly begin: number
  readonly end: number
  /** The first offset at or after the time that was asked for; −1 when all records are older. */
  readonly atTime?: number | undefined
}

export interface PlannedOffset {
  readonly topic: string
  readonly partition: number
  /** Undefined: nothing was committed. */
  readonly before: number | undefined
  readonly after: number
  /** Why it is not what was asked for. */
  readonly note: string
}

/** A line of a file of offsets; `group` where a file is about several. */
export interface FileOffset {
  readonly group?: string | undefined
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** The one target that the options name. Throws Failure when it is none, several, or unreadable. */
export function targetOf(options: TargetOptions, nowMs: number): Target {
  const targets: Target[] = []
  if (options.toEarliest) targets.push({ to: 'earliest' })
  if (options.toLatest) targets.push({ to: 'latest' })
  if (options.toCurrent) targets.push({ to: 'current' })
  if (options.toDatetime !== undefined) {
    const timestampMs = parseTime(options.toDatetime)
    if (timestampMs === undefined || timestampMs < 0) {
      throw new Failure(
        `--to-datetime ${options.toDatetime}: write it as 2026-01-31T12:00Z, or @ and milliseconds`,
      )
    }
    targets.push({ to: 'time', timestampMs })
  }
  if (options.byDuration !== undefined) {
    const ms = parseDuration(options.byDuration)
    if (ms === undefined) {
      throw new Failure(`--by-duration ${options.byDuration}: write it as 90m, 2d or PT1H30M`)
    }
    targets.push({ to: 'time', timestampMs: Math.max(0, nowMs - ms) })
  }
  if (options.shiftBy !== undefined) targets.push({ to: 'shift', by: options.shiftBy })
  if (options.toOffset !== undefined) targets.push({ to: 'offset', offset: options.toOffset })
  if (options.fromFile !== undefined) targets.push({ to: 'file', file: options.fromFile })
  if (targets.length === 1) return targets[0]!
  throw new Failure(
    `${targets.length === 0 ? 'say where to' : 'choose one'}: --to-earliest, --to-latest, --to-datetime, --by-duration, --shift-by, --to-offset, --to-current or --from-file`,
  )
}

/**
 * The new offset of each partition, within its log. Throws Failure where there is nothing to shift.
 * `wanted` finds the offset that a file names.
 */
export function planReset(
  target: Target,
  facts: readonly PartitionFacts[],
  wanted: (facts: PartitionFacts) => number | undefined = () => undefined,
): PlannedOffset[] {
  return facts.map(fact => {
    const { topic, partition, committed, begin, end } = fact
    const asked = askedOffset(target, fact, wanted)
    const after = Math.min(Math.max(asked.offset, begin), end)
    const clamped =
      asked.offset < begin
        ? `${asked.offset} is before the start of the log`
        : asked.offset > end
          ? `${asked.offset} is behind the end of the log`
          : ''
    return { topic, partition, before: committed, after, note: clamped || asked.note }
  })
}

function askedOffset(
  target: Target,
  fact: PartitionFacts,
  wanted: (facts: PartitionFacts) => number | undefined,
): { offset: number; note: string } {
  const { committed, begin, end, atTime = -1 } = fact
  const exactly = (offset: number) => ({ offset, note: '' })
  switch (target.to) {
    case 'earliest':
      return exactly(begin)
    case 'latest':
      return exactly(end)
    case 'offset':
      return exactly(target.offset)
    case 'time':
      if (atTime >= 0) return exactly(atTime)
      return { offset: end, note: begin === end ? '' : 'all records are older: the end' }
    case 'current':
      return committed === undefined
        ? { offset: end, note: 'nothing was committed: the end' }
        : exactly(committed)
    case 'shift':
      if (committed !== undefined) return exactly(committed + target.by)
      break
    case 'file': {
      const offset = wanted(fact)
      if (offset !== undefined) return exactly(offset)
    }
  }
  const name = `${fact.topic}:${fact.partition}`
  throw new Failure(
    target.to === 'shift'
      ? `${name} has no committed offset to shift: choose another target for it`
      : `the file names no offset for ${name}`,
  )
}

/** Where the partitions of `--topic` stand: `orders`, or `orders:0,2`. */
export function parseTopic(text: string): {
  topic: string
  partitions: readonly number[] | undefined
} {
  const match = /^(?<topic>[^:]+)(?::(?<list>\d+(?:,\d+)*))?$/u.exec(text)
  if (match === null) {
    throw new Failure(`--topic ${text}: write it as NAME, or NAME:0,2 for some partitions`)
  }
  const { topic, list } = match.groups as { topic: string; list?: string }
  return {
    topic,
    partitions: list === undefined ? undefined : [...new Set(list.split(',').map(Number))],
  }
}

/**
 * Reads offsets from CSV as Kafka's tool exports it, `topic,partition,offset` or with the group
 * before, or from JSON lines with these names. Throws Failure that names the line.
 */
export function parseOffsets(text: string): FileOffset[] {
  return text.split(/\r?\n/u).flatMap((line, index) => {
    const trimmed = line.trim()
    if (trimmed === '' || (index === 0 && /(^|,)"?topic"?,"?partition"?,/iu.test(trimmed)))
      return []
    const found = trimmed.startsWith('{') ? jsonOffset(trimmed) : csvOffset(trimmed)
    if (found !== undefined) return [found]
    throw new Failure(`line ${index + 1}: write it as topic,partition,offset or as JSON`)
  })
}

function csvOffset(line: string): FileOffset | undefined {
  const cells = line.split(',').map(cell => cell.trim().replace(/^"(.*)"$/u, '$1'))
  const [topic = '', partition, offset] = cells.slice(-3)
  if (cells.length < 3 || cells.length > 4 || ![partition, offset].every(isDigits)) return undefined
  const group = cells.length === 4 ? cells[0] : undefined
  return checked({ group, topic, partition: Number(partition), offset: Number(offset) })
}

function jsonOffset(line: string): FileOffset | undefined {
  try {
    const { group, topic, partition, offset } = JSON.parse(line)
    return checked({ group, topic, partition, offset })
  } catch {
    return undefined
  }
}

function isDigits(text: string | undefined): boolean {
  return /^\d+$/u.test(text ?? '')
}

function checked(found: FileOffset): FileOffset | undefined {
  const { group, topic, partition, offset } = found
  const isWhole = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0
  const isNamed = typeof topic === 'string' && topic !== ''
  const isGroup = group === undefined || typeof group === 'string'
  return isNamed && isGroup && isWhole(partition) && isWhole(offset) ? found : undefined
}

/** What `parseOffsets` reads. */
export function offsetsCsv(plan: readonly PlannedOffset[]): string {
  return plan.map(({ topic, partition, after }) => `${topic},${partition},${after}\n`).join('')
}
