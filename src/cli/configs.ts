/** `ottla configs …` */
import type { Cluster } from '../client/cluster.ts'
import {
  alterConfigs,
  type Config,
  type ConfigResource,
  describeConfigs,
} from '../client/configs.ts'
import { brokerKeys } from '../config/broker-keys.ts'
import { configSource } from '../config/described.ts'
import { topicKeys } from '../config/topic-keys.ts'
import { type BootstrapOptions, withCluster } from './bootstrap.ts'
import { Failure } from './failure.ts'
import { nearest } from './nearest.ts'
import { print, printJson, styled, table, waitingFor } from './output.ts'
import { throwIfUnknown } from './topics.ts'

type Kind = ConfigResource['kind']

/** Where a value comes from. */
export const sourceNames: Readonly<Record<number, string>> = {
  [configSource.topic]: 'topic',
  [configSource.broker]: 'this broker',
  [configSource.allBrokers]: 'all brokers',
  [configSource.properties]: 'properties',
  [configSource.default]: 'default',
}

interface DescribeOptions extends BootstrapOptions {
  readonly all?: true
  readonly json?: true
}

export async function describe(
  kind: Kind,
  names: readonly string[],
  options: DescribeOptions,
): Promise<void> {
  if (kind === 'topic' && names.length === 0) throw new Failure('name a topic')
  await withCluster(options, async cluster => {
    const resources = await existing(cluster, kind, names)
    for (const [index, resource] of resources.entries()) {
      const configs = await waitingFor(
        `asking for the configs of ${title(resource)}`,
        describeConfigs(cluster, resource),
      )
      const shown = configs
        .filter(config => options.all || isChanged(resource.kind, config))
        .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      if (options.json) {
        await printJson({ ...resource, configs: shown.map(each => plain(resource.kind, each)) })
      } else {
        const head = `${index > 0 ? '\n' : ''}${styled('bold', title(resource))}\n`
        await print(
          head + (options.all ? everything(resource.kind, shown) : changed(resource.kind, shown)),
        )
      }
    }
  })
}

/** What the names stand for; no name of a broker stands for every broker and their defaults. */
async function existing(
  cluster: Cluster,
  kind: Kind,
  names: readonly string[],
): Promise<ConfigResource[]> {
  if (kind === 'topic') {
    for (const topic of (await cluster.metadata(names)).topics) throwIfUnknown(topic)
    return names.map(name => ({ kind, name }))
  }
  const ids = (await cluster.metadata([])).brokers.map(({ nodeId }) => String(nodeId))
  for (const name of names) {
    if (name !== allBrokers && !ids.includes(name)) {
      throw new Failure(
        `there is no broker ${name}: there ${ids.length === 1 ? 'is' : 'are'} ${ids.join(', ')}`,
      )
    }
  }
  const chosen = names.length > 0 ? names : ids.toSorted((a, b) => Number(a) - Number(b))
  return chosen.map(name => ({ kind, name: name === allBrokers ? '' : name }))
}

/** The name of the defaults of all brokers, as kafka-configs.sh calls them. */
const allBrokers = 'default'

function title({ kind, name }: ConfigResource): string {
  return name === '' ? 'all brokers' : `${kind} ${name}`
}

/** Properties often repeat the default; what was set on a topic or broker is shown in any case. */
function isChanged(kind: Kind, config: Config): boolean {
  const { configSource: source, value } = config
  if (source === configSource.default) return false
  return source !== configSource.properties || value !== defaultOf(kind, config)
}

function changed(kind: Kind, configs: readonly Config[]): string {
  if (configs.length === 0) return 'Nothing differs from the defaults: --all shows these.\n'
  const columns = ['KEY', 'VALUE', 'SOURCE', 'DEFAULT'].map(title => ({ title }))
  return table(
    columns,
    configs.map(config => [
      config.name,
      valueText(config),
      sourceNames[config.configSource] ?? config.configSource,
      defaultOf(kind, config) ?? '-',
    ]),
  )
}

function everything(kind: Kind, configs: readonly Config[]): string {
  const entries = configs.map(config => {
    const isDefault = config.configSource === configSource.default
    const source = isDefault
      ? 'default'
      : `${sourceNames[config.configSource] ?? config.configSource}; default ${defaultOf(kind, config) ?? 'none'}`
    const name = isDefault ? config.name : styled('bold', config.name)
    const fixed = config.readOnly ? ', fixed while it runs' : ''
    const about = styled('dim', `    ${docOf(kind, config) || '(not documented)'}`)
    return `${name}=${valueText(config)}  ${styled('dim', `(${source}${fixed})`)}\n${about}\n`
  })
  return entries.join('')
}

function valueText({ isSensitive, value }: Config): string {
  return isSensitive ? '(secret)' : (value ?? 'none')
}

/** What a config would be if nobody had set it anywhere. */
function defaultOf(kind: Kind, { name, synonyms }: Config): string | null {
  const found = synonyms.find(({ source }) => source === configSource.default)
  return found === undefined ? (keysOf(kind).get(name)?.defaultValue ?? null) : inMs(name, found)
}

/** Kafka names other keys as synonyms, which can be in another unit: `log.retention.hours`. */
function inMs(key: string, { name, value }: Config['synonyms'][number]): string | null {
  const unit = key.endsWith('.ms') ? /[.](?:hours|minutes)$/u.exec(name)?.[0] : undefined
  if (unit === undefined || value === null || value === '-1') return value
  return String(Number(value) * (unit === '.hours' ? 3_600_000 : 60_000))
}

function keysOf(kind: Kind) {
  return kind === 'topic' ? topicKeys : brokerKeys
}

/** Our sentence; for a key that only the broker knows the first of its own, without its markup. */
function docOf(kind: Kind, { name, documentation }: Config): string {
  const ours = keysOf(kind).get(name)?.doc
  if (ours !== undefined) return ours
  const text = (documentation ?? '').replace(/<[^>]*>/gu, '').replace(/\s+/gu, ' ')
  return /^.*?[.](?= |$)/u.exec(text)?.[0] ?? text
}

function plain(kind: Kind, config: Config) {
  return {
    key: config.name,
    value: config.isSensitive ? null : config.value,
    source: sourceNames[config.configSource] ?? String(config.configSource),
    default: defaultOf(kind, config),
    readOnly: config.readOnly,
    sensitive: config.isSensitive,
    doc: docOf(kind, config),
  }
}

/** `configs set topic NAME key=value…`, `configs set broker [ID] key=value…`. */
export async function set(
  kind: Kind,
  words: readonly string[],
  options: BootstrapOptions,
): Promise<void> {
  const [name, rest] = split(kind, words, word => word.includes('='))
  const changes = rest.map(pair => {
    const equals = pair.indexOf('=')
    if (equals < 1) throw new Failure(`${pair}: write it as key=value`)
    return [pair.slice(0, equals), pair.slice(equals + 1)] as const
  })
  if (changes.length === 0) throw new Failure('say what to set: key=value')
  await alter({ kind, name }, new Map(changes), options)
}

/** `configs unset topic NAME key…`, `configs unset broker [ID] key…`. */
export async function unset(
  kind: Kind,
  words: readonly string[],
  options: BootstrapOptions,
): Promise<void> {
  const [name, keys] = split(kind, words, word => !/^\d+$/u.test(word) && word !== allBrokers)
  if (keys.length === 0) throw new Failure('say which keys to take back to their defaults')
  await alter({ kind, name }, new Map(keys.map(key => [key, null])), options)
}

/** The name and what follows it; a broker's may be left out, which means all of them. */
function split(
  kind: Kind,
  words: readonly string[],
  isNoName: (word: string) => boolean,
): [name: string, rest: readonly string[]] {
  const [first = '', ...rest] = words
  if (kind === 'topic') return [first, rest]
  if (isNoName(first)) return ['', words]
  return [first === allBrokers ? '' : first, rest]
}

async function alter(
  resource: ConfigResource,
  changes: ReadonlyMap<string, string | null>,
  options: BootstrapOptions,
): Promise<void> {
  await withCluster(options, async cluster => {
    const [found] = await existing(
      cluster,
      resource.kind,
      resource.name === '' ? [] : [resource.name],
    )
    const known = await waitingFor('asking for configs', describeConfigs(cluster, found!))
    const before = new Map(known.map(config => [config.name, config]))
    for (const key of changes.keys()) throwIfFixed(resource, key, before)
    await waitingFor('changing', alterConfigs(cluster, resource, changes))
    const rows = [...changes].map(([key, value]) => {
      const config = before.get(key)!
      const after = config.isSensitive ? '(secret)' : (value ?? inherited(resource, config))
      return [key, valueText(config), after]
    })
    await print(
      table(
        ['KEY', 'BEFORE', 'AFTER'].map(title => ({ title })),
        rows,
      ),
    )
    await print(`Changed ${title(resource)}.\n`)
  })
}

function throwIfFixed(
  resource: ConfigResource,
  key: string,
  known: ReadonlyMap<string, Config>,
): void {
  const config = known.get(key)
  if (config === undefined) {
    const meant = nearest(key, known.keys())
    const hint =
      meant === undefined
        ? `\`ottla configs describe ${resource.kind} ${resource.name} --all\` shows all`
        : `did you mean ${meant}?`
    throw new Failure(`a ${resource.kind} has no config ${key} (${hint})`)
  }
  if (config.readOnly) {
    throw new Failure(
      `${key} cannot change while a broker runs: set it in its properties and start it again`,
    )
  }
}

/** What counts when the value that is set on the resource itself is gone. */
function inherited({ kind, name }: ConfigResource, config: Config): string {
  const brokers = name === '' ? configSource.allBrokers : configSource.broker
  const own = kind === 'topic' ? configSource.topic : brokers
  const next = config.synonyms.find(({ source }) => source !== own)
  return (next === undefined ? defaultOf(kind, config) : inMs(config.name, next)) ?? 'none'
}
