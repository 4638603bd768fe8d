/**
 * ApiVersions (key 18), v0–5.
 *
 * The list is exactly what this broker serves on the listener that the client came by. Produce is listed from v0 although nothing below v3
 * is served: librdkafka takes a broker without Produce v0 for one that is too old (KIP-896).
 * A version we do not know is answered in v0 with UNSUPPORTED_VERSION and our own range, so that
 * the client can ask again (KIP-511).
 */
import { levelOf, ourFeatures } from '../../cluster/features.ts'
import { errorCode, KafkaError } from '../../protocol/errors.ts'
import type {
  ApiVersionsRequest,
  ApiVersionsResponse,
} from '../../protocol/messages/api-versions.ts'
import type { Message, Range } from '../../protocol/schema.ts'
import type { Failure, RequestContext } from '../context.ts'

export const apiVersionsKey = 18

/** Software names and versions, as KIP-511 restricts them. */
const softwareWord = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/

/** What ApiVersions says of one API. */
export interface ListedApi {
  readonly request: Message
  readonly served: Range
  readonly listedMin: number
  readonly isOfBrokers: boolean
}

/** The handler; it lists `apis`. */
export function apiVersions(apis: () => readonly ListedApi[]) {
  return async (ctx: RequestContext, request: ApiVersionsRequest): Promise<ApiVersionsResponse> => {
    const { clientSoftwareName, clientSoftwareVersion } = request
    const isNamed =
      softwareWord.test(clientSoftwareName) && softwareWord.test(clientSoftwareVersion)
    if (ctx.version >= 3 && !isNamed) throw new KafkaError('INVALID_REQUEST')
    if (request.clusterId === null && request.nodeId !== -1) throw new KafkaError('INVALID_REQUEST')
    if (request.clusterId !== null && !isMeant(ctx, request)) {
      throw new KafkaError('REBOOTSTRAP_REQUIRED')
    }
    const served = apis().filter(api => isServed(ctx, api))
    return { errorCode: 0, apiKeys: served.map(listed), ...features(ctx) }
  }
}

/** What this broker speaks, and the level that the cluster is at (KIP-584). */
function features({ image: { cluster } }: RequestContext) {
  const supportedFeatures = [...ourFeatures].map(([name, { min, max }]) => ({
    name,
    minVersion: min,
    maxVersion: max,
  }))
  if (cluster === undefined) return { supportedFeatures }
  const finalized = new Set([...ourFeatures.keys(), ...cluster.value.features.keys()])
  const finalizedFeatures = [...finalized].map(name => {
    const level = levelOf(cluster.value.features, name)
    return { name, maxVersionLevel: level, minVersionLevel: level }
  })
  const finalizedFeaturesEpoch = Number(cluster.modRevision)
  return { supportedFeatures, finalizedFeatures, finalizedFeaturesEpoch }
}

/** What brokers ask each other is served on their listener alone. */
export function isServed(
  { config, connection }: Pick<RequestContext, 'config' | 'connection'>,
  { isOfBrokers }: ListedApi,
): boolean {
  return !isOfBrokers || connection.listener === config.interBrokerListener
}

/** A client that thinks it talks to another broker or cluster learns its brokers anew (KIP-1242). */
function isMeant(ctx: RequestContext, { clusterId, nodeId }: ApiVersionsRequest): boolean {
  return clusterId === ctx.image.clusterId && (nodeId === -1 || nodeId === ctx.domain.brokerId)
}

export function apiVersionsFailure(
  _request: ApiVersionsRequest,
  failure: Failure,
): ApiVersionsResponse {
  return { errorCode: failure.errorCode, apiKeys: [] }
}

/** The v0 answer to a version we do not serve. */
export function unsupportedApiVersions(api: ListedApi): ApiVersionsResponse {
  return { errorCode: errorCode('UNSUPPORTED_VERSION'), apiKeys: [listed(api)] }
}

function listed({ request, served, listedMin }: ListedApi) {
  return { apiKey: request.apiKey!, minVersion: listedMin, maxVersion: served.last }
}
