/**
 * `consume --filter`: a JavaScript expression, compiled once. It runs as code of this process, with
 * all that the user may do: it comes from the user's own command line.
 */
import { compileFunction } from 'node:vm'
import type { LogRecord } from '../protocol/records/records.ts'
import { Failure } from './failure.ts'

/** What an expression may name. */
export const filterNames = [
  'key',
  'value',
  'json',
  'headers',
  'topic',
  'partition',
  'offset',
  'timestamp',
] as const

/** Whether a record is wanted; throws what the expression throws. */
export type RecordFilter = (topic: string, partition: number, record: LogRecord) => boolean

/**
 * Compiles `expression`. Throws Failure, with its place, for what is no expression, and for a name
 * that means nothing.
 */
export function recordFilter(expression: string): RecordFilter {
  const run = compiled(expression)
  // Parsed only for those who look at it; a name that does not occur cannot be read.
  const looksAt = (name: string) => new RegExp(`\\b${name}\\b`, 'u').test(expression)
  const wantsJson = looksAt('json')
  const wantsHeaders = looksAt('headers')
  const matches: RecordFilter = (topic, partition, { key, value, headers, offset, timestamp }) => {
    const text = value === null ? null : lenient.decode(value)
    return Boolean(
      run(
        key === null ? null : lenient.decode(key),
        text,
        wantsJson ? parsed(text) : undefined,
        wantsHeaders ? named(headers) : undefined,
        topic,
        partition,
        offset,
        timestamp,
      ),
    )
  }
  throwIfUndefined(matches)
  return matches
}

const lenient = new TextDecoder('utf-8', { ignoreBOM: true })

function compiled(expression: string): (...values: unknown[]) => unknown {
  const filename = 'filter'
  try {
    // The line break keeps a comment at the end from swallowing the bracket.
    const source = `return (${expression}\n)`
    return compileFunction(source, [...filterNames], {
      filename,
      columnOffset: -'return ('.length,
    }) as (...values: unknown[]) => unknown
  } catch (cause) {
    throw new Failure(`--filter: ${faultOf(cause as Error, expression)}`, { cause })
  }
}

/** What is wrong, where, and a caret below the place: V8 writes line and carets in front of its stack. */
function faultOf({ stack = '', message }: Error, expression: string): string {
  const lines = expression.split('\n')
  const [, line, carets = ''] = /^filter:(\d+)\n.*\n( *\^+)/u.exec(stack) ?? []
  const text = lines[Number(line) - 1]
  // What is found behind the last line is our own bracket.
  if (text === undefined) return `the expression ends too early: ${expression}`
  const column = carets.indexOf('^') - (line === '1' ? 'return ('.length : 0)
  return `${message} at line ${line}, column ${column + 1}\n  ${text}\n  ${' '.repeat(column)}^`
}

/** The value as JSON; undefined where it is none. */
function parsed(text: string | null): unknown {
  if (text === null) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Headers by name; of several with one name the last. */
function named(headers: LogRecord['headers']): Record<string, string | null> {
  return Object.fromEntries(
    headers.map(({ key, value }) => [key, value === null ? null : lenient.decode(value)]),
  )
}

const empty: LogRecord = { offset: 0, timestamp: 0, key: null, value: null, headers: [] }

/** A misspelt name would fail on every record: an empty one tells it before anything is consumed. */
function throwIfUndefined(matches: RecordFilter): void {
  try {
    matches('', 0, empty)
  } catch (cause) {
    if (!(cause instanceof ReferenceError)) return
    throw new Failure(`--filter: ${cause.message}; there are ${filterNames.join(', ')}`, { cause })
  }
}
