/** Names of files and folders below a data directory: Kafka's own. */

/** Kafka's file of a data directory that says how the last run ended. */
export const cleanShutdownName = '.kafka_cleanshutdown'
/** Kafka's metadata log, which looks like a partition: it is left to Kafka. */
export const kraftFolderName = '__cluster_metadata-0'
export const metaPropertiesName = 'meta.properties'
/** Made by a person: what lay in directories that are missing may begin anew, empty. */
export const forgetMissingName = 'ottla-forget-missing'
export const recoveryPointsName = 'recovery-point-offset-checkpoint'
export const highWatermarksName = 'replication-offset-checkpoint'
export const logStartsName = 'log-start-offset-checkpoint'
/** Up to where the cleaner came in each log. */
export const compactionName = 'cleaner-offset-checkpoint'
export const leaderEpochsName = 'leader-epoch-checkpoint'
/** Holes that recovery found, so that a later clean start knows them. */
export const damagedRangesName = 'damaged-ranges'
export const partitionMetadataName = 'partition.metadata'
/** In a copy of a log that is made in another directory: the id of the directory it comes from. */
export const movedFromName = 'ottla-moved-from'
/** A folder with such a copy, until it is whole (KIP-113). */
export const futureSuffix = '-future'

export const logSuffix = '.log'
export const offsetIndexSuffix = '.index'
export const timeIndexSuffix = '.timeindex'
export const transactionIndexSuffix = '.txnindex'
export const snapshotSuffix = '.snapshot'
/** Renamed so first, removed later: a reader may still hold it. */
export const deletedSuffix = '.deleted'
/** Kept for people: what recovery had to cut. */
export const corruptSuffix = '.corrupt'

/** `base` with twenty digits, as segments and snapshots are named. */
export function offsetName(offset: number, suffix: string): string {
  return offset.toString().padStart(20, '0') + suffix
}

/** The offset in a name of that suffix; undefined when it is none. */
export function offsetOfName(name: string, suffix: string): number | undefined {
  if (!name.endsWith(suffix)) return undefined
  const digits = name.slice(0, -suffix.length)
  if (!/^\d{20}$/.test(digits)) return undefined
  const offset = Number(digits)
  return Number.isSafeInteger(offset) ? offset : undefined
}

export function folderName(topic: string, partition: number): string {
  return `${topic}-${partition}`
}

/** Topic and partition of `<topic>-<n>`; undefined for every other folder. */
export function partitionOfFolder(name: string): { topic: string; partition: number } | undefined {
  const match = /^([a-zA-Z0-9._-]+)-(\d{1,10})$/.exec(name)
  if (match === null) return undefined
  const partition = Number(match[2])
  return partition > 0x7fffffff ? undefined : { topic: match[1]!, partition }
}

/** What a folder is called until its content is gone or looked at: at most 255 characters. */
export function retiredFolderName(folder: string, unique: string, suffix: string): string {
  const tail = `.${unique}-${suffix}`
  return folder.slice(0, 255 - tail.length) + tail
}
