/**
 * Moving in: a data directory that Apache Kafka wrote becomes one of Ottla's.
 *
 * Segments, indexes, snapshots and checkpoints stay as they are, for their formats are the same. What
 * is missing is the metadata store: topics, their ids, partitions and configs are written into it, as
 * folder names, `partition.metadata` and Kafka's metadata log have them, and leader epochs and
 * producer ids go on above those that Kafka gave out. The key of the cluster comes last: until it is
 * there, a start refuses the directory, and an adoption that was cut short begins anew. Done again,
 * it adds what Kafka made meanwhile. Nothing of Kafka's is changed, its metadata log included, so the
 * way back is open.
 */
import { softwareVersion } from '../base/version.ts'
import { founded, ourFeatures } from '../cluster/features.ts'
import { type ClusterValue, codecs, everything, keys } from '../cluster/keys.ts'
import type { PartitionState } from '../cluster/partition-state.ts'
import { validateTopicConfigs } from '../config/topic-config.ts'
import type { Io, MetadataStore, Op } from '../io/io.ts'
import { openLocalStore } from '../io/local-store.ts'
import { parseEpochs, readSmallFile } from '../log/checkpoint-file.ts'
import { type DirectoryFacts, readDirectoryFacts } from '../log/directory-facts.ts'
import {
  kraftFolderName,
  leaderEpochsName,
  offsetOfName,
  partitionMetadataName,
  partitionOfFolder,
  snapshotSuffix,
} from '../log/file-names.ts'
import { decodeSnapshot, maxSnapshotBytes } from '../log/producer-snapshot.ts'
import { formatSession, sessionFileName } from '../log/session-file.ts'
import { readTopicId } from '../log/verify-files.ts'
import { type KraftMetadata, readKraftMetadata } from './kraft-metadata.ts'

/** What an adoption found and did. */
export interface Adoption {
  readonly clusterId: string
  readonly brokerId: number
  /** Topics that were not in the store before, by name. */
  readonly topics: readonly AdoptedTopic[]
  /** Topics that were there already. */
  readonly known: number
  /** Sentences on what was not taken over, or is to be known. */
  readonly notes: readonly string[]
}

export interface AdoptedTopic {
  readonly name: string
  readonly topicId: string
  readonly partitions: number
  readonly configs: ReadonlyMap<string, string>
}

/** The directory cannot be adopted; the message says why and what to do. Nothing was changed. */
export class AdoptionRefused extends Error {
  override readonly name = 'AdoptionRefused'
}

/** A partition's folder. */
interface Folder {
  readonly path: string
  readonly topic: string
  readonly partition: number
  readonly topicId: string
  /** Of the table of epochs; −1 without one. */
  readonly epoch: number
  /** The largest in its newest snapshot; −1 without one. */
  readonly producerId: number
  /** Where its oldest open transaction begins; Infinity without one. */
  readonly openOffset: number
}

/** The broker epoch that a partition's only replica is said to have had. */
const epochBefore = 0n

/** Above the producer ids that were seen, when it is not known which were given out. */
const unseenProducerIds = 1_000_000

const maxPutsAtOnce = 100

/**
 * Adopts the data directories of one broker, in the order of log.dirs; the caller holds their locks.
 * `onProgress` is called with folders read and folders there are. Throws AdoptionRefused, DiskError.
 */
export async function adopt(
  io: Io,
  directories: readonly string[],
  onProgress: (done: number, total: number) => void = () => {},
): Promise<Adoption> {
  const facts: DirectoryFacts[] = []
  for (const path of directories) facts.push(await readDirectoryFacts(io.disk, path))
  const { clusterId, brokerId } = identityOf(directories, facts)
  const kraft = await metadataOf(io, directories)
  const folders = await readFolders(io, directories, onProgress)
  const notes = facts.every(({ hasMarker, session }) => hasMarker || session !== undefined)
    ? []
    : ['Kafka was not stopped in order: the first start reads its logs again from what was synced']
  const topics = topicsOf(folders, kraft, brokerId, notes)
  const nextProducerId = Math.max(
    kraft?.nextProducerId ?? 0,
    ...folders.map(({ producerId }) => producerId + (kraft === undefined ? unseenProducerIds : 1)),
  )
  const store = await openLocalStore(io, directories[0]!)
  try {
    const added = await write(store, { clusterId, brokerId, topics, nextProducerId })
    await noteSessions(io, directories, facts)
    return { clusterId, brokerId, topics: added, known: topics.length - added.length, notes }
  } finally {
    await store.close()
  }
}

// ── Reading ──────────────────────────────────────────────────────────────────

function identityOf(
  directories: readonly string[],
  facts: readonly DirectoryFacts[],
): { clusterId: string; brokerId: number } {
  for (const [index, { meta, problems }] of facts.entries()) {
    const path = directories[index]
    if (problems.some(each => each.path.endsWith('meta.properties')) || meta.size === 0) {
      throw new AdoptionRefused(
        `${path} has no meta.properties with cluster.id and node.id: is it Kafka's data directory?`,
      )
    }
  }
  for (const key of ['cluster.id', 'node.id']) {
    const values = new Set(facts.map(({ meta }) => meta.get(key)))
    if (values.size === 1) continue
    throw new AdoptionRefused(`the directories differ in ${key}: ${[...values].join(', ')}`)
  }
  const { meta } = facts[0]!
  return { clusterId: meta.get('cluster.id')!, brokerId: Number(meta.get('node.id')) }
}

async function metadataOf(
  io: Io,
  directories: readonly string[],
): Promise<KraftMetadata | undefined> {
  for (const path of directories) {
    try {
      const metadata = await readKraftMetadata(io.disk, path)
      if (metadata !== undefined) return metadata
    } catch (error) {
      throw new AdoptionRefused(
        `${path}/${kraftFolderName} cannot be read: ${(error as Error).message}`,
        { cause: error },
      )
    }
  }
  return undefined
}

async function readFolders(
  io: Io,
  directories: readonly string[],
  onProgress: (done: number, total: number) => void,
): Promise<Folder[]> {
  const paths: { path: string; topic: string; partition: number }[] = []
  for (const directory of directories) {
    for (const { name, directory: isFolder } of await io.disk.list(directory)) {
      const partition = isFolder && name !== kraftFolderName ? partitionOfFolder(name) : undefined
      if (partition) paths.push({ path: `${directory}/${name}`, ...partition })
    }
  }
  const folders: Folder[] = []
  for (const each of paths) {
    folders.push(await readFolder(io, each))
    onProgress(folders.length, paths.length)
  }
  return folders
}

async function readFolder(
  { disk }: Io,
  place: { path: string; topic: string; partition: number },
): Promise<Folder> {
  const inspection = { disk, isDeep: false, found: () => {}, read: () => {} }
  const topicId = await readTopicId(inspection, `${place.path}/${partitionMetadataName}`)
  if (topicId === undefined) {
    throw new AdoptionRefused(
      `${place.path} has no topic id in ${partitionMetadataName}: 'ottla log verify --repair' may find it, or set the folder aside`,
    )
  }
  const epochs = await readSmallFile(disk, `${place.path}/${leaderEpochsName}`, parseEpochs)
  const names = (await disk.list(place.path)).map(({ name }) => name)
  const snapshots = names.filter(name => offsetOfName(name, snapshotSuffix) !== undefined)
  let openOffset = Number.POSITIVE_INFINITY
  let producerId = -1
  for (const name of snapshots.slice(-1)) {
    const bytes = await disk.readFile(`${place.path}/${name}`, maxSnapshotBytes)
    const state = bytes && decodeSnapshot(bytes, Number.POSITIVE_INFINITY)
    for (const entry of state?.entries() ?? []) producerId = Math.max(producerId, entry.producerId)
    openOffset = state?.openOffset ?? openOffset
  }
  const epoch = epochs?.at(-1)?.epoch ?? -1
  return { ...place, topicId, epoch, producerId, openOffset }
}

// ── What they make together ──────────────────────────────────────────────────

interface Topic extends AdoptedTopic {
  /** By partition. */
  readonly epochs: readonly number[]
}

function topicsOf(
  folders: readonly Folder[],
  kraft: KraftMetadata | undefined,
  brokerId: number,
  notes: string[],
): Topic[] {
  if (kraft === undefined) {
    notes.push(
      `there is no ${kraftFolderName}: topic configs are not known and become the defaults`,
    )
  }
  for (const [kind, count] of kraft?.others ?? []) notes.push(`${count} ${kind} are not taken over`)
  const byTopic = Map.groupBy(folders, ({ topic }) => topic)
  const topics = [...byTopic].flatMap(([name, mine]) => topicOf(name, mine, kraft, notes) ?? [])
  refuseMissing(topics, kraft, brokerId)
  return topics
}

function topicOf(
  name: string,
  folders: readonly Folder[],
  kraft: KraftMetadata | undefined,
  notes: string[],
): Topic | undefined {
  const [first] = folders as [Folder]
  const other = folders.find(({ topicId }) => topicId !== first.topicId)
  if (other !== undefined) {
    throw new AdoptionRefused(
      `${first.path} and ${other.path} say that topic ${name} has the ids ${first.topicId} and ${other.topicId}: set aside the folder of the topic that was deleted`,
    )
  }
  const known = kraft?.topics.get(first.topicId)
  if (kraft !== undefined && known?.name !== name) {
    notes.push(`${name} (${first.topicId}) is not in Kafka's metadata and is left out`)
    return undefined
  }
  const epochs: number[] = []
  for (const { path, partition, epoch } of folders) {
    if (epochs[partition] !== undefined) {
      throw new AdoptionRefused(`${path}: the partition is in another directory, too`)
    }
    epochs[partition] = Math.max(0, epoch, known?.partitions.get(partition)?.leaderEpoch ?? 0)
  }
  const copies = Math.max(
    1,
    ...[...(known?.partitions.values() ?? [])].map(each => each.replicas.length),
  )
  for (const { partition, openOffset } of folders) {
    if (openOffset === Number.POSITIVE_INFINITY) continue
    notes.push(
      `${name}-${partition} has a transaction that was not ended, from offset ${openOffset} on: read_committed consumers wait there, for there are no transactions here yet; end it while Kafka still runs`,
    )
  }
  if (copies > 1) notes.push(`${name} had ${copies} replicas: this copy stands alone from now on`)
  const configs = topicConfigs(name, kraft?.topicConfigs.get(name) ?? new Map(), notes)
  return { name, topicId: first.topicId, partitions: epochs.length, configs, epochs }
}

/** Those that a topic can have here. */
function topicConfigs(
  name: string,
  wanted: ReadonlyMap<string, string>,
  notes: string[],
): Map<string, string> {
  const configs = new Map<string, string>()
  for (const [key, value] of wanted) {
    const refusal = validateTopicConfigs(new Map([[key, value]]))
    if (refusal === undefined) configs.set(key, value)
    else notes.push(`${name} does without ${key}=${value}: ${refusal}`)
  }
  return configs
}

/** A topic is whole here, or it would lose the partitions that others have. */
function refuseMissing(
  topics: readonly Topic[],
  kraft: KraftMetadata | undefined,
  brokerId: number,
): void {
  const missing: string[] = []
  const elsewhere: string[] = []
  const here = new Map(topics.map(topic => [topic.topicId, topic]))
  for (const { topicId, name, partitions } of kraft?.topics.values() ?? []) {
    for (const [index, { replicas }] of partitions) {
      if (here.get(topicId)?.epochs[index] !== undefined) continue
      if (replicas.includes(brokerId)) missing.push(`${name}-${index}`)
      else elsewhere.push(`${name}-${index} (brokers ${replicas.join(', ')})`)
    }
  }
  for (const { name, epochs } of kraft === undefined ? topics : []) {
    for (let index = 0; index < epochs.length; index++) {
      if (epochs[index] === undefined) missing.push(`${name}-${index}`)
    }
  }
  if (missing.length > 0) {
    throw new AdoptionRefused(
      `partitions without a folder: ${some(missing)}. Give all directories of log.dirs`,
    )
  }
  if (elsewhere.length > 0) {
    throw new AdoptionRefused(
      `partitions that only other brokers have: ${some(elsewhere)}. Have Kafka move a replica of each to broker ${brokerId} first (kafka-reassign-partitions)`,
    )
  }
}

function some(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(', ')
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown
}

// ── Writing ──────────────────────────────────────────────────────────────────

async function write(
  store: MetadataStore,
  found: { clusterId: string; brokerId: number; topics: readonly Topic[]; nextProducerId: number },
): Promise<Topic[]> {
  const { clusterId, brokerId, topics } = found
  const cluster = (await store.get({ key: keys.cluster })).entries[0]
  const known = cluster && codecs.cluster.decode(cluster.value)
  if (known !== undefined && known.clusterId !== clusterId) {
    throw new AdoptionRefused(
      `the metadata store is of cluster ${known.clusterId}, the directory of ${clusterId}`,
    )
  }
  // What an adoption left that was cut short.
  if (known === undefined) await store.txn([], [{ delete: { prefix: everything } }])
  const added: Topic[] = []
  for (const topic of topics) if (await isNew(store, topic)) added.push(topic)
  for (const topic of added) await addTopic(store, topic, brokerId)
  await raiseProducerIds(store, found.nextProducerId)
  if (known === undefined) {
    const features = founded(ourFeatures, softwareVersion)
    const value: ClusterValue = { clusterId, formatVersion: 1, features }
    await store.txn([], [{ put: keys.cluster, value: codecs.cluster.encode(value) }])
  }
  return added
}

/** False when the store has it. */
async function isNew(store: MetadataStore, { name, topicId }: Topic): Promise<boolean> {
  const entry = (await store.get({ key: keys.byName(name) })).entries[0]
  if (entry === undefined) return true
  const { topicId: other } = codecs.byName.decode(entry.value)
  if (other === topicId) return false
  throw new AdoptionRefused(`topic ${name} has the id ${other} here, and ${topicId} in Kafka`)
}

/** The name comes last: without it there is no topic. */
async function addTopic(store: MetadataStore, topic: Topic, brokerId: number): Promise<void> {
  const { name, topicId, partitions: partitionCount, configs } = topic
  const ops: Op[] = topic.epochs.map((leaderEpoch, index) => ({
    put: keys.partition(topicId, index),
    value: codecs.partition.encode(partitionState(brokerId, leaderEpoch)),
  }))
  const info = codecs.info.encode({ name, partitionCount, createdMs: 0 })
  ops.push({ put: keys.info(topicId), value: info })
  if (configs.size > 0) {
    const value = codecs.configs.encode({ entries: configs })
    ops.push({ put: keys.configs('topic', name), value })
  }
  ops.push({ put: keys.byName(name), value: codecs.byName.encode({ topicId }) })
  for (let at = 0; at < ops.length; at += maxPutsAtOnce) {
    await store.txn([], ops.slice(at, at + maxPutsAtOnce))
  }
}

/** Nobody leads; the one replica is complete, as the session says that is written with it. */
function partitionState(brokerId: number, leaderEpoch: number): PartitionState {
  return {
    leader: null,
    leaderEpoch,
    partitionEpoch: 0,
    minIsr: 1,
    replicas: [brokerId],
    isr: [[brokerId, epochBefore]],
    elr: [],
    lastKnown: [],
    adding: [],
    removing: [],
  }
}

async function raiseProducerIds(store: MetadataStore, wanted: number): Promise<void> {
  const entry = (await store.get({ key: keys.producerIds })).entries[0]
  const next = entry === undefined ? 0 : codecs.producerIds.decode(entry.value).next
  if (wanted <= next) return
  const value = codecs.producerIds.encode({ next: wanted })
  await store.txn([], [{ put: keys.producerIds, value }])
}

/** How Kafka's run ended, as the next start wants to know it. */
async function noteSessions(
  io: Io,
  directories: readonly string[],
  facts: readonly DirectoryFacts[],
): Promise<void> {
  const directoryIds = facts.map(({ meta }) => meta.get('directory.id') ?? '')
  if (directoryIds.includes('')) return
  for (const [index, { session, hasMarker }] of facts.entries()) {
    if (session !== undefined) continue
    const lock = await io.disk.stat(`${directories[index]}/.lock`)
    const bytes = formatSession({
      directoryId: directoryIds[index]!,
      directoryIds,
      lockInode: lock?.inode ?? 0,
      brokerEpoch: epochBefore,
      bootId: undefined,
      clean: hasMarker,
      allSync: false,
      lossy: false,
    })
    await io.disk.replaceFile(`${directories[index]}/${sessionFileName}`, bytes)
  }
}
