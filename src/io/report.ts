/** Lines for people and for log collectors: one event a line, as text or as JSON. */

import type { Report, ReportFields } from './io.ts'

export type ReportFormat = 'text' | 'json'

/** How bad it is, rising. */
export const reportLevels = ['info', 'warn', 'error'] as const
export type ReportLevel = (typeof reportLevels)[number]

/** Where a line goes and what time it carries; by default stderr and now. */
export interface LineReportOptions {
  readonly format?: ReportFormat
  /** Lines below are left out; `info` by default. */
  readonly level?: ReportLevel
  /** Colours the level of a text line. */
  readonly style?: (level: ReportLevel, text: string) => string
  readonly write?: (line: string) => void
  readonly wallMs?: () => number
}

/**
 * A report that writes lines. Text: `2026-11-24T10:00:00.000Z INFO  message key=value`; JSON: an
 * object with `time`, `level`, `message` and the fields. Errors are given with their causes.
 */
export function lineReport(options: LineReportOptions = {}): Report {
  const wallMs = options.wallMs ?? Date.now
  const write = options.write ?? ((line: string) => void process.stderr.write(line))
  const style = options.style ?? ((_: ReportLevel, text: string) => text)
  const lowest = reportLevels.indexOf(options.level ?? 'info')
  const at = (level: ReportLevel) => (fields: ReportFields, message: string) => {
    if (reportLevels.indexOf(level) < lowest) return
    const time = new Date(wallMs()).toISOString()
    if (options.format === 'json') write(`${jsonLine(time, level, fields, message)}\n`)
    else write(`${textLine(time, style(level, level.toUpperCase().padEnd(5)), fields, message)}\n`)
  }
  return { info: at('info'), warn: at('warn'), error: at('error') }
}

function textLine(time: string, level: string, fields: ReportFields, message: string): string {
  let line = `${time} ${level} ${oneLine(message)}`
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) line += ` ${name}=${textValue(plain(value))}`
  }
  return line
}

function jsonLine(time: string, level: string, fields: ReportFields, message: string): string {
  const values = Object.entries(fields).map(([name, value]) => [name, plain(value)])
  // The own three come last: a field cannot pretend to be another time or level.
  return JSON.stringify({ ...Object.fromEntries(values), time, level, message }, (_, value) =>
    plain(value),
  )
}

function textValue(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value, (_, inner) => plain(inner))
  return /^[\x21\x23-\x3c\x3e-\x7e]+$/.test(text) ? text : JSON.stringify(text)
}

/** What JSON cannot say by itself. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  if (value instanceof Error) return errorText(value)
  return value
}

function errorText(error: Error): string {
  const own = error.stack ?? `${error.name}: ${error.message}`
  return error.cause instanceof Error ? `${own}\ncaused by ${errorText(error.cause)}` : own
}

/** Names from clients are in messages: they begin no line of their own and steer no terminal. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
}
