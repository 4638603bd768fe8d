/** What a client has to say to people. */
import type { Report } from '../io/io.ts'

export type LogFields = Readonly<Record<string, unknown>>

/** Takes one event a call, in the form of pino and its kin. */
export interface Logger {
  debug(fields: LogFields, message: string): void
  info(fields: LogFields, message: string): void
  warn(fields: LogFields, message: string): void
  error(fields: LogFields, message: string): void
}

/**
 * A library does not write to the output of the program it serves. Warnings are for its people all
 * the same (a consumer that stands still), so they go the way of Node's own: stderr, unless
 * `--no-warnings`, and `process.on('warning')`.
 */
export const defaultLogger: Logger = {
  debug() {},
  info() {},
  warn: emit,
  error: emit,
}

/** The same as what io reports to. A logger that throws must not break what it is told of. */
export function reportOf(logger: Logger): Report {
  const guarded =
    (level: 'info' | 'warn' | 'error') =>
    (fields: LogFields, message: string): void => {
      try {
        logger[level](fields, message)
      } catch (error) {
        emit({ error }, `the logger threw on '${message}'`)
      }
    }
  return { info: guarded('info'), warn: guarded('warn'), error: guarded('error') }
}

function emit(fields: LogFields, message: string): void {
  const known = Object.entries(fields).filter(([, value]) => value !== undefined)
  const detail = known.map(([name, value]) => `${name}=${text(value)}`).join(' ')
  process.emitWarning(message, { type: 'OttlaWarning', detail })
}

function text(value: unknown): string {
  if (value instanceof Error) return value.message
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
