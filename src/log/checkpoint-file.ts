/**
 * The small text files of a log directory, in Kafka's form. A checkpoint is a version line, a count,
 * and that many lines; a properties file has `key=value` or `key: value` lines. All are written whole
 * by `disk.replaceFile`, so a half-written one is never seen; one that cannot be parsed is answered
 * with undefined, and the caller does without what it would have known.
 */
import type { Disk } from '../io/io.ts'
import type { EpochEntry } from './leader-epochs.ts'

/** No checkpoint comes near it: a line has at most 300 bytes, a broker at most some 100,000 logs. */
export const maxSmallFileBytes = 64 * 1024 * 1024

/** An offset for each partition, by `topic partition`. */
export type PartitionOffsets = Map<string, number>

/** The key of a partition in `PartitionOffsets`. */
export function partitionKey(topic: string, partition: number): string {
  return `${topic} ${partition}`
}

/** Kafka's offset checkpoint: version 0, count, `topic partition offset`. */
export function formatOffsets(offsets: PartitionOffsets): Uint8Array {
  return formatLines([...offsets].map(([key, offset]) => `${key} ${offset}`))
}

export function parseOffsets(bytes: Uint8Array): PartitionOffsets | undefined {
  const lines = parseLines(bytes)
  if (lines === undefined) return undefined
  const offsets: PartitionOffsets = new Map()
  for (const line of lines) {
    const match = /^(\S+) (\d+) (\d+)$/.exec(line)
    if (match === null) return undefined
    offsets.set(partitionKey(match[1]!, Number(match[2])), Number(match[3]))
  }
  return offsets
}

/** Kafka's `leader-epoch-checkpoint`: version 0, count, `epoch startOffset`. */
export function formatEpochs(entries: readonly EpochEntry[]): Uint8Array {
  return formatLines(entries.map(entry => `${entry.epoch} ${entry.startOffset}`))
}

export function parseEpochs(bytes: Uint8Array): EpochEntry[] | undefined {
  const lines = parseLines(bytes)
  if (lines === undefined) return undefined
  const entries: EpochEntry[] = []
  for (const line of lines) {
    const match = /^(\d+) (\d+)$/.exec(line)
    if (match === null) return undefined
    const entry = { epoch: Number(match[1]), startOffset: Number(match[2]) }
    const previous = entries.at(-1)
    const rises =
      previous === undefined ||
      (entry.epoch > previous.epoch && entry.startOffset >= previous.startOffset)
    if (!rises) return undefined
    entries.push(entry)
  }
  return entries
}

/** A stretch of a segment that cannot be read; ends are exclusive. */
export interface SegmentDamage {
  readonly baseOffset: number
  readonly position: number
  readonly endPosition: number
  readonly startOffset: number
  readonly endOffset: number
}

/** `damaged-ranges`, in the same form: five numbers a line. */
export function formatDamage(damage: readonly SegmentDamage[]): Uint8Array {
  return formatLines(
    damage.map(({ baseOffset, position, endPosition, startOffset, endOffset }) =>
      [baseOffset, position, endPosition, startOffset, endOffset].join(' '),
    ),
  )
}

export function parseDamage(bytes: Uint8Array): SegmentDamage[] | undefined {
  const lines = parseLines(bytes)
  if (!lines?.every(line => /^\d+( \d+){4}$/.test(line))) return undefined
  return lines.map(line => {
    const [baseOffset, position, endPosition, startOffset, endOffset] = line.split(' ').map(Number)
    return {
      baseOffset: baseOffset!,
      position: position!,
      endPosition: endPosition!,
      startOffset: startOffset!,
      endOffset: endOffset!,
    }
  })
}

/** `key=value` lines of `meta.properties`; comments and empty lines are left out. */
export function parseProperties(bytes: Uint8Array, separator: '=' | ':'): Map<string, string> {
  const properties = new Map<string, string>()
  for (const line of Buffer.from(bytes).toString('utf8').split('\n')) {
    const at = line.indexOf(separator)
    if (at > 0 && !line.startsWith('#')) {
      properties.set(line.slice(0, at).trim(), line.slice(at + 1).trim())
    }
  }
  return properties
}

export function formatProperties(
  properties: Iterable<readonly [string, string]>,
  separator: '=' | ': ',
): Uint8Array {
  return text([...properties].map(([key, value]) => `${key}${separator}${value}\n`).join(''))
}

/** The parsed file; undefined when it is absent or makes no sense. */
export async function readSmallFile<T>(
  disk: Disk,
  path: string,
  parse: (bytes: Uint8Array) => T | undefined,
): Promise<T | undefined> {
  const bytes = await disk.readFile(path, maxSmallFileBytes)
  return bytes === undefined ? undefined : parse(bytes)
}

function formatLines(lines: readonly string[]): Uint8Array {
  return text(['0', lines.length, ...lines].join('\n') + '\n')
}

function parseLines(bytes: Uint8Array): string[] | undefined {
  const lines = Buffer.from(bytes).toString('utf8').trimEnd().split(/\r?\n/)
  const [version, count, ...rest] = lines
  return version === '0' && count === String(rest.length) ? rest : undefined
}

function text(content: string): Uint8Array {
  return new TextEncoder().encode(content)
}
