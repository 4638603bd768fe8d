/** Cluster metadata as this broker knows it. (skeleton) */
import type { AliveValue, ConfigScope } from './keys.ts'
import type { PartitionState, Usable } from './partition-state.ts'

export interface Topic {
  readonly name: string
  readonly topicId: string
  /** By index; states are replaced, never changed. */
  readonly partitions: readonly PartitionState[]
  readonly internal: boolean
}

/** A registered broker. */
export interface Broker extends AliveValue {
  readonly brokerId: number
  readonly brokerEpoch: bigint
  readonly admitted: boolean
  readonly stopping: boolean
  /** Of the lease its registration hangs on. */
  readonly lease: bigint
}

/** What one or more revisions changed. */
export interface ImageChange {
  readonly revision: bigint
  /** Ids of topics that came, went, or have a partition that changed. */
  readonly topics: ReadonlySet<string>
  readonly brokers: ReadonlySet<number>
  /** `topic/<name>` and `broker/<id>`; `broker/` for the default of all brokers. */
  readonly configs: ReadonlySet<string>
  readonly controller: boolean
}

/** The read side: synchronous, in memory, at one revision. */
export declare class Image {
  /** Last revision applied. */
  readonly revision: bigint
  readonly clusterId: string | undefined
  /** Broker id of the controller; undefined while there is none. */
  readonly controllerId: number | undefined
  topicByName(name: string): Topic | undefined
  topicById(topicId: string): Topic | undefined
  topics(): Iterable<Topic>
  topicCount: number
  partitionCount: number
  broker(brokerId: number): Broker | undefined
  brokers(): Iterable<Broker>
  /** Overrides of one topic, or of a broker; '' is the default of all brokers. */
  configs(type: ConfigScope, name: string): ReadonlyMap<string, string>
  readonly usable: Usable
  /** Called after each applied batch; a listener must not throw. Answers how to unsubscribe. */
  subscribe(listener: (change: ImageChange) => void): () => void
  /** Resolves once `revision` is applied; rejects with REQUEST_TIMED_OUT at the monotonic deadline. */
  reached(revision: bigint, deadlineMs: number): Promise<void>
}
