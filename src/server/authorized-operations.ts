/**
 * The operations a client may perform, as the bit fields of the wire (KIP-430). Without security
 * everyone may do everything.
 */

/** Numbers of the ACL operations. */
const operations = {
  READ: 3,
  WRITE: 4,
  CREATE: 5,
  DELETE: 6,
  ALTER: 7,
  DESCRIBE: 8,
  CLUSTER_ACTION: 9,
  DESCRIBE_CONFIGS: 10,
  ALTER_CONFIGS: 11,
  IDEMPOTENT_WRITE: 12,
} as const

type Operation = keyof typeof operations

function bits(...names: Operation[]): number {
  return names.reduce((field, name) => field | (1 << operations[name]), 0)
}

/** All that can be done with a topic. */
export const topicOperations = bits(
  'READ',
  'WRITE',
  'CREATE',
  'DELETE',
  'ALTER',
  'DESCRIBE',
  'DESCRIBE_CONFIGS',
  'ALTER_CONFIGS',
)

/** All that can be done with a group. */
export const groupOperations = bits(
  'READ',
  'DELETE',
  'DESCRIBE',
  'DESCRIBE_CONFIGS',
  'ALTER_CONFIGS',
)

/** All that can be done with the cluster. */
export const clusterOperations = bits(
  'CREATE',
  'ALTER',
  'DESCRIBE',
  'CLUSTER_ACTION',
  'DESCRIBE_CONFIGS',
  'ALTER_CONFIGS',
  'IDEMPOTENT_WRITE',
)
