/** Configs of topics and brokers: describe and change, one call each. */
import { errorName, KafkaError } from '../protocol/errors.ts'
import {
  describeConfigsRequest,
  describeConfigsResponse,
} from '../protocol/messages/describe-configs.ts'
import {
  incrementalAlterConfigsRequest,
  incrementalAlterConfigsResponse,
} from '../protocol/messages/incremental-alter-configs.ts'
import type { Fields, Incoming, IncomingFields, Message } from '../protocol/schema.ts'
import { type Caller, refused } from './cluster.ts'
import type { Body } from './connection.ts'

/** What has configs. The broker with the name '' is the default of all brokers. */
export interface ConfigResource {
  readonly kind: 'topic' | 'broker'
  /** Of a topic its name, of a broker its id. */
  readonly name: string
}

/** A config with its value, where that comes from, and what it is for. */
export type Config = Incoming<typeof describeConfigsResponse>['results'][number]['configs'][number]

/** Kafka's numbers of the kinds. */
const kinds = { topic: 2, broker: 4 } as const

/** All configs of a topic or broker, set or default, with synonyms and documentation. Throws KafkaError. */
export async function describeConfigs(
  cluster: Caller,
  resource: ConfigResource,
): Promise<readonly Config[]> {
  const answer = await callFor(
    cluster,
    resource,
    describeConfigsRequest,
    describeConfigsResponse,
    version => ({
      resources: [
        {
          resourceType: kinds[resource.kind],
          resourceName: resource.name,
          configurationKeys: null,
        },
      ],
      includeSynonyms: true,
      ...(version >= 3 && { includeDocumentation: true }),
    }),
  )
  const result = answer.results[0]
  throwIfRefused(result)
  return result!.configs
}

/** The same of several topics at once, by name; without synonyms and documentation. */
export async function describeTopicConfigs(
  cluster: Caller,
  names: readonly string[],
): Promise<Map<string, readonly Config[]>> {
  const answer = await cluster.call(describeConfigsRequest, describeConfigsResponse, {
    resources: names.map(resourceName => ({
      resourceType: kinds.topic,
      resourceName,
      configurationKeys: null,
    })),
  })
  for (const result of answer.results) throwIfRefused(result)
  return new Map(answer.results.map(({ resourceName, configs }) => [resourceName, configs]))
}

/** Sets configs, or with null takes one back to its default; all of them or none. Throws KafkaError. */
export async function alterConfigs(
  cluster: Caller,
  resource: ConfigResource,
  changes: ReadonlyMap<string, string | null>,
): Promise<void> {
  const answer = await callFor(
    cluster,
    resource,
    incrementalAlterConfigsRequest,
    incrementalAlterConfigsResponse,
    {
      resources: [
        {
          resourceType: kinds[resource.kind],
          resourceName: resource.name,
          configs: [...changes].map(([name, value]) => ({
            name,
            configOperation: value === null ? 1 : 0,
            value,
          })),
        },
      ],
      validateOnly: false,
    },
  )
  throwIfRefused(answer.responses[0])
}

/** A broker knows its own configs only; those of topics and the defaults are known to all. */
function callFor<Q extends Fields, S extends Fields>(
  cluster: Caller,
  { kind, name }: ConfigResource,
  request: Message<Q>,
  response: Message<S>,
  body: Body<Q>,
): Promise<IncomingFields<S>> {
  return kind === 'broker' && name !== ''
    ? cluster.callBroker(Number(name), request, response, body)
    : cluster.call(request, response, body)
}

function throwIfRefused(
  result: { readonly errorCode: number; readonly errorMessage: string | null } | undefined,
): void {
  if (result === undefined) throw new KafkaError('UNKNOWN_SERVER_ERROR', 'the answer is empty')
  const { errorCode, errorMessage } = result
  if (errorCode !== 0) throw refused(errorCode, errorMessage ?? errorName(errorCode))
}
