/** The partitions of this broker. (skeleton) */
import type { LogDirectory } from '../log/log-directory.ts'
import type { Partition } from './partition.ts'

export declare class Replicas {
  leader(topic: string, index: number): Partition
  get(topic: string, index: number): Partition | undefined
  all(): Iterable<Partition>
  settled(topicId: string): Promise<void>
  logDirs(): readonly { directory: LogDirectory; partitions: readonly Partition[] }[]
  close(): Promise<void>
}
