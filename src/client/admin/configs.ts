/** Configs of topics and brokers. A broker knows its own alone; others are asked of any. */
import { KafkaError } from '../../protocol/errors.ts'
import {
  describeConfigsRequest,
  describeConfigsResponse,
} from '../../protocol/messages/describe-configs.ts'
import {
  incrementalAlterConfigsRequest,
  incrementalAlterConfigsResponse,
} from '../../protocol/messages/incremental-alter-configs.ts'
import type { Fields, Incoming, IncomingFields, Message } from '../../protocol/schema.ts'
import type { ClientError } from '../cluster.ts'
import { type Body, ConnectionError } from '../connection.ts'
import type { AdminCall } from './call.ts'
import type {
  ConfigChanges,
  ConfigEntry,
  ConfigResource,
  ConfigSource,
  Configs,
  ConfigType,
  ConfigValue,
  DescribeConfigsOptions,
} from './options.ts'
import { asOutcomes, type Outcome, refusal, unanswered } from './outcome.ts'

/** Kafka's numbers of the kinds. */
const kinds = { topic: 2, broker: 4 } as const

/** By Kafka's numbers. */
const sources: readonly ConfigSource[] = [
  'UNKNOWN',
  'DYNAMIC_TOPIC_CONFIG',
  'DYNAMIC_BROKER_CONFIG',
  'DYNAMIC_DEFAULT_BROKER_CONFIG',
  'STATIC_BROKER_CONFIG',
  'DEFAULT_CONFIG',
  'DYNAMIC_BROKER_LOGGER_CONFIG',
  'CLIENT_METRICS_CONFIG',
  'GROUP_CONFIG',
]

/** By Kafka's numbers. */
const types: readonly ConfigType[] = [
  'UNKNOWN',
  'BOOLEAN',
  'STRING',
  'INT',
  'SHORT',
  'LONG',
  'DOUBLE',
  'LIST',
  'CLASS',
  'PASSWORD',
]

/** Kafka's numbers of what can be done. */
const operations = { set: 0, reset: 1, append: 2, subtract: 3 } as const

export async function describeConfigs(
  call: AdminCall,
  resources: readonly ConfigResource[],
  { names, synonyms = false, documentation = false }: DescribeConfigsOptions,
): Promise<Outcome<ConfigResource, { configs: Configs }>[]> {
  const results = await perBroker(call, resources, async (mine, ask) => {
    const answer = await ask(describeConfigsRequest, describeConfigsResponse, version => ({
      resources: mine.map(({ kind, name }) => ({
        resourceType: kinds[kind],
        resourceName: name,
        configurationKeys: names ?? null,
      })),
      includeSynonyms: synonyms,
      ...(version >= 3 && { includeDocumentation: documentation }),
    }))
    return answersTo(mine, answer.results, ({ configs }) => ({
      configs: Object.fromEntries(configs.map(each => [each.name, entryOf(each)])),
    }))
  })
  return asOutcomes(resources, keyOf, results)
}

type WireConfig = Incoming<typeof describeConfigsResponse>['results'][number]['configs'][number]

function entryOf(config: WireConfig): ConfigEntry {
  const { name, value, configSource, isSensitive, synonyms, documentation } = config
  const source = sources[configSource] ?? 'UNKNOWN'
  return {
    name,
    value,
    source,
    isDefault: source === 'DEFAULT_CONFIG',
    isReadOnly: config.readOnly,
    isSensitive,
    type: types[config.configType] ?? 'UNKNOWN',
    documentation: documentation || null,
    synonyms: synonyms.map(each => ({ ...each, source: sources[each.source] ?? 'UNKNOWN' })),
  }
}

export async function alterConfigs(
  call: AdminCall,
  changes: readonly ConfigChanges[],
  validateOnly: boolean,
): Promise<Outcome<ConfigResource>[]> {
  const results = await perBroker(call, changes, async (mine, ask) => {
    const answer = await ask(incrementalAlterConfigsRequest, incrementalAlterConfigsResponse, {
      resources: mine.map(each => ({
        resourceType: kinds[each.kind],
        resourceName: each.name,
        configs: operationsOf(each),
      })),
      validateOnly,
    })
    return answersTo(mine, answer.responses, () => ({}))
  })
  return asOutcomes(changes, keyOf, results)
}

function operationsOf({ reset = [], ...changes }: ConfigChanges) {
  const valued = (['set', 'append', 'subtract'] as const).flatMap(operation =>
    Object.entries(changes[operation] ?? {}).map(([name, value]) => ({
      name,
      configOperation: operations[operation],
      value: configText(value),
    })),
  )
  const cleared = reset.map(name => ({ name, configOperation: operations.reset, value: null }))
  return [...valued, ...cleared]
}

export function configText(value: ConfigValue): string {
  return String(value)
}

type Ask = <Q extends Fields, S extends Fields>(
  request: Message<Q>,
  response: Message<S>,
  body: Body<Q>,
) => Promise<IncomingFields<S>>

/** One request for each broker that is meant, and one to any for the rest; results in order. */
async function perBroker<Resource extends ConfigResource, Value>(
  call: AdminCall,
  resources: readonly Resource[],
  send: (mine: readonly Resource[], ask: Ask) => Promise<(Value | KafkaError)[]>,
): Promise<(Value | ClientError)[]> {
  const results = new Map<Resource, Value | ClientError>()
  const groups = Map.groupBy(resources, ({ kind, name }) =>
    kind === 'broker' && name !== '' ? name : undefined,
  )
  const sending = [...groups].map(async ([broker, mine]) => {
    try {
      const ask: Ask = (request, response, body) =>
        broker === undefined
          ? call.caller.call(request, response, body)
          : call.caller.callBroker(brokerIdOf(broker), request, response, body)
      const answers = await send(mine, ask)
      for (const [index, each] of mine.entries()) results.set(each, answers[index]!)
    } catch (error) {
      if (!(error instanceof KafkaError || error instanceof ConnectionError)) throw error
      for (const each of mine) results.set(each, error)
    }
  })
  await Promise.all(sending)
  call.throwIfEnded()
  return resources.map(each => results.get(each)!)
}

function brokerIdOf(name: string): number {
  if (/^\d{1,10}$/u.test(name)) return Number(name)
  throw new KafkaError('INVALID_REQUEST', `'${name}' is no id of a broker: write '1', or ''`)
}

interface Answer {
  readonly resourceType: number
  readonly resourceName: string
  readonly errorCode: number
  readonly errorMessage: string | null
}

function answersTo<Each extends Answer, Value>(
  resources: readonly ConfigResource[],
  answers: readonly Each[],
  read: (answer: Each) => Value,
): (Value | KafkaError)[] {
  const byResource = new Map(
    answers.map(each => [`${each.resourceType} ${each.resourceName}`, each]),
  )
  return resources.map(({ kind, name }) => {
    const found = byResource.get(`${kinds[kind]} ${name}`)
    if (found === undefined) return unanswered(`${kind} ${name}`)
    return refusal(found.errorCode, `${kind} ${name}`, found.errorMessage) ?? read(found)
  })
}

function keyOf({ kind, name }: ConfigResource): ConfigResource {
  return { kind, name }
}
