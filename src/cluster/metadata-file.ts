/**
 * A cluster's metadata as a file: what to write of a store, and what to put into an empty one.
 *
 * One JSON document a line: a head, one line a key, an end that tells whether all is there. What hangs
 * on a lease is left out, for it is of brokers that run.
 *
 * A file is older than the logs: since it was written, members may have left an ISR, and leaders have
 * begun epochs. And the epochs of brokers are revisions of the store that is gone: a new store may
 * give the same number to another registration. So what is put back believes none of it: nobody is
 * in sync, every replica tells where its log ends, and the one that ends last will lead
 * (replication.md §4, last-known election), in an epoch above all that may have been.
 */
import { codecs, everything, type KeyMeaning, keys, parseKey } from './keys.ts'

/** One key and its value, as the store has it. */
export interface KeyValue {
  readonly key: string
  readonly value: Uint8Array
}

/** What cannot be written, or put back, and why. */
export class MetadataFileError extends Error {
  override readonly name = 'MetadataFileError'
}

/** What the file says of itself. */
export interface MetadataFileHead {
  readonly clusterId: string
  /** Of the store, when it was read. */
  readonly revision: string
  readonly writtenMs: number
}

const format = 1

/** Of the layout of keys. */
const newestKeyFormat = 1

/** Leaders may have begun so many epochs, and brokers taken so many ids, since the file was written. */
const epochGap = 1_000_000
const producerIdGap = 1_000_000_000

const maxLeaderEpoch = 2 ** 31 - 1

/** Of brokers that run, or of controllers: a new store makes its own. */
const left: ReadonlySet<KeyMeaning['kind']> = new Set([
  'controller',
  'controllerSeq',
  'alive',
  'stopping',
  'admitted',
  'logEnds',
])

/** The lines of the file, each with its end. Throws MetadataFileError when the store has no cluster. */
export function* metadataLines(
  entries: readonly KeyValue[],
  revision: bigint,
  writtenMs: number,
): Iterable<string> {
  const cluster = entries.find(({ key }) => key === keys.cluster)
  if (cluster === undefined) throw new MetadataFileError('the metadata store has no cluster')
  const { clusterId } = codecs.cluster.decode(cluster.value)
  const head = { ottla: 'metadata', format, clusterId, revision: String(revision), writtenMs }
  yield `${JSON.stringify(head)}\n`
  let count = 0
  for (const { key, value } of entries) {
    const meaning = parseKey(key)
    // What another release has, and this one does not know, is kept.
    if (meaning !== undefined && left.has(meaning.kind)) continue
    const json = JSON.parse(new TextDecoder().decode(value))
    yield `${JSON.stringify({ key: key.slice(everything.length), value: json })}\n`
    count++
  }
  yield `${JSON.stringify({ end: true, keys: count })}\n`
}

/**
 * Reads a file: its head, and what to put into an empty store. The key of the cluster comes last:
 * without it no broker starts. Throws MetadataFileError.
 */
export function restoredMetadata(text: string): {
  readonly head: MetadataFileHead
  readonly entries: readonly KeyValue[]
} {
  const lines = text.split('\n').filter(line => line !== '')
  const [first, ...rest] = lines.map(parseLine)
  const end = rest.pop()
  if (first?.ottla !== 'metadata') throw new MetadataFileError('it is no file of `cluster export`')
  if (Number(first.format) > format) {
    throw new MetadataFileError(`it has format ${first.format}: use a newer release`)
  }
  if (end?.end !== true || end.keys !== rest.length) {
    throw new MetadataFileError('its end is missing: it was not written to the end')
  }
  const entries = rest.map(({ key, value }): KeyValue => {
    if (typeof key !== 'string') throw new MetadataFileError('a line has no key')
    return restored(everything + key, value)
  })
  const cluster = entries.find(({ key }) => key === keys.cluster)
  if (cluster === undefined) throw new MetadataFileError('it has no cluster')
  const { clusterId, formatVersion } = codecs.cluster.decode(cluster.value)
  if (formatVersion > newestKeyFormat) {
    throw new MetadataFileError(`its keys have format ${formatVersion}: use a newer release`)
  }
  return {
    head: { clusterId, revision: String(first.revision), writtenMs: Number(first.writtenMs) },
    entries: [...entries.filter(entry => entry !== cluster), cluster],
  }
}

interface Line {
  readonly ottla?: unknown
  readonly format?: unknown
  readonly revision?: unknown
  readonly writtenMs?: unknown
  readonly key?: unknown
  readonly value?: unknown
  readonly end?: unknown
  readonly keys?: unknown
}

function parseLine(line: string, index: number): Line {
  try {
    const json: unknown = JSON.parse(line)
    if (typeof json === 'object' && json !== null) return json
  } catch {
    // Said below.
  }
  throw new MetadataFileError(`line ${index + 1} is no JSON object`)
}

function restored(key: string, json: unknown): KeyValue {
  const value = new TextEncoder().encode(JSON.stringify(json))
  switch (parseKey(key)?.kind) {
    case 'partition':
      return { key, value: restoredPartition(key, value) }
    case 'producerIds': {
      const known = codecs.producerIds.decode(value)
      const next = known.next + producerIdGap
      return { key, value: codecs.producerIds.encode({ ...known, next }) }
    }
    default:
      return { key, value }
  }
}

function restoredPartition(key: string, value: Uint8Array): Uint8Array {
  const known = codecs.partition.decode(value)
  const leaderEpoch = known.leaderEpoch + epochGap
  if (leaderEpoch > maxLeaderEpoch) {
    throw new MetadataFileError(`${key}: its leader epoch ${known.leaderEpoch} leaves no room`)
  }
  return codecs.partition.encode({
    ...known,
    leader: null,
    leaderEpoch,
    partitionEpoch: known.partitionEpoch + epochGap,
    isr: [],
    elr: [],
    lastKnown: known.replicas,
  })
}
