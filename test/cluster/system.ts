/** Three brokers of one kind, with what they need; run.ts and its faults know no more of them. */
import type { LiveEtcd } from '../live-etcd.ts'
import type { BrokerDisk } from './disk.ts'
import type { Net, Place } from './net.ts'
import type { ServerProcess } from './server-process.ts'

export interface BrokerNode {
  readonly id: number
  readonly server: ServerProcess
  readonly disk: BrokerDisk
  /** `host:port`, for all others. */
  readonly address: string
}

export interface System {
  readonly label: string
  readonly net: Net
  readonly brokers: readonly BrokerNode[]
  /** The metadata store, where it is apart from the brokers. */
  readonly etcd: LiveEtcd | undefined
  /** Of the members of the store, in their order. */
  readonly etcdPlaces: readonly Place[]
  /** A broker whose disk is full gives up; it has to be started again. */
  readonly endsWithFullDisk: boolean
  /** Ends all processes, and takes their data away. */
  remove(): Promise<void>
}

export interface SystemOptions {
  readonly directory: string
  readonly net: Net
  readonly brokers: number
  readonly replication: number
  /** Broker settings, on top. */
  readonly settings: Readonly<Record<string, string>>
}

export const brokerPort = 9092
/** Of a data directory, of which a run of half an hour takes a tenth. */
export const diskBytes = 768 * 1024 * 1024

/** Bootstrap addresses of all brokers. */
export function bootstrapOf(system: System): string {
  return system.brokers.map(({ address }) => address).join(',')
}
