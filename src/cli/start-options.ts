/**
 * What `ottla start` is asked to do. Its few options are parsed by Node itself, because loading the
 * command-line library would take longer than loading the broker; `program.ts` builds the help and
 * the messages for mistakes from the same table.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { plaintextListener } from '../config/listeners.ts'
import { parseProperties } from '../config/properties.ts'
import { type ReportFormat, type ReportLevel, reportLevels } from '../io/report.ts'
import { Failure, fileProblem } from './failure.ts'

export interface StartOption {
  readonly name: string
  readonly short?: string
  /** What it takes; without one it is a switch. */
  readonly value?: string
  readonly multiple?: true
  readonly about: string
}

export const startOptions: readonly StartOption[] = [
  { name: 'port', short: 'p', value: 'number', about: 'port to listen on (default: 9092)' },
  { name: 'host', value: 'address', about: 'address to listen on (default: 127.0.0.1)' },
  { name: 'data', short: 'd', value: 'directory', about: 'data directory (default: ./ottla-data)' },
  { name: 'memory', about: 'keep everything in memory, until the broker stops' },
  {
    name: 'config',
    short: 'c',
    value: 'file',
    multiple: true,
    about: "a server.properties file, with Kafka's keys; a later file overrides an earlier one",
  },
  {
    name: 'set',
    short: 's',
    value: 'key=value',
    multiple: true,
    about: 'one config, stronger than files and environment; can be repeated',
  },
  {
    name: 'log-format',
    value: 'format',
    about: 'text or json (default: text in a terminal, json elsewhere)',
  },
  {
    name: 'stop-on-eof',
    about:
      'stop when standard input ends, as it does when the process that started this one is gone',
  },
  { name: 'log-level', value: 'level', about: 'info, warn or error (default: info)' },
]

export type StartValues = Readonly<Record<string, string | string[] | boolean | undefined>>

type Value = StartValues[string]

/** Undefined when the arguments need an explanation: help is wanted, or there is a mistake. */
export function parseStart(argv: readonly string[]): StartValues | undefined {
  const options = Object.fromEntries(
    startOptions.map(({ name, short, value, multiple }) => {
      const type = value === undefined ? ('boolean' as const) : ('string' as const)
      return [name, { type, multiple: multiple === true, ...(short && { short }) }]
    }),
  )
  try {
    return parseArgs({ args: [...argv], options, strict: true }).values as StartValues
  } catch {
    return undefined
  }
}

const environmentPrefix = 'OTTLA_'

/**
 * The broker's properties: files, then the environment (`OTTLA_LOG_DIRS` is `log.dirs`), then --set,
 * then --data, --host and --port; the last one wins. Throws Failure.
 */
export function startProperties(
  values: StartValues,
  environment: Readonly<Record<string, string | undefined>>,
): Map<string, string> {
  const properties = new Map<string, string>()
  for (const file of listOf(values.config)) {
    for (const [key, value] of readProperties(file)) properties.set(key, value)
  }
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith(environmentPrefix) || value === undefined) continue
    const key = name.slice(environmentPrefix.length).toLowerCase().replaceAll('_', '.')
    properties.set(key, value)
  }
  for (const pair of listOf(values.set)) {
    const equals = pair.indexOf('=')
    if (equals < 1) {
      throw new Failure(`--set ${pair}: write it as key=value, as in --set num.partitions=3`)
    }
    properties.set(pair.slice(0, equals).trim(), pair.slice(equals + 1).trim())
  }
  if (typeof values.data === 'string') properties.set('log.dirs', values.data)
  const listener = listenerOf(values.host, values.port)
  if (listener !== undefined) properties.set('listeners', listener)
  return properties
}

/** Where the broker keeps what it has. Throws Failure when both are asked for. */
export function startStorage({ memory, data }: StartValues): 'memory' | 'files' {
  if (memory !== true) return 'files'
  if (data === undefined) return 'memory'
  throw new Failure(`--memory and --data ${data}: say one of them`)
}

/** How the broker reports. Throws Failure for a word that is none. */
export function reportOptions(
  values: StartValues,
  isTerminal: boolean,
): { readonly format: ReportFormat; readonly level: ReportLevel } {
  const format = values['log-format'] ?? values.logFormat ?? (isTerminal ? 'text' : 'json')
  if (format !== 'text' && format !== 'json') {
    throw new Failure(`--log-format ${format}: it is text or json`)
  }
  const wanted = values['log-level'] ?? values.logLevel ?? 'info'
  const level = reportLevels.find(each => each === wanted)
  if (level === undefined) throw new Failure(`--log-level ${wanted}: it is info, warn or error`)
  return { format, level }
}

function listOf(value: Value): readonly string[] {
  if (Array.isArray(value)) return value
  return typeof value === 'string' ? [value] : []
}

function readProperties(file: string): Map<string, string> {
  try {
    return parseProperties(readFileSync(file, 'utf8'))
  } catch (cause) {
    throw new Failure(`cannot read the config file ${file}: ${fileProblem(cause)}`, { cause })
  }
}

function listenerOf(host: Value, port: Value): string | undefined {
  if (host === undefined && port === undefined) return undefined
  const number = port === undefined ? 9092 : Number(port)
  if (!Number.isInteger(number) || number < 0 || number > 65535) {
    throw new Failure(`--port ${port}: a port is a whole number from 0 (any free one) to 65535`)
  }
  return plaintextListener(String(host ?? '127.0.0.1'), number)
}
