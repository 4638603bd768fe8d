/** Brokers: who they are, what they speak, what they hold. */

import { softwareVersion } from '../../base/version.ts'
import { KafkaError } from '../../protocol/errors.ts'
import { apiVersionsRequest, apiVersionsResponse } from '../../protocol/messages/api-versions.ts'
import {
  describeClusterRequest,
  describeClusterResponse,
} from '../../protocol/messages/describe-cluster.ts'
import {
  describeLogDirsRequest,
  describeLogDirsResponse,
} from '../../protocol/messages/describe-log-dirs.ts'
import type { Incoming } from '../../protocol/schema.ts'
import type { Caller } from '../cluster.ts'
import { byPartition } from '../groups.ts'
import type { AdminCall } from './call.ts'
import type { BrokerVersions, ClusterDescription, LogDirDescription } from './options.ts'
import { type Outcome, outcome, refusal, settleEach } from './outcome.ts'

export async function describeCluster(
  cluster: Caller,
  includeFenced: boolean,
): Promise<ClusterDescription> {
  const body = (version: number) => ({
    includeClusterAuthorizedOperations: false,
    ...(version >= 2 && { includeFencedBrokers: includeFenced }),
  })
  try {
    const { clusterId, controllerId, brokers } = await cluster.call(
      describeClusterRequest,
      describeClusterResponse,
      body,
      ({ errorCode }) => errorCode,
    )
    return { clusterId, controllerId, brokers: brokers.toSorted((a, b) => a.brokerId - b.brokerId) }
  } catch (error) {
    const isOld = error instanceof KafkaError && error.error === 'UNSUPPORTED_VERSION'
    if (isOld) return await fromMetadata(cluster)
    throw error
  }
}

/** Brokers before Kafka 2.8 (KIP-700). */
async function fromMetadata(cluster: Caller): Promise<ClusterDescription> {
  const { clusterId, controllerId, brokers } = await cluster.metadata([])
  return {
    clusterId,
    controllerId,
    brokers: brokers
      .map(({ nodeId, host, port, rack }) => ({
        brokerId: nodeId,
        host,
        port,
        rack,
        isFenced: false,
      }))
      .toSorted((a, b) => a.brokerId - b.brokerId),
  }
}

export async function describeLogDirs(
  call: AdminCall,
  brokerIds: readonly number[] | undefined,
): Promise<
  Outcome<
    { brokerId: number },
    { logDirs: readonly Outcome<{ path: string }, LogDirDescription>[] }
  >[]
> {
  return await ofBrokers(call, brokerIds, async brokerId => {
    const { results } = await call.caller.callBroker(
      brokerId,
      describeLogDirsRequest,
      describeLogDirsResponse,
      { topics: null },
      ({ errorCode }) => errorCode,
    )
    const logDirs = results.map(each => outcome({ path: each.logDir }, logDirOf(each)))
    return { logDirs: logDirs.toSorted((a, b) => (a.path < b.path ? -1 : 1)) }
  })
}

function logDirOf(
  found: Incoming<typeof describeLogDirsResponse>['results'][number],
): LogDirDescription | KafkaError {
  const error = refusal(found.errorCode, `directory ${found.logDir}`)
  if (error !== undefined) return error
  return {
    totalBytes: found.totalBytes,
    usableBytes: found.usableBytes,
    replicas: found.topics
      .flatMap(({ name, partitions }) =>
        partitions.map(each => ({
          topic: name,
          partition: each.partitionIndex,
          bytes: each.partitionSize,
          offsetLag: each.offsetLag,
          isFuture: each.isFutureKey,
        })),
      )
      .toSorted(byPartition),
  }
}

export async function describeVersions(
  call: AdminCall,
  brokerIds: readonly number[] | undefined,
): Promise<Outcome<{ brokerId: number }, BrokerVersions>[]> {
  return await ofBrokers(call, brokerIds, async brokerId => {
    const answer = await call.caller.callBroker(
      brokerId,
      apiVersionsRequest,
      apiVersionsResponse,
      { clientSoftwareName: 'ottla', clientSoftwareVersion: softwareVersion },
      ({ errorCode }) => errorCode,
    )
    return {
      apis: answer.apiKeys.toSorted((a, b) => a.apiKey - b.apiKey),
      supportedFeatures: answer.supportedFeatures.toSorted(byName),
      finalizedFeatures: answer.finalizedFeatures
        .map(({ name, minVersionLevel, maxVersionLevel }) => ({
          name,
          minVersion: minVersionLevel,
          maxVersion: maxVersionLevel,
        }))
        .toSorted(byName),
    }
  })
}

/** Of these brokers, or of all that there are. */
async function ofBrokers<Value>(
  call: AdminCall,
  brokerIds: readonly number[] | undefined,
  work: (brokerId: number) => Promise<Value>,
): Promise<Outcome<{ brokerId: number }, Value>[]> {
  const { brokers } = await call.caller.metadata([])
  const asked = brokerIds ?? brokers.map(({ nodeId }) => nodeId).toSorted((a, b) => a - b)
  return await settleEach(call, asked, brokerId => ({ brokerId }), work)
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1
}
