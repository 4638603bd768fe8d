/**
 * What the files at the root of a data directory say, read without changing anything: Kafka's and
 * ours. A file that makes no sense is a problem, and what it would have said is not known.
 */
import type { Disk } from '../io/io.ts'
import {
  maxSmallFileBytes,
  type PartitionOffsets,
  parseOffsets,
  parseProperties,
} from './checkpoint-file.ts'
import {
  cleanShutdownName,
  compactionName,
  highWatermarksName,
  logStartsName,
  metaPropertiesName,
  recoveryPointsName,
} from './file-names.ts'
import type { LastRun } from './recovery.ts'
import { parseSession, type Session, sessionFileName } from './session-file.ts'

/** The root of a data directory. */
export interface DirectoryFacts {
  readonly meta: ReadonlyMap<string, string>
  readonly session: Session | undefined
  /** Kafka's marker of a clean stop is there. */
  readonly hasMarker: boolean
  /** The last run ended in order: everything is synced, and indexes are complete. */
  readonly isClosed: boolean
  /** Kafka had the directory last. */
  readonly isAfterKafka: boolean
  readonly recoveryPoints: PartitionOffsets
  readonly highWatermarks: PartitionOffsets
  readonly logStarts: PartitionOffsets
  /** Below it whole segments may be gone by compaction. */
  readonly compactedTo: PartitionOffsets
  readonly problems: readonly { readonly path: string; readonly what: string }[]
}

/** Reads it; a directory without any of these files is one that says nothing. Throws DiskError. */
export async function readDirectoryFacts(disk: Disk, directory: string): Promise<DirectoryFacts> {
  const problems: { path: string; what: string }[] = []
  const read = async <T>(
    name: string,
    parse: (bytes: Uint8Array) => T | undefined,
    what: string,
  ): Promise<T | undefined> => {
    const path = `${directory}/${name}`
    const bytes = await disk.readFile(path, maxSmallFileBytes)
    const parsed = bytes && parse(bytes)
    if (bytes !== undefined && parsed === undefined) problems.push({ path, what })
    return parsed
  }
  // Kafka makes its checkpoints empty before it first writes them.
  const table = (bytes: Uint8Array) => (bytes.length === 0 ? new Map() : parseOffsets(bytes))
  const offsets = async (name: string): Promise<PartitionOffsets> =>
    (await read(name, table, 'is no table of offsets')) ?? new Map()
  const meta = await read(metaPropertiesName, bytes => parseProperties(bytes, '='), '')
  if (meta !== undefined && !isWhole(meta)) {
    problems.push({
      path: `${directory}/${metaPropertiesName}`,
      what: 'lacks version, cluster.id or node.id',
    })
  }
  const session = await read(sessionFileName, parseSession, 'is no session')
  const hasMarker = (await disk.stat(`${directory}/${cleanShutdownName}`)) !== undefined
  return {
    meta: meta ?? new Map(),
    session,
    hasMarker,
    isClosed: hasMarker && (session?.clean ?? true),
    isAfterKafka: meta !== undefined && isAfterKafka(session, hasMarker),
    recoveryPoints: await offsets(recoveryPointsName),
    highWatermarks: await offsets(highWatermarksName),
    logStarts: await offsets(logStartsName),
    compactedTo: await offsets(compactionName),
    problems,
  }
}

/** `ottla log adopt` notes an epoch that no broker has; the marker of our clean stop only Kafka takes. */
function isAfterKafka(session: Session | undefined, hasMarker: boolean): boolean {
  return session === undefined || session.brokerEpoch === 0n || (session.clean && !hasMarker)
}

function isWhole(meta: ReadonlyMap<string, string>): boolean {
  const isNumber = /^\d{1,10}$/.test(meta.get('node.id') ?? '')
  return meta.get('version') === '1' && isNumber && (meta.get('cluster.id') ?? '') !== ''
}

/**
 * How the last run ended; `lockInode` as the lock file has it now. A run of Kafka's after ours leaves
 * our session as it was, and takes the marker away until it ends in order.
 */
export function lastRunOf(
  session: Session | undefined,
  looksClean: boolean,
  lockInode: number,
  bootId: string | undefined,
): LastRun {
  if (session === undefined) return looksClean ? 'clean' : 'power-loss'
  if (session.clean) return looksClean ? 'clean' : 'power-loss'
  const isSameBoot = bootId !== undefined && session.bootId === bootId
  return isSameBoot && session.lockInode === lockInode ? 'killed' : 'power-loss'
}
