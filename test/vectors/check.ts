/** Checks a file of vectors, of messages or of record batches, one JSON value a line. */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import type { Message } from '../../src/protocol/schema.ts'
import * as protocol from '../../src/protocol.ts'
import { type BatchVector, checkBatchVector } from './batch-vectors.ts'
import { type Codec, checkMessageVector, type MessageVector } from './message-vectors.ts'

/** Every declared message by its official name. */
export const messages: ReadonlyMap<string, Message> = new Map(
  Object.values<unknown>(protocol)
    .filter(isMessage)
    .map(message => [message.name, message]),
)

function isMessage(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && 'name' in value && 'flexible' in value
}

/** How many vectors agree, and what those that do not are about. */
export interface Outcome {
  readonly total: number
  readonly disagreements: readonly string[]
}

/** The lines of a text file, gzipped or not, without empty ones. */
export function readLines(path: string | URL): string[] {
  const content = readFileSync(path)
  const text = content[0] === 0x1f && content[1] === 0x8b ? gunzipSync(content) : content
  return text
    .toString('utf8')
    .split('\n')
    .filter(line => line.trim() !== '')
}

/** Checks every line; `codec` is for messages. Throws only when a line is no vector at all. */
export function checkVectors(lines: readonly string[], codec: Codec): Outcome {
  const disagreements: string[] = []
  for (const [index, line] of lines.entries()) {
    const problem = checkLine(line, codec)
    if (problem !== undefined) disagreements.push(`line ${index + 1}: ${problem}`)
  }
  return { total: lines.length, disagreements }
}

function checkLine(line: string, codec: Codec): string | undefined {
  const vector = parseExactly(line) as Partial<MessageVector & BatchVector>
  const name = vector.message ?? vector.name
  try {
    if (vector.batches !== undefined) return named(name, checkBatchVector(vector as BatchVector))
    const message = messages.get(vector.message ?? '')
    if (message === undefined) return `no message is called ${vector.message}`
    const problem = checkMessageVector(vector as MessageVector, message, codec)
    return named(`${name} version ${vector.version}`, problem)
  } catch (error) {
    return named(`${name} version ${vector.version}`, String(error))
  }
}

function named(name: string | undefined, problem: string | undefined): string | undefined {
  return problem === undefined ? undefined : `${name}: ${problem}`
}

/** JSON with whole numbers that a double cannot hold as bigints, taken from the source text. */
function parseExactly(text: string): unknown {
  const exact = (_key: string, value: unknown, context?: { source?: string }): unknown => {
    if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
    return /^-?\d+$/.test(context?.source ?? '') ? BigInt(context?.source ?? 0) : value
  }
  return JSON.parse(text, exact)
}
