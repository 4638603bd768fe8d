/** How replicas are throttled: which ones, a topic says; how fast they are copied, a broker. */

export interface ThrottleConfig {
  /** leader.replication.throttled.rate, bytes per second. */
  readonly leaderRate: number
  /** follower.replication.throttled.rate, bytes per second. */
  readonly followerRate: number
  /** replica.alter.log.dirs.io.max.bytes.per.second, from one data directory to another. */
  readonly moveRate: number
  /** replication.quota.window.num */
  readonly windows: number
  /** replication.quota.window.size.seconds */
  readonly windowMs: number
}

/** The topic keys that name them. */
export const throttledReplicasKeys = {
  leader: 'leader.replication.throttled.replicas',
  follower: 'follower.replication.throttled.replicas',
} as const

/** Whose copying is throttled. */
export type ThrottledSide = keyof typeof throttledReplicasKeys

/** Why the text cannot be the value of such a key; undefined when it can. */
export function throttledReplicasRefusal(name: string, text: string): string | undefined {
  if (!Object.values<string>(throttledReplicasKeys).includes(name)) return undefined
  const replicas = elementsOf(text)
  const isValid = text.trim() === '*' || replicas.every(replica => /^\d+:\d+$/.test(replica))
  if (isValid) return undefined
  return `${name} must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...`
}

/** The partitions whose replica on this broker is named; `all` of the topic. */
export function throttledPartitions(text: string, brokerId: number): ReadonlySet<number> | 'all' {
  if (text.trim() === '*') return 'all'
  return new Set(
    elementsOf(text)
      .map(replica => replica.split(':').map(Number))
      .filter(([, broker]) => broker === brokerId)
      .map(([partition]) => partition!),
  )
}

function elementsOf(text: string): string[] {
  return text
    .split(',')
    .map(element => element.trim())
    .filter(element => element !== '')
}
