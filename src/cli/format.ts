/**
 * The formats of `consume --format`, in the manner of kcat's -f: compiled once into pieces, of
 * which each record fills in its own.
 */
import type { LogRecord } from '../protocol/records/records.ts'
import { Failure } from './failure.ts'
import { styled, timeText } from './output.ts'

/** What prints one record. */
export type RecordText = (topic: string, partition: number, record: LogRecord) => Uint8Array

type Part = (topic: string, partition: number, record: LogRecord) => string | Uint8Array

/** Placeholders with what they stand for, as the help lists them. */
const parts: Readonly<Record<string, Part>> = {
  v: (_, __, record) => record.value ?? '',
  s: (_, __, record) => record.value ?? '',
  k: (_, __, record) => record.key ?? '',
  h: (_, __, record) => headersText(record, ','),
  t: topic => topic,
  p: (_, partition) => String(partition),
  o: (_, __, record) => String(record.offset),
  T: (_, __, record) => String(record.timestamp),
  d: (_, __, record) => timeText(record.timestamp),
  S: (_, __, record) => String(record.value?.length ?? -1),
  K: (_, __, record) => String(record.key?.length ?? -1),
  R: (_, __, record) => int32(record.value?.length ?? -1),
  '%': () => '%',
}

/** What `--help` says of the placeholders. */
export const formatHelp = `In a format
  %v %k  value and key (also %s)      %t %p %o  topic, partition, offset
  %h     headers: name=value,...      %T %d     time: milliseconds, or a date
  %S %K  their bytes, -1 for null     %R        %S as four bytes, big-endian
  %%     a percent sign               \\n \\t \\r \\0 \\\\ and \\xHH work, too`

/** Compiles a format (`%k: %v\n`). Throws Failure for an unknown letter. */
export function recordFormat(format: string): RecordText {
  const pieces: (Uint8Array | Part)[] = format.split(/(%.?)/su).map(piece => {
    if (!piece.startsWith('%')) return unescaped(piece)
    const part = parts[piece.slice(1)]
    if (part !== undefined) return part
    throw new Failure(`--format: ${piece} means nothing; \`ottla consume --help\` lists what does`)
  })
  return (topic, partition, record) =>
    Buffer.concat(
      pieces.map(piece => {
        const bytes = typeof piece === 'function' ? piece(topic, partition, record) : piece
        return typeof bytes === 'string' ? Buffer.from(bytes) : bytes
      }),
    )
}

/** The records of `--verbose`: one line, what the broker knows of it before its value. */
export const verboseText: RecordText = (topic, partition, record) => {
  const { offset, timestamp, key, value } = record
  const keyText = key === null ? 'no key' : `key=${shown(key)}`
  const headers = record.headers.length === 0 ? '' : `  ${headersText(record, ' ')}`
  const about = `${topic}-${partition}@${offset}  ${timeText(timestamp)}  ${keyText}${headers}`
  const end = value === null ? styled('dim', 'null') : value
  const begin = Buffer.from(`${styled('dim', oneLine(about))}  `)
  return Buffer.concat([begin, typeof end === 'string' ? Buffer.from(end) : end, newline])
}

const newline = Buffer.from('\n')
const lenient = new TextDecoder('utf-8', { ignoreBOM: true })

function shown(bytes: Uint8Array): string {
  return lenient.decode(bytes)
}

/** Keys and headers come from anyone: they begin no line of their own. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ')
}

function headersText({ headers }: LogRecord, separator: string): string {
  return headers
    .map(({ key, value }) => `${key}=${value === null ? 'NULL' : shown(value)}`)
    .join(separator)
}

function int32(number: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(number)
  return bytes
}

const controls: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '0': '\0' }

/** Backslashes as in a shell's $'…'; a byte written as \xHH need not be UTF-8. */
function unescaped(text: string): Uint8Array {
  const pieces = text.split(/(\\x[\da-f]{2}|\\[nrt0\\])/iu).map((piece, index) => {
    if (index % 2 === 0) return Buffer.from(piece)
    if (piece.length === 4) return Uint8Array.of(Number.parseInt(piece.slice(2), 16))
    return Buffer.from(controls[piece[1]!] ?? '\\')
  })
  return Buffer.concat(pieces)
}
