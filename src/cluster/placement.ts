/**
 * Where the replicas of new partitions go: over brokers, and over racks (KIP-36). Pure.
 *
 * The brokers stand in a ring in which racks take turns. Partition by partition the leader moves on
 * by one place; its followers are the next ones in the ring that lie in racks which have no replica
 * of it yet, and when each rack has one, any. After a round the followers move on, too, so that a
 * leader shares its partitions with all others and not always with the same.
 */
import { KafkaError } from '../protocol/errors.ts'

/** A broker that replicas may go to. */
export interface PlacedBroker {
  readonly brokerId: number
  /** Those without one count as one rack, as in Kafka. */
  readonly rack: string | null
}

/**
 * Broker ids by partition, preferred leader first. Throws INVALID_REPLICATION_FACTOR when there are
 * fewer brokers. `random` is where the ring begins, `firstIndex` the first partition to be placed.
 */
export function placeReplicas(
  brokers: readonly PlacedBroker[],
  partitionCount: number,
  replicationFactor: number,
  random: number,
  firstIndex = 0,
): number[][] {
  const ring = inTurns(brokers)
  const n = ring.length
  if (replicationFactor > n) {
    throw new KafkaError(
      'INVALID_REPLICATION_FACTOR',
      `replication factor ${replicationFactor} is larger than the ${n} available brokers`,
    )
  }
  const rackCount = new Set(ring.map(({ rack }) => rack)).size
  return Array.from({ length: partitionCount }, (_, i) => {
    const leader = (random + firstIndex + i) % n
    const shift = Math.floor((firstIndex + i) / n) * rackCount
    const followers = Array.from(
      { length: n - 1 },
      (_, j) => ring[(leader + 1 + ((shift + j) % (n - 1))) % n]!,
    )
    return chosen(ring[leader]!, followers, replicationFactor, rackCount)
  })
}

function chosen(
  leader: PlacedBroker,
  followers: readonly PlacedBroker[],
  replicationFactor: number,
  rackCount: number,
): number[] {
  const replicas = [leader.brokerId]
  const racks = new Set([leader.rack])
  let left = followers
  // Racks first, in the order of the ring; who was passed over is there for the rounds after that.
  while (replicas.length < replicationFactor) {
    const passed: PlacedBroker[] = []
    for (const broker of left) {
      const isWelcome = !racks.has(broker.rack) || racks.size === rackCount
      if (!isWelcome || replicas.length === replicationFactor) {
        passed.push(broker)
        continue
      }
      replicas.push(broker.brokerId)
      racks.add(broker.rack)
    }
    left = passed
  }
  return replicas
}

/** By id, and one of each rack in turn. */
function inTurns(brokers: readonly PlacedBroker[]): PlacedBroker[] {
  const sorted = [...brokers].sort((a, b) => a.brokerId - b.brokerId)
  const racks = [...Map.groupBy(sorted, ({ rack }) => rack).values()]
  const longest = Math.max(0, ...racks.map(({ length }) => length))
  return Array.from({ length: longest }, (_, i) => i).flatMap(i =>
    racks.flatMap(rack => rack[i] ?? []),
  )
}
