/**
 * What the log directories prove about the last run of this broker: replication.md §5, "lossless".
 * It is settled before the broker registers.
 *
 * Each directory proves, or does not, that its own logs are whole. What lies in none that does is
 * left before the registration, so that this may claim the rest.
 */
import type { Image } from '../cluster/image.ts'
import type { LogDirectory } from '../log/log-directory.ts'

/** A partition by its topic's id and its number. */
export interface PartitionKey {
  readonly topicId: string
  readonly index: number
}

/** What a registration says of the run before it. */
export interface LastRun {
  /** Of the directories that belong to a cluster. */
  readonly clusterId: string | undefined
  readonly previousEpoch: bigint | undefined
  /** Every record of the previous registration is still here, but for those of `unproven`. */
  readonly lossless: boolean
  /** This broker must have left them (`removeSelf`) before it registers. */
  readonly unproven: readonly PartitionKey[]
  /** Some partition of this broker has no folder. */
  readonly lacksFolders: boolean
}

/** The directories are settled, the image is whole. Throws when they belong to different clusters. */
export function lastRun(
  image: Image,
  brokerId: number,
  directories: readonly LogDirectory[],
): LastRun {
  const clusterIds = new Set(directories.map(({ clusterId }) => clusterId).filter(isDefined))
  if (clusterIds.size > 1) {
    throw new Error(
      `the log directories belong to different clusters: ${[...clusterIds].join(', ')}`,
    )
  }
  const clusterId = [...clusterIds][0]
  const epochs = directories.map(directory => directory.previousEpoch).filter(isDefined)
  const previousEpoch = epochs.length === 0 ? undefined : epochs.reduce((a, b) => (a > b ? a : b))
  const proven = provenOf(directories, previousEpoch)
  const lossless = proven.length > 0
  const unproven = lossless ? unprovenOf(image, brokerId, previousEpoch!, proven) : []
  const lacksFolders = notIn(image, directories).some(({ state }) =>
    state.replicas.includes(brokerId),
  )
  return { clusterId, previousEpoch, lossless, unproven, lacksFolders }
}

/** Those of the last run that lost nothing. */
function provenOf(
  directories: readonly LogDirectory[],
  previousEpoch: bigint | undefined,
): LogDirectory[] {
  if (previousEpoch === undefined) return []
  // A directory that was left out of that run may lack what came in it.
  const ofRun = directories.filter(directory => directory.previousEpoch === previousEpoch)
  // Of a disk that failed in that run the mark may be missing on that very disk.
  if (ofRun.some(({ isMarkedLossy }) => isMarkedLossy)) return []
  const present = new Set(ofRun.filter(({ offline }) => !offline).map(each => each.directoryId))
  return ofRun.filter(({ lossless, offline, lastRun: end, previousDirectoryIds }) => {
    // Unless it was closed in order, one that is missing now may be what failed.
    const isWholeSet = previousDirectoryIds.every(id => present.has(id))
    return lossless && offline === undefined && (isWholeSet || end === 'clean')
  })
}

/** Partitions that name this broker, and lie in none of the directories. */
function unprovenOf(
  image: Image,
  brokerId: number,
  previousEpoch: bigint,
  directories: readonly LogDirectory[],
): PartitionKey[] {
  return notIn(image, directories).filter(({ state: { replicas, isr, elr } }) => {
    const isNamed = [...isr, ...elr].some(
      ([id, epoch]) => id === brokerId && epoch === previousEpoch,
    )
    // Another leader may be about to name it: a new leader epoch ends that.
    const mayBeNamed = replicas.length > 1 && replicas.includes(brokerId)
    return isNamed || mayBeNamed
  })
}

function notIn(image: Image, directories: readonly LogDirectory[]) {
  const present = new Set(
    directories.flatMap(directory =>
      directory.folders().map(({ topicId, partition }) => `${topicId}/${partition}`),
    ),
  )
  return [...image.topics()]
    .flatMap(({ topicId, partitions }) =>
      partitions.map((state, index) => ({ topicId, index, state })),
    )
    .filter(({ topicId, index }) => !present.has(`${topicId}/${index}`))
}

function isDefined<T>(value: T | undefined): value is T {
  return value !== undefined
}
