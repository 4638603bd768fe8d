/** This broker's registration. (skeleton) */
import type { Io, MetadataStore } from '../io/io.ts'
import type { Image } from './image.ts'
import type { AdvertisedListener } from './keys.ts'

export interface MembershipOptions {
  readonly brokerId: number
  /** Random, made once a process. */
  readonly incarnation: string
  readonly sessionTimeoutMs: number
  readonly listeners: readonly AdvertisedListener[]
  readonly rack: string | null
  /** What the log directories say of the last run. */
  readonly directoryIds: readonly string[]
  readonly clusterId: string | undefined
  readonly previousEpoch: bigint | undefined
  readonly lossless: boolean
  /** After each registration, before this broker may lead: session files are written here. */
  onRegistered(identity: {
    clusterId: string
    brokerId: number
    brokerEpoch: bigint
  }): Promise<void>
}

export declare class Membership {
  constructor(io: Io, store: MetadataStore, image: Image, options: MembershipOptions)
  readonly brokerId: number
  readonly clusterId: string
  /** Undefined between a lost lease and the next registration. */
  readonly brokerEpoch: bigint | undefined
  /** Monotonic; beyond it this broker is self-fenced. */
  readonly validUntilMs: number
  /** Registers; throws DUPLICATE_BROKER_REGISTRATION after 60 s, INCONSISTENT_CLUSTER_ID. */
  start(): Promise<void>
  /** Resolves when the image shows this broker admitted. */
  admitted(deadlineMs: number): Promise<void>
  /** Controlled shutdown: resolves when this broker leads nothing, or after 30 s. */
  stopLeading(): Promise<void>
  /** Revokes the lease; the last thing that happens. */
  close(): Promise<void>
}
