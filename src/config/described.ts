/** What each config is worth and where it comes from: the pure part of DescribeConfigs. */
import type { ConfigSources } from './broker-config.ts'
import { brokerKeys } from './broker-keys.ts'
import { defaultText } from './cluster-defaults.ts'
import type { ConfigKey, ConfigType } from './key.ts'
import { topicSynonyms } from './topic-config.ts'
import { topicKeys } from './topic-keys.ts'

/** Kafka's numbers of the places a value may come from. */
export const configSource = {
  topic: 1,
  broker: 2,
  allBrokers: 3,
  properties: 4,
  default: 5,
} as const

/** Kafka's numbers of the types. */
export const configTypeNumber: Readonly<Record<ConfigType, number>> = {
  BOOLEAN: 1,
  STRING: 2,
  INT: 3,
  SHORT: 4,
  LONG: 5,
  DOUBLE: 6,
  LIST: 7,
  CLASS: 8,
  PASSWORD: 9,
}

/** A value that was given under some name in some place. */
export interface ConfigSynonym {
  readonly name: string
  /** Null when it is secret. */
  readonly value: string | null
  readonly source: number
}

export interface DescribedConfig {
  readonly key: ConfigKey
  readonly value: string | null
  readonly source: number
  readonly isReadOnly: boolean
  readonly isSensitive: boolean
  /** All places that have a value, the one that counts first. */
  readonly synonyms: readonly ConfigSynonym[]
}

/** All configs of a topic with these overrides. */
export function describeTopicConfigs(
  overrides: ReadonlyMap<string, string>,
  sources: ConfigSources,
): DescribedConfig[] {
  return [...topicKeys.values()].map(key => {
    const override = overrides.get(key.name)
    const names = topicSynonyms.get(key.name) ?? []
    const inherited = synonymsOf(names, sources)
    const own =
      override === undefined
        ? []
        : [{ name: key.name, value: override, source: configSource.topic }]
    const synonyms = [...own, ...inherited]
    const value = override ?? inheritedValue(key, inherited)
    const source = synonyms[0]?.source ?? configSource.default
    return { key, value, source, isReadOnly: false, isSensitive: false, synonyms }
  })
}

/** All configs of this broker. */
export function describeBrokerConfigs(sources: ConfigSources): DescribedConfig[] {
  return [...brokerKeys.values()].map(key => {
    const isSensitive = key.type === 'PASSWORD'
    const synonyms = synonymsOf([key.name], sources)
    const value = isSensitive ? null : (synonyms[0]?.value ?? null)
    const source = synonyms[0]?.source ?? configSource.default
    return { key, value, source, isReadOnly: !key.dynamic, isSensitive, synonyms }
  })
}

/** The dynamic defaults of all brokers: what is set there and nothing else. */
export function describeBrokerDefaults({ clusterWide }: ConfigSources): DescribedConfig[] {
  return [...clusterWide].flatMap(([name, value]) => {
    const key = brokerKeys.get(name)
    if (key === undefined) return []
    const source = configSource.allBrokers
    const synonyms = [{ name, value, source }]
    return [{ key, value, source, isReadOnly: false, isSensitive: false, synonyms }]
  })
}

function synonymsOf(names: readonly string[], sources: ConfigSources): ConfigSynonym[] {
  return names.flatMap(name => {
    const key = brokerKeys.get(name)!
    const isSensitive = key.type === 'PASSWORD'
    const places: [string | null | undefined, number][] = [
      [sources.perBroker.get(name), configSource.broker],
      [sources.clusterWide.get(name), configSource.allBrokers],
      [sources.properties.get(name), configSource.properties],
      [defaultText(key, sources.properties), configSource.default],
    ]
    return places
      .filter(([value]) => value !== undefined && value !== null)
      .map(([value, source]) => ({ name, value: isSensitive ? null : value!, source }))
  })
}

/** A broker's value in the unit of the topic's key. */
function inheritedValue(key: ConfigKey, inherited: readonly ConfigSynonym[]): string | null {
  const [first] = inherited
  if (first === undefined || first.source === configSource.default) return key.defaultValue
  const unitMs = first.name.endsWith('.hours')
    ? 3_600_000
    : first.name.endsWith('.minutes')
      ? 60_000
      : 1
  if (unitMs === 1 || first.value === '-1') return first.value
  return String(Number(first.value) * unitMs)
}
