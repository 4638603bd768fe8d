/**
 * Records as lines of JSON: what `consume --ndjson` prints, `produce --ndjson` reads back to the
 * byte. Bytes that are not UTF-8 are `{ "base64": … }`, so that nothing is lost on the way.
 */
import type { NewRecord } from '../protocol/records/build.ts'
import type { LogRecord } from '../protocol/records/records.ts'
import { Failure } from './failure.ts'

/** Bytes in JSON. */
export type BytesJson = string | { readonly base64: string } | null

/** One record in JSON. */
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

/** Text where the bytes are UTF-8, else base64. */
export function bytesJson(bytes: Uint8Array | null): BytesJson {
  if (bytes === null) return null
  try {
    return strict.decode(bytes)
  } catch {
    return { base64: Buffer.from(bytes).toString('base64') }
  }
}

/** The document of one record. */
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

/** A record to write, and the partition that its line names. */
export type ParsedRecord = NewRecord & { readonly partition?: number | undefined }

/** Reads one line of JSON; topic and offset are ignored. Throws Failure that begins with `where`. */
export function parseRecordJson(line: string, where: string): ParsedRecord {
  let json: RecordJson
  try {
    json = JSON.parse(line) as RecordJson
  } catch (cause) {
    throw new Failure(`${where} is not JSON: ${(cause as Error).message}`, { cause })
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new Failure(`${where}: a record is written as {"key": "k", "value": "v"}`)
  }
  const { timestamp, partition } = json
  for (const [name, number] of Object.entries({ timestamp, partition })) {
    if (number === undefined || (Number.isSafeInteger(number) && number >= -1)) continue
    throw new Failure(`${where}: ${name} must be a whole number`)
  }
  const headers = json.headers ?? []
  if (!Array.isArray(headers) || headers.some(header => typeof header?.key !== 'string')) {
    throw new Failure(`${where}: headers are a list of {"key": "k", "value": "v"}`)
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
