/** The logger of kafkajs, and the logger of Ottla's client on top of it. */
import type { Logger as ClientLogger, LogFields } from '../client/logger.ts'
import { logLevel } from './constants.ts'

export interface LoggerEntryContent {
  readonly timestamp: string
  readonly message: string
  // biome-ignore lint/suspicious/noExplicitAny: programs written for kafkajs read fields of it
  [key: string]: any
}

export interface LogEntry {
  namespace: string
  level: logLevel
  /** The name of the level. */
  label: string
  log: LoggerEntryContent
}

/** Makes what takes entries. */
export type logCreator = (logLevel: logLevel) => (entry: LogEntry) => void

type Log = (message: string, extra?: object) => void

export interface Logger {
  info: Log
  error: Log
  warn: Log
  debug: Log
  /** One with a name of its own, and a level if that is given. */
  namespace: (namespace: string, logLevel?: logLevel | null) => Logger
  /** For all loggers that came from one, but those with a level of their own. */
  setLogLevel: (logLevel: logLevel) => void
}

export interface LoggerOptions {
  readonly level: logLevel
  readonly creator: logCreator
  readonly wallMs: () => number
}

export function createLogger({ level, creator, wallMs }: LoggerOptions): Logger {
  const common = { level }
  const write = creator(level)
  const named = (namespace: string, ownLevel?: logLevel | null): Logger => {
    const at =
      (label: 'ERROR' | 'WARN' | 'INFO' | 'DEBUG'): Log =>
      (message, extra = {}) => {
        if (logLevel[label] > (ownLevel ?? common.level)) return
        const timestamp = new Date(wallMs()).toISOString()
        const log = { timestamp, logger: 'ottla/kafkajs', message, ...extra }
        write({ namespace, level: logLevel[label], label, log })
      }
    return {
      info: at('INFO'),
      error: at('ERROR'),
      warn: at('WARN'),
      debug: at('DEBUG'),
      namespace: named,
      setLogLevel(next) {
        common.level = next
      },
    }
  }
  return named('')
}

/** A line of JSON for each entry, by the console's function of its level. */
export const consoleLogCreator: logCreator =
  () =>
  ({ namespace, label, log }) => {
    const message = namespace === '' ? log.message : `[${namespace}] ${log.message}`
    const line = JSON.stringify({ level: label, ...log, message })
    if (label === 'ERROR') console.error(line)
    else if (label === 'WARN') console.warn(line)
    else if (label === 'INFO') console.info(line)
    else console.debug(line)
  }

/** What Ottla's client says, said by a logger of kafkajs. */
export function clientLogger(logger: Logger): ClientLogger {
  const at = (level: 'debug' | 'info' | 'warn' | 'error') => (fields: LogFields, message: string) =>
    logger[level](message, fields)
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
