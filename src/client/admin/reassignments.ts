/** Where partitions lie and who leads them: moves to other replicas, elections, brokers for good. */
import { KafkaError } from '../../protocol/errors.ts'
import {
  alterPartitionReassignmentsRequest,
  alterPartitionReassignmentsResponse,
} from '../../protocol/messages/alter-partition-reassignments.ts'
import { electLeadersRequest, electLeadersResponse } from '../../protocol/messages/elect-leaders.ts'
import {
  listPartitionReassignmentsRequest,
  listPartitionReassignmentsResponse,
} from '../../protocol/messages/list-partition-reassignments.ts'
import {
  unregisterBrokerRequest,
  unregisterBrokerResponse,
} from '../../protocol/messages/unregister-broker.ts'
import {
  updateFeaturesRequest,
  updateFeaturesResponse,
} from '../../protocol/messages/update-features.ts'
import type { TopicPartition } from '../consumer/options.ts'
import { movesOf } from '../moves.ts'
import type { AdminCall } from './call.ts'
import type { ElectionKind, NewReplicas, PartitionMove } from './options.ts'
import { asOutcomes, type Outcome, outcome, refusal, unanswered } from './outcome.ts'

export async function alterPartitionReassignments(
  call: AdminCall,
  asked: readonly NewReplicas[],
  mayChangeFactor: boolean,
): Promise<Outcome<TopicPartition>[]> {
  const results = await call.settle(asked, async open => {
    const answer = await call.toController(
      alterPartitionReassignmentsRequest,
      alterPartitionReassignmentsResponse,
      version => ({
        timeoutMs: call.brokerTimeoutMs,
        ...(version >= 1 && { allowReplicationFactorChange: mayChangeFactor }),
        topics: byTopic(open).map(([name, ofTopic]) => ({
          name,
          partitions: ofTopic.map(({ partition, replicas }) => ({
            partitionIndex: partition,
            replicas: replicas === 'cancel' ? null : [...replicas],
          })),
        })),
      }),
    )
    const whole = refusal(answer.errorCode, 'the move of partitions', answer.errorMessage)
    const found = new Map(
      answer.responses.flatMap(({ name, partitions }) =>
        partitions.map(each => [`${name}-${each.partitionIndex}`, each]),
      ),
    )
    return open.map(each => whole ?? answerTo(nameOf(each), found))
  })
  return asOutcomes(asked, keyOf, results)
}

export async function listPartitionReassignments(
  call: AdminCall,
  asked: readonly TopicPartition[] | undefined,
): Promise<PartitionMove[]> {
  const answer = await call.toController(
    listPartitionReassignmentsRequest,
    listPartitionReassignmentsResponse,
    {
      timeoutMs: call.brokerTimeoutMs,
      topics:
        asked === undefined
          ? null
          : byTopic(asked).map(([name, ofTopic]) => ({
              name,
              partitionIndexes: ofTopic.map(({ partition }) => partition),
            })),
    },
  )
  const error = refusal(answer.errorCode, 'the list of moves', answer.errorMessage)
  if (error !== undefined) throw error
  return movesOf(answer.topics).toSorted((a, b) =>
    a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1,
  )
}

export async function electLeaders(
  call: AdminCall,
  kind: ElectionKind,
  asked: readonly TopicPartition[] | undefined,
): Promise<Outcome<TopicPartition>[]> {
  const answer = await call.toController(electLeadersRequest, electLeadersResponse, version => {
    if (version < 1 && kind === 'unclean') throw new KafkaError('UNSUPPORTED_VERSION')
    return {
      ...(version >= 1 && { electionType: kind === 'unclean' ? 1 : 0 }),
      topicPartitions:
        asked === undefined
          ? null
          : byTopic(asked).map(([topic, ofTopic]) => ({
              topic,
              partitions: ofTopic.map(({ partition }) => partition),
            })),
      timeoutMs: call.brokerTimeoutMs,
    }
  })
  const error = refusal(answer.errorCode, 'the election of leaders')
  if (error !== undefined) throw error
  const told = answer.replicaElectionResults.flatMap(({ topic, partitionResult }) =>
    partitionResult.map(each => ({ ...each, topic, partition: each.partitionId })),
  )
  const found = new Map(told.map(each => [nameOf(each), each]))
  return (asked ?? told).map(each => outcome(keyOf(each), answerTo(nameOf(each), found)))
}

export async function unregisterBroker(call: AdminCall, brokerId: number): Promise<void> {
  const { errorCode, errorMessage } = await call.toController(
    unregisterBrokerRequest,
    unregisterBrokerResponse,
    { brokerId },
  )
  const error = refusal(errorCode, `broker ${brokerId}`, errorMessage)
  if (error !== undefined) throw error
}

export async function upgradeFeatures(
  call: AdminCall,
  levels: Readonly<Record<string, number>>,
  validateOnly: boolean,
): Promise<void> {
  const answer = await call.toController(updateFeaturesRequest, updateFeaturesResponse, version => {
    if (version < 1 && validateOnly) throw new KafkaError('UNSUPPORTED_VERSION')
    return {
      timeoutMs: call.brokerTimeoutMs,
      featureUpdates: Object.entries(levels).map(([feature, maxVersionLevel]) => ({
        feature,
        maxVersionLevel,
        ...(version === 0 ? { allowDowngrade: false } : { upgradeType: 1 }),
      })),
      ...(version >= 1 && { validateOnly }),
    }
  })
  for (const each of [answer, ...answer.results]) {
    const error = refusal(each.errorCode, 'the levels of features', each.errorMessage)
    if (error !== undefined) throw error
  }
}

function answerTo(
  name: string,
  found: ReadonlyMap<string, { errorCode: number; errorMessage: string | null }>,
): KafkaError | Record<never, never> {
  const answer = found.get(name)
  if (answer === undefined) return unanswered(`partition ${name}`)
  return refusal(answer.errorCode, `partition ${name}`, answer.errorMessage) ?? {}
}

function byTopic<Each extends TopicPartition>(partitions: readonly Each[]): [string, Each[]][] {
  return [...Map.groupBy(partitions, ({ topic }) => topic)]
}

function keyOf({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition }
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`
}
