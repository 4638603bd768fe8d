/**
 * The keys of the metadata store and what is in them: replication.md §3.
 *
 * Every value is a JSON object with a `version` and, where a broker has to recognise its own
 * transaction, `by`. A decoded value keeps the fields this release does not know, and they are
 * written back with it: an older broker that rewrites a key must not drop what a newer one put there.
 * Broker epochs are store revisions, 64 bits, and so decimal strings in JSON.
 */
import type { Member, PartitionState } from './partition-state.ts'

const prefix = '/ottla/v1/'

/** All of it. */
export const everything = prefix

/** Paths of the keys; names and ids are put in as they are: see `parseKey`. */
export const keys = {
  cluster: `${prefix}cluster`,
  controller: `${prefix}controller`,
  controllerSeq: `${prefix}controller-seq`,
  producerIds: `${prefix}producer-ids/next`,
  alive: (brokerId: number) => `${prefix}brokers/${brokerId}/alive`,
  stopping: (brokerId: number) => `${prefix}brokers/${brokerId}/stopping`,
  admitted: (brokerId: number) => `${prefix}brokers/${brokerId}/admitted`,
  logEnds: (brokerId: number, chunk: number) => `${prefix}brokers/${brokerId}/log-ends/${chunk}`,
  byName: (name: string) => `${prefix}topics/by-name/${name}`,
  info: (topicId: string) => `${prefix}topics/${topicId}/info`,
  partition: (topicId: string, index: number) => `${prefix}topics/${topicId}/p/${index}`,
  topic: (topicId: string) => `${prefix}topics/${topicId}/`,
  configs: (type: ConfigScope, name: string) => `${prefix}configs/${type}/${name}`,
  deleted: (topicId: string) => `${prefix}deleted/${topicId}`,
}

export type ConfigScope = 'topic' | 'broker'

/** Who wrote a value: the incarnation of a process, and the number of its request. */
export type By = readonly [incarnation: string, request: number]

/** Fields written by another release, kept on rewrite. */
export interface Stored {
  readonly by?: By
  readonly unknown?: Readonly<Record<string, unknown>>
}

export interface ClusterValue extends Stored {
  readonly clusterId: string
  /** Of this layout of keys; a broker refuses one above its own. */
  readonly formatVersion: number
}

export interface ControllerValue extends Stored {
  readonly brokerId: number
  readonly brokerEpoch: bigint
}

export interface ControllerSeqValue extends Stored {
  readonly controllerEpoch: bigint
  readonly request: number
}

/** Where clients and brokers reach a broker. */
export interface AdvertisedListener {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly protocol: string
}

export interface AliveValue extends Stored {
  readonly incarnation: string
  readonly directories: readonly string[]
  readonly listeners: readonly AdvertisedListener[]
  readonly rack: string | null
  readonly previousEpoch: bigint | null
  /** All records of the previous registration are still there: replication.md §5. */
  readonly lossless: boolean
}

export interface AdmittedValue extends Stored {
  readonly brokerEpoch: bigint
}

export interface TopicInfoValue extends Stored {
  readonly name: string
  readonly partitionCount: number
  readonly createdMs: number
}

/** Where a log ends that lost records. */
export interface LogEnd {
  readonly topicId: string
  readonly index: number
  /** −1 without records. */
  readonly lastEpoch: number
  readonly endOffset: number
}

export type PartitionValue = PartitionState & Stored
