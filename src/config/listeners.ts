/** The listeners of a broker, in Kafka's notation `NAME://host:port`. */
import { ConfigError } from './key.ts'

export interface Listener {
  /** In upper case, as Kafka compares them. */
  readonly name: string
  /** '' is every address. */
  readonly host: string
  /** 0: any free one. */
  readonly port: number
}

export interface Endpoint {
  readonly host: string
  readonly port: number
}

/**
 * The listeners to open. Those named in `controllerNames` are KRaft's and left out. Throws
 * ConfigError for a protocol other than PLAINTEXT, a name or port that occurs twice, and none at all.
 */
export function parseListeners(
  entries: readonly string[],
  protocolMap: readonly string[],
  controllerNames: string,
): readonly Listener[] {
  const protocols = new Map(protocolMap.map(entry => parseProtocol(entry)))
  const controllers = controllerNames.split(',').map(name => name.trim().toUpperCase())
  const listeners = entries
    .map(entry => parseEndpoint('listeners', entry))
    .filter(({ name }) => !controllers.includes(name))
  if (listeners.length === 0) {
    throw new ConfigError('listeners names none: say for example PLAINTEXT://127.0.0.1:9092')
  }
  for (const [index, { name, port }] of listeners.entries()) {
    const protocol = protocols.get(name)
    if (protocol === undefined) {
      throw new ConfigError(
        `listener ${name} has no protocol: add ${name}:PLAINTEXT to listener.security.protocol.map`,
      )
    }
    if (protocol !== 'PLAINTEXT') {
      throw new ConfigError(
        `listener ${name} asks for ${protocol}, which is not served yet: only PLAINTEXT is`,
      )
    }
    const others = listeners.slice(0, index)
    if (others.some(other => other.name === name)) {
      throw new ConfigError(`listeners names ${name} twice`)
    }
    if (port !== 0 && others.some(other => other.port === port)) {
      throw new ConfigError(`listeners names port ${port} twice`)
    }
  }
  return listeners
}

/** What advertised.listeners says of each listener. Throws ConfigError for one that is not opened. */
export function parseAdvertised(
  entries: readonly string[] | null,
  listeners: readonly Listener[],
): ReadonlyMap<string, Endpoint> {
  const advertised = new Map<string, Endpoint>()
  for (const entry of entries ?? []) {
    const { name, host, port } = parseEndpoint('advertised.listeners', entry)
    if (!listeners.some(listener => listener.name === name)) {
      // KRaft files advertise their controller listener too; nothing listens there.
      if (name === 'CONTROLLER') continue
      throw new ConfigError(`advertised.listeners names ${name}, which listeners does not`)
    }
    if (isWildcard(host)) {
      throw new ConfigError(
        `advertised.listeners must say where clients reach ${name}: '${host}' is no such address`,
      )
    }
    if (advertised.has(name)) throw new ConfigError(`advertised.listeners names ${name} twice`)
    advertised.set(name, { host, port })
  }
  return advertised
}

/**
 * Throws ConfigError for a listener that others cannot be told of: it is open on every address, and
 * advertised.listeners does not say which one leads here from another machine.
 */
export function checkReachable(
  listeners: readonly Listener[],
  advertised: ReadonlyMap<string, Endpoint>,
): void {
  const vague = listeners.find(({ name, host }) => isWildcard(host) && !advertised.has(name))
  if (vague === undefined) return
  throw new ConfigError(
    `listener ${vague.name} is open on every address: say in advertised.listeners at which one other brokers, and their clients, reach this broker, for example ${vague.name}://broker1.example:${vague.port || 9092}`,
  )
}

function isWildcard(host: string): boolean {
  return host === '' || host === '0.0.0.0' || host === '::'
}

/** The listener for brokers, by name. Throws ConfigError for one that is not opened. */
export function interBrokerListener(wanted: string | null, listeners: readonly Listener[]): string {
  const names = listeners.map(({ name }) => name)
  const name = wanted?.trim().toUpperCase() ?? ''
  if (name === '') return names.includes('PLAINTEXT') ? 'PLAINTEXT' : names[0]!
  if (names.includes(name)) return name
  throw new ConfigError(`inter.broker.listener.name is ${name}, which listeners does not name`)
}

/** The entry of `listeners` for one plain listener, on loopback by default. */
export function plaintextListener(host = '127.0.0.1', port = 9092): string {
  return `PLAINTEXT://${host.includes(':') ? `[${host}]` : host}:${port}`
}

function parseEndpoint(key: string, entry: string): Listener {
  const match = /^([A-Za-z0-9._-]+):\/\/(?:\[([0-9a-fA-F:.%]+)\]|([^:[\]/\s]*)):(\d{1,5})$/.exec(
    entry,
  )
  const port = Number(match?.[4])
  if (match === null || port > 65_535) {
    throw new ConfigError(`invalid entry '${entry.slice(0, 200)}' of ${key}: say NAME://host:port`)
  }
  return { name: match[1]!.toUpperCase(), host: match[2] ?? match[3] ?? '', port }
}

function parseProtocol(entry: string): [name: string, protocol: string] {
  const [name, protocol, rest] = entry.split(':')
  const words = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL']
  if (!name || !protocol || rest !== undefined || !words.includes(protocol.trim().toUpperCase())) {
    throw new ConfigError(
      `invalid entry '${entry.slice(0, 200)}' of listener.security.protocol.map: say NAME:PROTOCOL`,
    )
  }
  return [name.trim().toUpperCase(), protocol.trim().toUpperCase()]
}
