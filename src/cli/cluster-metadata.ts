/** `ottla cluster export` and `import`: a cluster's metadata from a store to a file, and back. */
import { open, readFile, rename } from 'node:fs/promises'
import { openEtcd } from '../broker/metadata-store.ts'
import { everything, parseKey, StoredValueError } from '../cluster/keys.ts'
import {
  type KeyValue,
  MetadataFileError,
  metadataLines,
  restoredMetadata,
} from '../cluster/metadata-file.ts'
import { parseBrokerConfig } from '../config/broker-config.ts'
import { type Entry, type Io, type MetadataStore, StoreUnavailableError } from '../io/io.ts'
import { localStoreName, openLocalStore } from '../io/local-store.ts'
import { nodeIo } from '../io/node.ts'
import { Failure, fileProblem } from './failure.ts'
import { plural, print } from './output.ts'
import { startProperties } from './start-options.ts'

/** Which store. */
export interface StoreOptions {
  /** A URL of etcd, or a data directory that has a store of its own. */
  readonly store?: string
  readonly config?: readonly string[]
  readonly set?: readonly string[]
}

/** An etcd that is asked by hand is there, or it is not. */
const patienceMs = 5000
const sessionTimeoutMs = 9000

/** Keys, and about as many bytes, that one transaction puts. */
const keysAtOnce = 100
const bytesAtOnce = 512 * 1024

/** Of a file: a million partitions have less. */
const maxFileBytes = 1024 * 1024 * 1024

/** Writes the file anew; what was there stays until all is written. */
export async function exportMetadata(file: string, options: StoreOptions): Promise<void> {
  const { entries, revision } = await withStore(options, false, store =>
    store.get({ prefix: everything }),
  )
  const lines = saying('cannot write it', () => [...metadataLines(entries, revision, Date.now())])
  const unfinished = `${file}.tmp`
  // Hashes of passwords may be in it.
  const handle = await open(unfinished, 'w', 0o600).catch(cause => {
    throw new Failure(`cannot write ${unfinished}: ${fileProblem(cause)}`, { cause })
  })
  try {
    await handle.writeFile(lines.join(''))
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(unfinished, file)
  await print(`Wrote ${plural(lines.length - 2, 'key')} to ${file}, as of revision ${revision}.\n`)
}

/** Puts a file into a store that is empty. Throws Failure. */
export async function importMetadata(file: string, options: StoreOptions): Promise<void> {
  const { head, entries } = await readMetadata(file)
  await withStore(options, true, async (store, namespace) => {
    refuseUsed((await store.get({ prefix: everything })).entries, namespace + everything)
    for (const chunk of inChunks(entries)) await putAll(store, chunk)
  })
  const written = new Date(head.writtenMs).toISOString()
  await print(
    `Put ${plural(entries.length, 'key')} of cluster ${head.clusterId} back, as they were at ${written}.\n` +
      'Start all brokers now: each partition has a leader once all brokers with a copy have told where it ends.\n',
  )
}

async function readMetadata(file: string): Promise<ReturnType<typeof restoredMetadata>> {
  const bytes = await readFile(file).catch(cause => {
    throw new Failure(`cannot read ${file}: ${fileProblem(cause)}`, { cause })
  })
  if (bytes.length > maxFileBytes) throw new Failure(`${file} is larger than 1 GiB`)
  return saying(`cannot use ${file}`, () => restoredMetadata(bytes.toString()))
}

/** What is wrong with metadata is no bug of this command. */
function saying<Result>(what: string, run: () => Result): Result {
  try {
    return run()
  } catch (error) {
    const isKnown = error instanceof MetadataFileError || error instanceof StoredValueError
    if (!isKnown) throw error
    throw new Failure(`${what}: ${error.message}`, { cause: error })
  }
}

/** A cluster that lives, or a part of one, is not to be mixed with another. */
function refuseUsed(entries: readonly Entry[], prefix: string): void {
  if (entries.length === 0) return
  const alive = entries.flatMap(({ key }) => {
    const meaning = parseKey(key)
    return meaning?.kind === 'alive' ? [meaning.brokerId] : []
  })
  if (alive.length > 0) {
    throw new Failure(
      `brokers use this store (${alive.join(', ')} are alive): stop them, and take another prefix or an empty etcd`,
    )
  }
  throw new Failure(
    `this store is not empty: it has ${plural(entries.length, 'key')} under ${prefix}. If they are of no use any more: etcdctl del --prefix ${prefix}`,
  )
}

async function putAll(store: MetadataStore, entries: readonly KeyValue[]): Promise<void> {
  const compares = entries.map(({ key }) => ({ key, target: 'version', equals: 0n }) as const)
  const ops = entries.map(({ key, value }) => ({ put: key, value }))
  for (let tries = 1; ; tries++) {
    try {
      const { succeeded } = await store.txn(compares, ops)
      if (succeeded || (tries > 1 && (await hasAll(store, entries)))) return
      throw new Failure('a broker was started meanwhile: stop it, empty the store, and begin anew')
    } catch (error) {
      // It may have happened: then what is there is ours.
      if (!(error instanceof StoreUnavailableError) || tries === 3) throw error
    }
  }
}

async function hasAll(store: MetadataStore, entries: readonly KeyValue[]): Promise<boolean> {
  for (const { key, value } of entries) {
    const found = (await store.get({ key })).entries[0]
    if (found === undefined || Buffer.compare(found.value, value) !== 0) return false
  }
  return true
}

function* inChunks(entries: readonly KeyValue[]): Iterable<readonly KeyValue[]> {
  let chunk: KeyValue[] = []
  let bytes = 0
  for (const entry of entries) {
    if (chunk.length === keysAtOnce || bytes + entry.value.length > bytesAtOnce) {
      yield chunk
      chunk = []
      bytes = 0
    }
    chunk.push(entry)
    bytes += entry.value.length
  }
  if (chunk.length > 0) yield chunk
}

async function withStore<Result>(
  { store: given, config = [], set = [] }: StoreOptions,
  mayCreate: boolean,
  run: (store: MetadataStore, namespace: string) => Promise<Result>,
): Promise<Result> {
  const io = nodeIo()
  if (given !== undefined && !given.includes('://')) {
    return await withDirectory(io, given, mayCreate, run)
  }
  const properties = startProperties({ config: [...config], set: [...set] }, process.env)
  if (given !== undefined) properties.set('metadata.store', given)
  const { config: parsed, errors } = parseBrokerConfig(properties)
  if (parsed === undefined) throw new Failure(errors.join('; '))
  if (parsed.metadataStore === undefined) {
    throw new Failure('say which store: --store etcd://host:2379, or --store and a data directory')
  }
  const store = await openEtcd(io, parsed.metadataStore, sessionTimeoutMs, { waitMs: patienceMs })
  try {
    return await run(store, parsed.metadataStore.namespace)
  } finally {
    await store.close()
  }
}

async function withDirectory<Result>(
  io: Io,
  directory: string,
  mayCreate: boolean,
  run: (store: MetadataStore, namespace: string) => Promise<Result>,
): Promise<Result> {
  if (!mayCreate && (await io.disk.stat(`${directory}/${localStoreName}`)) === undefined) {
    throw new Failure(`${directory} has no metadata store: there is no ${localStoreName} in it`)
  }
  const lock = await io.disk.lock(directory)
  try {
    const store = await openLocalStore(io, directory)
    try {
      return await run(store, '')
    } finally {
      await store.close()
    }
  } finally {
    await lock.release()
  }
}
