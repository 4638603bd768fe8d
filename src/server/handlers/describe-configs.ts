/**
 * DescribeConfigs (key 32), v1–4, of topics and of this broker: what another one was started with, only
 * that one knows.
 */
import {
  configTypeNumber,
  type DescribedConfig,
  describeBrokerConfigs,
  describeBrokerDefaults,
  describeTopicConfigs,
} from '../../config/described.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type {
  DescribeConfigsRequest,
  DescribeConfigsResponse,
} from '../../protocol/messages/describe-configs.ts'
import { configResource } from '../config-resources.ts'
import type { Failure, RequestContext } from '../context.ts'

type Resource = DescribeConfigsRequest['resources'][number]
type Result = DescribeConfigsResponse['results'][number]

export async function describeConfigs(
  ctx: RequestContext,
  request: DescribeConfigsRequest,
): Promise<DescribeConfigsResponse> {
  const results = request.resources.map((resource): Result => {
    const { resourceType, resourceName } = resource
    try {
      const configs = wantedConfigs(ctx, resource).map(config => shaped(request, config))
      return { errorCode: 0, errorMessage: null, resourceType, resourceName, configs }
    } catch (error) {
      return { ...ctx.refusal(error), resourceType, resourceName, configs: [] }
    }
  })
  return { results }
}

function wantedConfigs(
  ctx: RequestContext,
  { resourceType, resourceName, configurationKeys }: Resource,
): readonly DescribedConfig[] {
  const { type, name } = configResource(ctx, resourceType, resourceName)
  const { sources } = ctx.config
  const { brokerId } = ctx.domain
  if (type === 'broker' && name !== '' && name !== String(brokerId)) {
    throw new KafkaError(
      'INVALID_REQUEST',
      `this is broker ${brokerId}: ask for it, or for '' (all brokers), not '${name}'`,
    )
  }
  const all =
    type === 'topic'
      ? describeTopicConfigs(ctx.image.configs('topic', name), sources)
      : name === ''
        ? describeBrokerDefaults(sources)
        : describeBrokerConfigs(sources)
  if (configurationKeys === null || configurationKeys.length === 0) return all
  const wanted = new Set(configurationKeys)
  return all.filter(({ key }) => wanted.has(key.name))
}

function shaped(
  request: DescribeConfigsRequest,
  config: DescribedConfig,
): Result['configs'][number] {
  const { key, value, source, isReadOnly, isSensitive, synonyms } = config
  return {
    name: key.name,
    value,
    readOnly: isReadOnly,
    configSource: source,
    isSensitive,
    synonyms: request.includeSynonyms ? synonyms : [],
    configType: configTypeNumber[key.type],
    documentation: request.includeDocumentation ? key.doc : null,
  }
}

export function describeConfigsFailure(
  request: DescribeConfigsRequest,
  failure: Failure,
): DescribeConfigsResponse {
  return {
    results: request.resources.map(({ resourceType, resourceName }) => ({
      ...failure,
      resourceType,
      resourceName,
      configs: [],
    })),
  }
}
