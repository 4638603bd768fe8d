/**
 * The data directories of a start: those of log.dirs, and the one of the metadata store.
 *
 * A directory that the disk does not give is left out when there are others: what lies in it is
 * offline. So is what lies in a directory of an earlier run that is not here; a new, empty one is not
 * used then, for so a disk looks that is not mounted. All else that is wrong with one is refused, for it is somebody's mistake to correct.
 */
import type { BrokerConfig } from '../config/broker-config.ts'
import { ConfigError } from '../config/key.ts'
import { DiskError, type Io } from '../io/io.ts'
import { localStoreName } from '../io/local-store.ts'
import { forgetMissingName } from '../log/file-names.ts'
import type { LogFolder } from '../log/found-directory.ts'
import { LogDirectory, type SessionIdentity } from '../log/log-directory.ts'
import type { UnusableDirectory } from '../replica/replicas.ts'

type Undo = () => Promise<void> | void

/** What was opened, and what was not. */
export interface DataDirectories {
  /** At least one. */
  readonly open: readonly LogDirectory[]
  readonly unusable: readonly UnusableDirectory[]
  /** Ids of directories of earlier runs that are not here. */
  readonly missing: readonly string[]
  /** A person said that what lay in them may begin anew. */
  readonly mayForget: boolean
}

/**
 * Takes the locks of the data directories. Throws ConfigError, DirectoryLockedError, and DiskError
 * when none can be used.
 */
export async function openDirectories(
  io: Io,
  config: () => BrokerConfig,
  undo: Undo[],
): Promise<DataDirectories> {
  const { dataDirectories, producerIdExpirationMs, tailCacheBytes, nodeId } = config()
  const minFreeBytes = () => config().minFreeBytes
  const options = { producerIdExpirationMs, tailCacheBytes, minFreeBytes }
  const open: LogDirectory[] = []
  const unusable: UnusableDirectory[] = []
  undo.push(async () => {
    for (const directory of open) await directory.close([])
  })
  for (const path of dataDirectories) {
    try {
      open.push(await LogDirectory.open(io, path, options))
    } catch (error) {
      // EINVAL is said of a file that a person has to correct.
      if (!(error instanceof DiskError) || error.code === 'EINVAL') throw error
      if (dataDirectories.length === 1) throw error
      unusable.push({ path, error })
      io.report.error({ directory: path }, `data directory cannot be used: ${error.message}`)
    }
  }
  if (open.length === 0) throw unusable[0]!.error
  refuseOthers(open, nodeId)
  await finishMoves(open)
  refuseTwice(open)
  const mayForget = await takeWord(io, open)
  const missing = mayForget ? [] : missingOf(open)
  if (missing.length > 0) await leaveOutNew(io, open, unusable)
  return { open, unusable, missing, mayForget }
}

function refuseOthers(directories: readonly LogDirectory[], nodeId: number): void {
  for (const { path, brokerId } of directories) {
    if (brokerId === undefined || brokerId === nodeId) continue
    throw new ConfigError(
      `data directory ${path} belongs to broker ${brokerId}, and node.id is ${nodeId}: set node.id=${brokerId}, or give this broker another directory`,
    )
  }
}

/**
 * Of a move that a kill cut short there may be two folders, the same in both: the new one says where
 * it came from. Only if both directories were in that run, or the old one may have been used since.
 */
async function finishMoves(directories: readonly LogDirectory[]): Promise<void> {
  const olds = new Map<string, { directory: LogDirectory; folder: LogFolder }[]>()
  for (const directory of directories) {
    for (const folder of directory.folders()) {
      const key = `${folder.topicId}/${folder.partition}`
      const others = olds.get(key) ?? []
      olds.set(key, [...others, { directory, folder }])
    }
  }
  for (const [first, second, third] of olds.values()) {
    if (second === undefined || third !== undefined) continue
    for (const [from, to] of [
      [first!, second],
      [second, first!],
    ] as const) {
      const isOneRun = from.directory.previousEpoch === to.directory.previousEpoch
      const movedFrom = await to.directory.movedFrom(to.folder)
      if (!isOneRun || movedFrom !== from.directory.directoryId) continue
      await from.directory.discard(from.folder)
      await to.directory.forgetMove(to.folder.name)
      break
    }
  }
}

/** Which of two copies is the partition, nobody can know: one may lack what the other has. */
function refuseTwice(directories: readonly LogDirectory[]): void {
  const places = new Map<string, string>()
  for (const directory of directories) {
    const { path } = directory
    for (const { name, topicId, partition } of directory.folders()) {
      if (topicId === undefined) continue
      const key = `${topicId}/${partition}`
      const other = places.get(key)
      places.set(key, path)
      if (other === undefined) continue
      throw new ConfigError(
        `partition ${name} lies in ${other} and in ${path}: keep the copy that is complete ('ottla log verify' tells where each ends), and move the other folder out of the data directory`,
      )
    }
  }
}

/** A person's file says that missing directories are gone for good; it counts once. */
async function takeWord({ disk }: Io, open: readonly LogDirectory[]): Promise<boolean> {
  let isThere = false
  for (const { path } of open) {
    const file = `${path}/${forgetMissingName}`
    if ((await disk.stat(file)) === undefined) continue
    await disk.remove(file)
    isThere = true
  }
  return isThere
}

function missingOf(open: readonly LogDirectory[]): string[] {
  const known = new Set(
    open.flatMap(({ previousDirectoryIds, previousMissingIds }) => [
      ...previousDirectoryIds,
      ...previousMissingIds,
    ]),
  )
  for (const { directoryId } of open) known.delete(directoryId)
  return [...known]
}

async function leaveOutNew(
  io: Io,
  open: LogDirectory[],
  unusable: UnusableDirectory[],
): Promise<void> {
  for (const directory of open.filter(({ isNew }) => isNew)) {
    const { path } = directory
    const error = new Error('it is empty, and a data directory of an earlier run is missing')
    open.splice(open.indexOf(directory), 1)
    unusable.push({ path, error })
    await directory.close([])
    io.report.error({ directory: path }, `data directory is not used: ${error.message}`)
  }
}

/** Notes the registration in all that are online; one that cannot be written goes offline. */
export async function beginSessions(
  directories: readonly LogDirectory[],
  identity: SessionIdentity,
): Promise<void> {
  const online = directories.filter(({ offline }) => offline === undefined)
  await Promise.all(
    online.map(directory =>
      directory.begin(identity).catch(error => directory.takeOffline(error as Error)),
    ),
  )
  const last = online.at(-1)?.offline
  if (last !== undefined && online.every(({ offline }) => offline !== undefined)) throw last
}

/**
 * Where the metadata store lies: metadata.log.dir, else the directory that has one, else the first.
 * Its lock is held when this answers. Throws ConfigError, DirectoryLockedError, DiskError.
 */
export async function metadataDirectory(
  io: Io,
  config: BrokerConfig,
  { open, unusable }: DataDirectories,
  undo: Undo[],
): Promise<string> {
  const wanted = config.metadataDirectory
  const lost = unusable.find(({ path }) => path === wanted)
  if (lost !== undefined) throw lost.error
  if (wanted !== undefined) {
    if (open.some(({ path }) => path === wanted)) return wanted
    await io.disk.makeDirectory(wanted)
    const lock = await io.disk.lock(wanted)
    undo.push(() => lock.release())
    return wanted
  }
  const having: string[] = []
  for (const { path } of open) {
    if ((await io.disk.stat(`${path}/${localStoreName}`)) !== undefined) having.push(path)
  }
  if (having.length > 1) {
    throw new ConfigError(
      `${having.join(' and ')} each have a metadata store: say with metadata.log.dir which one it is`,
    )
  }
  if (having.length === 0 && unusable.length > 0) {
    const { path, error } = unusable[0]!
    throw new ConfigError(
      `no data directory that can be used has the metadata store, so it lies in ${path}: ${error.message}`,
      { cause: error },
    )
  }
  return having[0] ?? open[0]!.path
}
