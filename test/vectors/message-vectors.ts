/** Golden encodings of messages: decoding equals the JSON, encoding equals the bytes. */
import { Buffer } from 'node:buffer'
import { isDeepStrictEqual } from 'node:util'
import { decode, encode } from '../../src/protocol/compile.ts'
import { defaultValue } from '../../src/protocol/layout.ts'
import type { fetchSnapshotResponse } from '../../src/protocol/messages/kraft.ts'
import type { Field, Fields, Incoming, Message } from '../../src/protocol/schema.ts'
import { interpretedDecode, interpretedEncode } from './interpret.ts'

/** One line of a file of message vectors. */
export interface MessageVector {
  readonly message: string
  readonly version: number
  readonly json: Record<string, unknown>
  readonly hex: string
}

/** One of the two ways to encode and decode; every int64 decodes to a bigint. */
export interface Codec {
  readonly decode: (message: Message, version: number, bytes: Uint8Array) => unknown
  readonly encode: (message: Message, version: number, value: unknown) => Uint8Array[]
}

export const compiledCodec: Codec = {
  decode: (message, version, bytes) => decode(message, version, bytes, 0, { exact: true }),
  encode: (message, version, value) => encode(message, version, value as object),
}

export const interpretedCodec: Codec = {
  decode: (message, version, bytes) => interpretedDecode(message, version, bytes, true),
  encode: interpretedEncode,
}

/** What disagrees, as a text for people; undefined when all agrees. */
export function checkMessageVector(
  vector: MessageVector,
  message: Message,
  codec: Codec,
): string | undefined {
  const bytes = Buffer.from(vector.hex, 'hex')
  const decoded = codec.decode(message, vector.version, bytes)
  const expected = structFromJson(message.fields, vector.json)
  if (message.name === 'FetchSnapshotResponse') takeUnalignedRecords(expected, decoded)
  if (!isDeepStrictEqual(decoded, expected)) {
    return `decoding gives\n  ${printed(decoded)}\nand should give\n  ${printed(expected)}`
  }
  const encoded = Buffer.concat(codec.encode(message, vector.version, expected)).toString('hex')
  if (encoded !== vector.hex) {
    return `encoding gives\n  ${encoded}\nand should give\n  ${vector.hex}`
  }
  return undefined
}

/** Kafka's JSON form has no content for unaligned records: only encoding can check them. */
function takeUnalignedRecords(expected: unknown, decoded: unknown): void {
  const partitions = (response: unknown) =>
    (response as Incoming<typeof fetchSnapshotResponse>).topics.flatMap(topic => topic.partitions)
  for (const [i, partition] of partitions(expected).entries()) {
    const { unalignedRecords } = partitions(decoded)[i] ?? partition
    if (partition.unalignedRecords.length === 0) Object.assign(partition, { unalignedRecords })
  }
}

/** Kafka's JSON form as the value that decoding gives: bytes from base64, absent fields filled in. */
function structFromJson(fields: Fields, json: Record<string, unknown>): Record<string, unknown> {
  for (const name of Object.keys(json)) {
    if (!(name in fields)) throw new Error(`no field is called ${name}`)
  }
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [
      name,
      name in json ? fromJson(field, json[name]) : defaultValue(field, true),
    ]),
  )
}

function fromJson(field: Field, json: unknown): unknown {
  if (json === null) return null
  switch (field.kind) {
    case 'int64':
      return BigInt(json as number | bigint)
    case 'float64':
      return Number(json)
    case 'bytes':
    case 'records':
      return new Uint8Array(Buffer.from(json as string, 'base64'))
    case 'array':
      return (json as unknown[]).map(item => fromJson(field.element as Field, item))
    case 'struct':
      return structFromJson(field.fields ?? {}, json as Record<string, unknown>)
    default:
      return json
  }
}

function printed(value: unknown): string {
  return JSON.stringify(value, (_, item) => {
    if (typeof item === 'bigint') return `${item}n`
    return item instanceof Uint8Array ? Buffer.from(item).toString('hex') : item
  })
}
