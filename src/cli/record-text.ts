/**
 * Records as text: the JSON that `consume --json` prints and `produce --json` reads back, and the
 * formats of `consume --format`. Bytes that are not UTF-8 are `{ "base64": … }` in JSON, so that
 * nothing is lost on the way.
 */
import type { NewRecord } from '../protocol/records/build.ts'
import type { LogRecord } from '../protocol/records/records.ts'
import { Failure } from './failure.ts'
import { timeText } from './output.ts'

export type BytesJson = string | { readonly base64: string } | null

export interface RecordJson {
  readonly topic?: string
  readonly partition?: number
  readonly offset?: number
  readonly timestamp?: number
  readonly key?: BytesJson
  readonly value?: BytesJson
  readonly headers?: readonly { readonly key: string; readonly value: BytesJson }[]
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const lenient = new TextDecoder('utf-8', { ignoreBOM: true })

export function bytesJson(bytes: Uint8Array | null): BytesJson {
  if (bytes === null) return null
  try {
    return strict.decode(bytes)
  } catch {
    return { base64: Buffer.from(bytes).toString('base64') }
  }
}

export function recordJson(topic: string, partition: number, record: LogRecord): RecordJson {
  const { offset, timestamp, key, value, headers } = record
  return {
    topic,
    partition,
    offset,
    timestamp,
    key: bytesJson(key),
    value: bytesJson(value),
    headers: headers.map(header => ({ key: header.key, value: bytesJson(header.value) })),
  }
}

/** Reads one line of JSON. Throws Failure that names the line. */
export function parseRecordJson(
  line: string,
  lineNumber: number,
): NewRecord & { readonly partition?: number | undefined } {
  let json: RecordJson
  try {
    json = JSON.parse(line) as RecordJson
  } catch (cause) {
    throw new Failure(`line ${lineNumber} is not JSON: ${(cause as Error).message}`, { cause })
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new Failure(`line ${lineNumber}: a record is written as {"key": "k", "value": "v"}`)
  }
  const { timestamp, partition } = json
  for (const [name, number] of Object.entries({ timestamp, partition })) {
    if (number === undefined || Number.isSafeInteger(number)) continue
    throw new Failure(`line ${lineNumber}: ${name} must be a whole number`)
  }
  const headers = json.headers ?? []
  if (!Array.isArray(headers) || headers.some(header => typeof header?.key !== 'string')) {
    throw new Failure(`line ${lineNumber}: headers are a list of {"key": "k", "value": "v"}`)
  }
  return {
    partition,
    key: parseBytes(json.key ?? null),
    value: parseBytes(json.value ?? null),
    headers: headers.map(header => ({
      key: header.key,
      value: parseBytes(header.value ?? null),
    })),
    ...(timestamp !== undefined && { timestamp }),
  }
}

function parseBytes(value: unknown): Uint8Array | null {
  if (value === null) return null
  if (typeof value === 'string') return Buffer.from(value)
  if (typeof value === 'object' && 'base64' in value && typeof value.base64 === 'string') {
    return Buffer.from(value.base64, 'base64')
  }
  // A number or an object is taken as its JSON: what people mean who pipe JSON in.
  return Buffer.from(JSON.stringify(value))
}

type Part = (topic: string, partition: number, record: LogRecord) => string | Uint8Array

const parts: Readonly<Record<string, Part>> = {
  s: (_, __, record) => record.value ?? '',
  k: (_, __, record) => record.key ?? '',
  h: (_, __, record) =>
    record.headers
      .map(({ key, value }) => `${key}=${value === null ? 'NULL' : lenient.decode(value)}`)
      .join(','),
  t: topic => topic,
  p: (_, partition) => String(partition),
  o: (_, __, record) => String(record.offset),
  T: (_, __, record) => String(record.timestamp),
  d: (_, __, record) => timeText(record.timestamp),
  '%': () => '%',
}

/** Compiles a format (`%k: %s\n`) into what prints one record. Throws Failure for an unknown letter. */
export function recordFormat(
  format: string,
): (topic: string, partition: number, record: LogRecord) => Uint8Array {
  const text = format.replace(/\\([nrt0\\])/gu, (_, char: string) => controls[char]!)
  const pieces: (string | Part)[] = text.split(/(%.?)/su).map(piece => {
    if (!piece.startsWith('%')) return piece
    const part = parts[piece.slice(1)]
    if (part === undefined) {
      throw new Failure(
        `--format: ${piece} means nothing; \`ottla consume --help\` lists what does`,
      )
    }
    return part
  })
  return (topic, partition, record) =>
    Buffer.concat(
      pieces.map(piece => {
        const bytes = typeof piece === 'string' ? piece : piece(topic, partition, record)
        return typeof bytes === 'string' ? Buffer.from(bytes) : bytes
      }),
    )
}

const controls: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  '0': '\0',
  '\\': '\\',
}
