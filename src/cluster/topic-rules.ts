/** What a topic may be called, and where a client may want its replicas. Pure. */
import { KafkaError } from '../protocol/errors.ts'
import type { NewTopic } from './admin.ts'

/** In one topic. */
export const maxTopicPartitions = 10_000

/** In the cluster: every broker holds the state of each in memory. */
export const maxPartitions = 200_000

const longestName = 249

/** Throws INVALID_TOPIC_EXCEPTION. A folder is called after the topic: hence the strictness. */
export function checkTopicName(name: string): void {
  const refusal =
    name === ''
      ? 'the name is empty'
      : name === '.' || name === '..'
        ? `'${name}' is no name`
        : name.length > longestName
          ? `the name is longer than ${longestName} characters`
          : /^[a-zA-Z0-9._-]+$/.test(name)
            ? undefined
            : 'a name has only ASCII letters, digits, and . _ -'
  if (refusal !== undefined) throw new KafkaError('INVALID_TOPIC_EXCEPTION', refusal)
}

/** Two names with one key would share the names of their metrics: `a.b` and `a_b`. */
export function collisionKey(name: string): string {
  return name.replaceAll('.', '_')
}

/** Replicas by partition as the client wants them. Throws INVALID_REPLICA_ASSIGNMENT. */
export function checkAssignments(
  assignments: readonly (readonly number[] | undefined)[],
  isRegistered: (brokerId: number) => boolean,
  replicationFactor?: number,
): number[][] {
  const refuse = (detail: string) => new KafkaError('INVALID_REPLICA_ASSIGNMENT', detail)
  const size = replicationFactor ?? assignments[0]?.length
  return assignments.map((replicas, index) => {
    if (replicas === undefined) throw refuse('partitions are not numbered from 0 without a gap')
    if (replicas.length === 0) throw refuse(`partition ${index} has no replicas`)
    if (replicas.length !== size) throw refuse(`partition ${index} does not have ${size} replicas`)
    if (new Set(replicas).size !== replicas.length)
      throw refuse(`partition ${index} repeats a broker`)
    const unknown = replicas.find(id => !isRegistered(id))
    if (unknown !== undefined) throw refuse(`broker ${unknown} is not registered`)
    return [...replicas]
  })
}

/** The manual assignment of a new topic by index; throws INVALID_REQUEST next to explicit numbers. */
export function assignmentsOf(topic: NewTopic): (readonly number[] | undefined)[] | undefined {
  const { assignments } = topic
  if (assignments === undefined || assignments.size === 0) return undefined
  if (topic.partitionCount !== -1 || topic.replicationFactor !== -1) {
    throw new KafkaError(
      'INVALID_REQUEST',
      'an assignment excludes the two counts: they must be -1',
    )
  }
  return Array.from({ length: assignments.size }, (_, index) => assignments.get(index))
}
