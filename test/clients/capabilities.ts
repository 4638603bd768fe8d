/** What a client shows, and in what words: the rows of docs/clients.md. README.md says how. */

export interface Capability {
  /** The word a program prints. */
  readonly name: string
  /** What a reader of the table sees. */
  readonly title: string
  readonly phase: 'work' | 'again'
  /** A client is silent about it at the price of failing. */
  readonly required: boolean
}

const required = (phase: Capability['phase'], name: string, title: string): Capability => ({
  name,
  title,
  phase,
  required: true,
})
const optional = (name: string, title: string): Capability => ({
  name,
  title,
  phase: 'work',
  required: false,
})

/** In the order of the table. */
export const capabilities: readonly Capability[] = [
  required('work', 'topic', 'creates and describes a topic'),
  required('work', 'produce none', 'keyed and unkeyed messages, uncompressed'),
  required('work', 'produce gzip', '… gzip'),
  required('work', 'produce snappy', '… snappy'),
  required('work', 'produce lz4', '… lz4'),
  required('work', 'produce zstd', '… zstd'),
  required('work', 'partitioner', 'puts keys into the same partitions as the Java client'),
  optional('idempotent', 'idempotent producer'),
  optional('headers', 'headers, null values'),
  required('work', 'timestamp', 'seeks by timestamp'),
  required('work', 'group of two', 'a group of two members shares the partitions'),
  required('work', 'leave', 'a member leaves, the other takes over'),
  optional('cooperative', 'cooperative rebalancing: what stays is not revoked (KIP-429)'),
  optional('static member', 'a static member restarts without a rebalance (KIP-345)'),
  required('work', 'commit', 'commits offsets'),
  required('work', 'resume', 'resumes from the committed offsets'),
  required('work', 'list groups', 'lists groups'),
  required('work', 'describe group', 'describes a group, its members and what they hold'),
  optional('lag', 'lag of a group'),
  optional('reset offsets', 'resets the offsets of a group'),
  optional('delete offsets', 'deletes offsets of a group'),
  optional('remove members', 'removes members from a group'),
  optional('delete group', 'deletes a group'),
  required('again', 'messages kept', 'after `kill -9`: every message is there'),
  required('again', 'offsets kept', '… the committed offsets are there'),
  required('again', 'group resumes', '… the group goes on from them'),
]
