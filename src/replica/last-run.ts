/**
 * What the log directories prove about the last run of this broker: replication.md §5, "lossless".
 * It is settled before the broker registers.
 */
import type { Image } from '../cluster/image.ts'
import type { LogDirectory } from '../log/log-directory.ts'

/** What a registration says of the run before it. */
export interface LastRun {
  /** Of the directories that belong to a cluster. */
  readonly clusterId: string | undefined
  readonly previousEpoch: bigint | undefined
  /** Every record of the previous registration is still here. */
  readonly lossless: boolean
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
  // A directory without a session is new: it can have lost nothing.
  const old = directories.filter(({ previousEpoch }) => previousEpoch !== undefined)
  const epochs = new Set(old.map(({ previousEpoch }) => previousEpoch))
  const previousEpoch = epochs.size === 1 ? old[0]!.previousEpoch : undefined
  const lossless =
    previousEpoch !== undefined &&
    directories.every(({ offline }) => offline === undefined) &&
    old.every(directory => directory.lossless && isWholeSet(directory, directories)) &&
    hasEveryFolder(image, brokerId, previousEpoch, directories)
  return { clusterId, previousEpoch, lossless }
}

/** All that the last run had are here. */
function isWholeSet(directory: LogDirectory, directories: readonly LogDirectory[]): boolean {
  const present = new Set(directories.map(({ directoryId }) => directoryId))
  return directory.previousDirectoryIds.every(id => present.has(id))
}

function hasEveryFolder(
  image: Image,
  brokerId: number,
  previousEpoch: bigint,
  directories: readonly LogDirectory[],
): boolean {
  const present = new Set(
    directories.flatMap(directory =>
      directory.folders().map(({ topicId, partition }) => `${topicId}/${partition}`),
    ),
  )
  for (const { topicId, partitions } of image.topics()) {
    for (const [index, { isr, elr }] of partitions.entries()) {
      const isNamed = [...isr, ...elr].some(
        ([id, epoch]) => id === brokerId && epoch === previousEpoch,
      )
      if (isNamed && !present.has(`${topicId}/${index}`)) return false
    }
  }
  return true
}

function isDefined<T>(value: T | undefined): value is T {
  return value !== undefined
}
