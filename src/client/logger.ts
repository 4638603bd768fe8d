/** What a client has to say to people. */
import { inspect } from 'node:util'

/** What a line is about, by name. */
export type LogFields = Readonly<Record<string, unknown>>

/** Takes one event a call, in the form of pino and its kin. */
export interface Logger {
  /** Connections that come, go, and are not made. */
  debug(fields: LogFields, message: string): void
  /** What may be of interest when something is looked for. */
  info(fields: LogFields, message: string): void
  /** What people should see: a consumer that stands still, offsets that were not committed. */
  warn(fields: LogFields, message: string): void
  /** What goes on wrong until somebody acts. */
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

/** The same, but what it throws breaks nothing: it must not undo what it is told of. */
export function guarded(logger: Logger): Logger {
  const guard =
    (level: keyof Logger) =>
    (fields: LogFields, message: string): void => {
      try {
        logger[level](fields, message)
      } catch (error) {
        emit({ error }, `the logger threw on '${message}'`)
      }
    }
  return { debug: guard('debug'), info: guard('info'), warn: guard('warn'), error: guard('error') }
}

function emit(fields: LogFields, message: string): void {
  const known = Object.entries(fields).filter(([, value]) => value !== undefined)
  const detail = known.map(([name, value]) => `${name}=${text(value)}`).join(' ')
  process.emitWarning(message, { type: 'OttlaWarning', detail })
}

function text(value: unknown): string {
  if (value instanceof Error) return value.message
  return typeof value === 'object' ? inspect(value, { breakLength: Infinity }) : String(value)
}
