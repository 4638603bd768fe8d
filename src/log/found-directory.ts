/** What a start finds in a data directory, once it has its lock. */
import { dirname } from 'node:path'
import { type DirectoryLock, DiskError, type Io } from '../io/io.ts'
import { parseProperties, readSmallFile } from './checkpoint-file.ts'
import { type DirectoryFacts, lastRunOf, readDirectoryFacts } from './directory-facts.ts'
import {
  futureSuffix,
  kraftFolderName,
  logSuffix,
  metaPropertiesName,
  movedFromName,
  partitionMetadataName,
  partitionOfFolder,
} from './file-names.ts'
import { hasRecords } from './folder.ts'
import { inParallel } from './in-parallel.ts'
import type { LastRun } from './recovery.ts'

/** A partition's folder as found; `topicId` undefined: no readable partition.metadata. */
export interface LogFolder {
  readonly name: string
  readonly topic: string
  readonly partition: number
  readonly topicId: string | undefined
  /** Without an id and without records: a power loss kept it from being made. */
  readonly isBlank?: boolean
}

/** What was read. */
export interface FoundDirectory extends DirectoryFacts {
  readonly lock: DirectoryLock
  readonly lastRun: LastRun
  readonly folders: readonly LogFolder[]
}

/** Makes the folder and its missing parents, so that they outlive a power loss. */
export async function makeDurably(io: Io, path: string): Promise<void> {
  if ((await io.disk.stat(path)) !== undefined) return
  const parent = dirname(path)
  if (parent !== path) await makeDurably(io, parent)
  await io.disk.makeDirectory(path)
  await io.disk.syncDirectory(parent)
}

/** Throws DiskError EINVAL when the directory's identity makes no sense and logs lie in it. */
export async function findAll(io: Io, path: string, lock: DirectoryLock): Promise<FoundDirectory> {
  const { disk } = io
  const folders: LogFolder[] = []
  await inParallel(await disk.list(path), async ({ name, directory }) => {
    if (!directory) return
    if (name.endsWith('-delete')) return disk.remove(`${path}/${name}`)
    if (name.endsWith(futureSuffix)) return removeCopy(io, path, name)
    const partition = partitionOfFolder(name)
    if (partition === undefined || name === kraftFolderName) return
    const file = `${path}/${name}/${partitionMetadataName}`
    const metadata = await readSmallFile(disk, file, bytes => parseProperties(bytes, ':'))
    const topicId = wholeId(metadata?.get('topic_id'))
    const isBlank = topicId === undefined && !(await hasRecords(disk, `${path}/${name}`))
    folders.push({ name, ...partition, topicId, ...(isBlank && { isBlank }) })
  })
  const state = await readDirectoryFacts(disk, path)
  for (const problem of state.problems) {
    if (problem.path.endsWith(metaPropertiesName) && folders.length > 0) {
      const message = `${problem.path} ${problem.what}: correct it, or restore it from a copy`
      throw new DiskError('EINVAL', message)
    }
    io.report.warn({ file: problem.path }, `${problem.what}: what it said is not known`)
  }
  const { meta } = state
  const session =
    state.session?.directoryId === meta.get('directory.id') ? state.session : undefined
  const looksClean = state.hasMarker || folders.length === 0
  return {
    ...state,
    lock,
    session,
    lastRun: lastRunOf(session, looksClean, lock.inode, disk.bootId()),
    folders,
  }
}

/** A power loss may leave the first part of it, in a folder that was never written to. */
function wholeId(topicId: string | undefined): string | undefined {
  return topicId !== undefined && /^[\w-]{22}$/.test(topicId) ? topicId : undefined
}

/** A copy that was not finished, if it is ours: the log is where it was. */
async function removeCopy({ disk, report }: Io, path: string, name: string): Promise<void> {
  const files = (await disk.list(`${path}/${name}`)).map(file => file.name)
  const isOurs = files.includes(movedFromName) || !files.some(file => file.endsWith(logSuffix))
  if (!isOurs) return
  const removed = `${path}/${name.slice(0, -futureSuffix.length)}-delete`
  await disk.rename(`${path}/${name}`, removed)
  await disk.remove(removed)
  report.warn({ folder: `${path}/${name}` }, 'a move to this directory was not finished: ask again')
}

/** §5, as far as the session file alone tells. */
export function isLosslessSoFar(
  { session, lastRun, lock }: FoundDirectory,
  bootId: string | undefined,
): boolean {
  if (session === undefined || session.lossy) return false
  if (lastRun === 'clean') return true
  if (session.lockInode !== lock.inode) return false
  return session.allSync || (bootId !== undefined && session.bootId === bootId)
}

/** A sync may have failed, and a power loss may not take what it was to bring to the disk. */
export function mayLackPages({ session, lastRun }: FoundDirectory): boolean {
  return lastRun === 'killed' && session !== undefined && (session.allSync || session.lossy)
}
