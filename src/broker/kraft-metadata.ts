/**
 * What Apache Kafka's own metadata log says: topics with their partitions, configs, producer ids.
 *
 * `__cluster_metadata-0` of a data directory is a log like any other. Its newest `.checkpoint` holds
 * everything up to an offset, in batches too; the batches from there on say what came after. A
 * record's value is a frame version, a type, a version, and fields in the flexible encoding (KIP-631).
 */
import type { Disk } from '../io/io.ts'
import { kraftFolderName, logSuffix, offsetOfName } from '../log/file-names.ts'
import { Reader } from '../protocol/reader.ts'
import { batches } from '../protocol/records/batch.ts'
import { recordsOf } from '../protocol/records/records.ts'

export interface KraftPartition {
  readonly replicas: readonly number[]
  /** −1 without one. */
  readonly leader: number
  readonly leaderEpoch: number
}

export interface KraftTopic {
  readonly name: string
  readonly topicId: string
  readonly partitions: ReadonlyMap<number, KraftPartition>
}

/** A cluster as its metadata log has it. */
export interface KraftMetadata {
  /** By topic id. */
  readonly topics: ReadonlyMap<string, KraftTopic>
  /** Overrides by topic name. */
  readonly topicConfigs: ReadonlyMap<string, ReadonlyMap<string, string>>
  /** The first producer id that no broker was given. */
  readonly nextProducerId: number
  /** Kinds of records that mean something and that we do not take, with their numbers. */
  readonly others: ReadonlyMap<string, number>
}

/** A larger one is not read: some millions of partitions. */
const maxFileBytes = 1024 * 1024 * 1024
const maxBatchBytes = 512 * 1024 * 1024

const types = { topic: 2, partition: 3, config: 4, partitionChange: 5, removeTopic: 9, ids: 15 }
const topicResource = 2
const leaderUnchanged = -2

/** What is not taken over, by type. */
const otherTypes: Readonly<Record<number, string>> = {
  10: 'delegation tokens',
  11: 'SCRAM credentials',
  14: 'client quotas',
  18: 'ACLs',
}

/** Undefined when the directory has no metadata log. Throws KafkaError or DecodeError for a damaged one. */
export async function readKraftMetadata(
  disk: Disk,
  directory: string,
): Promise<KraftMetadata | undefined> {
  const folder = `${directory}/${kraftFolderName}`
  if ((await disk.stat(folder)) === undefined) return undefined
  const names = (await disk.list(folder)).map(({ name }) => name)
  const metadata = new Metadata()
  const checkpoint = names.filter(name => /^\d{20}-\d{10}\.checkpoint$/.test(name)).at(-1)
  const from = checkpoint === undefined ? 0 : Number(checkpoint.slice(0, 20))
  const segments = names.filter(name => offsetOfName(name, logSuffix) !== undefined)
  for (const name of [...(checkpoint === undefined ? [] : [checkpoint]), ...segments]) {
    const bytes = (await disk.readFile(`${folder}/${name}`, maxFileBytes)) ?? new Uint8Array(0)
    // The last write may be torn: Kafka's controller would cut it.
    for (const batch of batches(bytes, { partialTail: 'ignored' })) {
      if (batch.isControl || (name !== checkpoint && batch.lastOffset < from)) continue
      for (const { value } of recordsOf(batch, maxBatchBytes)) {
        if (value !== null) metadata.apply(value)
      }
    }
  }
  return metadata
}

class Metadata implements KraftMetadata {
  readonly topics = new Map<string, KraftTopic & { partitions: Map<number, KraftPartition> }>()
  readonly topicConfigs = new Map<string, Map<string, string>>()
  readonly others = new Map<string, number>()
  nextProducerId = 0

  apply(value: Uint8Array): void {
    const reader = new Reader(value)
    reader.uvarint() // Of the frame: always 1.
    const type = reader.uvarint()
    reader.uvarint()
    if (type === types.topic) this.#topic(reader)
    else if (type === types.partition) this.#partition(reader)
    else if (type === types.partitionChange) this.#partitionChange(reader)
    else if (type === types.config) this.#config(reader)
    else if (type === types.removeTopic) this.#removeTopic(uuid(reader))
    else if (type === types.ids) {
      reader.take(4 + 8) // Broker and its epoch.
      this.nextProducerId = reader.safeInt64(reader.take(8))
    } else this.#other(otherTypes[type])
  }

  #topic(reader: Reader): void {
    const name = reader.text(reader.compactLength())
    const topicId = uuid(reader)
    this.topics.set(topicId, { name, topicId, partitions: new Map() })
  }

  #removeTopic(topicId: string): void {
    const name = this.topics.get(topicId)?.name
    if (name !== undefined) this.topicConfigs.delete(name)
    this.topics.delete(topicId)
  }

  #partition(reader: Reader): void {
    const index = int32(reader)
    const topic = this.topics.get(uuid(reader))
    const replicas = int32s(reader)
    for (let list = 0; list < 3; list++) int32s(reader) // In sync, leaving, coming.
    const leader = int32(reader)
    const leaderEpoch = int32(reader)
    topic?.partitions.set(index, { replicas, leader, leaderEpoch })
  }

  #partitionChange(reader: Reader): void {
    const index = int32(reader)
    const topic = this.topics.get(uuid(reader))
    const old = topic?.partitions.get(index)
    if (old === undefined) return
    let { replicas, leader, leaderEpoch } = old
    for (let left = reader.uvarint(); left > 0; left--) {
      const tag = reader.uvarint()
      const field = new Reader(reader.slice(reader.uvarint()))
      if (tag === 1) {
        const changed = int32(field)
        if (changed === leaderUnchanged) continue
        leader = changed
        leaderEpoch++
      } else if (tag === 2) replicas = int32s(field)
    }
    topic!.partitions.set(index, { replicas, leader, leaderEpoch })
  }

  #config(reader: Reader): void {
    const resource = reader.view.getInt8(reader.take(1))
    const name = reader.text(reader.compactLength())
    const key = reader.text(reader.compactLength())
    const length = reader.compactLength()
    const text = length < 0 ? undefined : reader.text(length)
    if (resource !== topicResource) {
      this.#other('configs of brokers, groups and clients')
      return
    }
    const configs = this.topicConfigs.get(name) ?? new Map<string, string>()
    if (text === undefined) configs.delete(key)
    else configs.set(key, text)
    this.topicConfigs.set(name, configs)
  }

  #other(kind: string | undefined): void {
    if (kind !== undefined) this.others.set(kind, (this.others.get(kind) ?? 0) + 1)
  }
}

function int32(reader: Reader): number {
  return reader.view.getInt32(reader.take(4))
}

/** Null reads as none. */
function int32s(reader: Reader): number[] {
  const count = reader.compactLength()
  const start = reader.take(4 * Math.max(0, count))
  return Array.from({ length: Math.max(0, count) }, (_, at) => reader.view.getInt32(start + 4 * at))
}

/** In Kafka's form: base64url without padding. */
function uuid(reader: Reader): string {
  return Buffer.from(reader.slice(16)).toString('base64url')
}
