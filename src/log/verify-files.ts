/**
 * Whether the small files say something, and nothing that the log contradicts. Those of text carry no
 * checksum: a digit that became another one is found only where the log knows better.
 */
import { decodeLogFrame, decodeSnapshot, nextLogFrame } from '../io/local-store-format.ts'
import { maxSmallFileBytes, parseEpochs, parseProperties } from './checkpoint-file.ts'
import type { EpochEntry } from './leader-epochs.ts'
import { decodeSnapshot as decodeProducers, maxSnapshotBytes } from './producer-snapshot.ts'
import { decodeAborted } from './transaction-index.ts'
import type { AbortedTransaction } from './transaction-marker.ts'
import type { Finding, Inspection } from './verify-segment.ts'

/** What is known of a log otherwise. */
export interface LogBounds {
  readonly startOffset: number
  /** Exclusive. */
  readonly endOffset: number
  /** Its last run ended in order. */
  readonly isClosed: boolean
  /** The recovery point. */
  readonly durableEndOffset: number
}

const maxTransactionIndexBytes = 256 * 1024 * 1024
const maxStoreBytes = 1024 * 1024 * 1024

/** A producer snapshot: CRC and version, and that it does not lie behind the log. */
export async function verifySnapshot(
  inspection: Inspection,
  path: string,
  offset: number,
  { endOffset }: LogBounds,
): Promise<void> {
  const derived = (what: string) => inspection.found({ kind: 'derived', path, what })
  const bytes = await readBounded(inspection, path, maxSnapshotBytes)
  const state = bytes && decodeProducers(bytes, Number.POSITIVE_INFINITY)
  if (state === undefined) return derived('is no sound snapshot: length, version or CRC is wrong')
  if (offset > endOffset) derived(`is of offset ${offset}, and the log ends at ${endOffset}`)
  for (const { producerId, batches } of state.entries()) {
    const last = batches.at(-1)?.lastOffset ?? -1
    if (last >= offset) return derived(`says offset ${last} of producer ${producerId}`)
  }
}

/**
 * A transaction index against the abort markers of its segment. It may know more: of transactions
 * whose records compaction took, or that began below the log start.
 */
export async function verifyTransactionIndex(
  inspection: Inspection,
  path: string,
  expected: readonly AbortedTransaction[],
): Promise<void> {
  const derived = (finding: { what: string; position?: number; offset?: number }) =>
    inspection.found({ kind: 'derived', path, ...finding })
  const bytes = await readBounded(inspection, path, maxTransactionIndexBytes)
  if (bytes === undefined) {
    const [first] = expected
    if (first !== undefined) derived({ offset: first.lastOffset, what: 'is missing' })
    return
  }
  const entries = decodeAborted(bytes)
  if ('what' in entries) return derived(entries)
  const known = new Map(entries.map(entry => [entry.lastOffset, entry]))
  for (const { producerId, firstOffset, lastOffset } of expected) {
    const entry = known.get(lastOffset)
    if (entry?.producerId === producerId && entry.firstOffset <= firstOffset) continue
    const what = `lacks the transaction of producer ${producerId} that was aborted at ${lastOffset}`
    return derived({ offset: firstOffset, what })
  }
}

/** `leader-epoch-checkpoint` against the epochs of the batches: each begins where it says. */
export async function verifyEpochs(
  inspection: Inspection,
  path: string,
  seen: readonly EpochEntry[],
  { startOffset, endOffset, isClosed, durableEndOffset }: LogBounds,
): Promise<void> {
  // The others the next start finds in the batches.
  const isDue = ({ startOffset: first }: EpochEntry) => isClosed || first < durableEndOffset
  const derived = (what: string) => inspection.found({ kind: 'derived', path, what })
  const bytes = await readBounded(inspection, path, maxSmallFileBytes)
  if (bytes === undefined) {
    if (seen.some(isDue)) derived('is missing')
    return
  }
  const entries = parseEpochs(bytes)
  if (entries === undefined) return derived('is no table of epochs')
  const oldest = entries[0]
  for (const begun of seen) {
    const { epoch, startOffset: first } = begun
    // A segment may hold records below the log start, of epochs that the table has forgotten.
    const isForgotten = oldest && epoch < oldest.epoch && first < oldest.startOffset
    if (isForgotten && (!isClosed || oldest.startOffset <= startOffset)) continue
    // All of them, when the log was cut down to its start.
    if (oldest === undefined && startOffset === endOffset && first < startOffset) continue
    const index = entries.findIndex(entry => entry.epoch === epoch)
    const entry = entries[index]
    if (entry === undefined && !isDue(begun)) continue
    if (entry === undefined) return derived(`lacks epoch ${epoch}, which has offset ${first}`)
    const next = entries[index + 1]?.startOffset ?? Number.POSITIVE_INFINITY
    // The table moves with the log start before that is checkpointed.
    const begins = isClosed || index > 0 ? Math.max(first, startOffset) : endOffset
    if (entry.startOffset <= begins && first < next) continue
    return derived(`says that epoch ${epoch} begins at ${entry.startOffset}; it has ${first}`)
  }
  const beyond = entries.find(entry => entry.startOffset > endOffset)
  if (beyond !== undefined) derived(`epoch ${beyond.epoch} begins behind the end, ${endOffset}`)
}

/** The topic id in `partition.metadata`; undefined when there is none that can be read. */
export async function readTopicId(
  inspection: Inspection,
  path: string,
): Promise<string | undefined> {
  const bytes = await readBounded(inspection, path, maxSmallFileBytes)
  if (bytes === undefined) return undefined
  const properties = parseProperties(bytes, ':')
  const id = properties.get('topic_id')
  const isId = id !== undefined && /^[A-Za-z0-9_-]{22}$/.test(id)
  return properties.get('version') === '0' && isId ? id : undefined
}

/** The files of the embedded metadata store: every frame with its CRC. */
export async function verifyStore(inspection: Inspection, directory: string): Promise<void> {
  const snapshotPath = `${directory}/ottla-metadata.snapshot`
  const logPath = `${directory}/ottla-metadata.log`
  const damage = (finding: Omit<Finding, 'kind'>) =>
    inspection.found({ kind: 'damage', ...finding })
  const snapshot = await readBounded(inspection, snapshotPath, maxStoreBytes)
  if (snapshot !== undefined && decodeSnapshot(snapshot) === undefined) {
    damage({ path: snapshotPath, what: 'is damaged: it holds what the cluster decided' })
  }
  const log = await readBounded(inspection, logPath, maxStoreBytes)
  if (log === undefined) return
  let position = 0
  for (;;) {
    const frame = decodeLogFrame(log, position)
    if (frame === undefined) break
    position = frame.end
  }
  if (position === log.length) return
  if (nextLogFrame(log, position) !== undefined) {
    damage({ path: logPath, position, what: 'is damaged, and whole flushes follow' })
  } else {
    const what = `the last ${log.length - position} bytes are of a flush that was never finished`
    inspection.found({ kind: 'torn', path: logPath, position, what })
  }
}

/** The file, counted as read; undefined when it is absent, empty bytes when it is too large. */
export async function readBounded(
  inspection: Inspection,
  path: string,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  const size = (await inspection.disk.stat(path))?.size
  if (size === undefined) return undefined
  inspection.read(size)
  if (size > maxBytes) return new Uint8Array(0)
  return await inspection.disk.readFile(path, maxBytes)
}
