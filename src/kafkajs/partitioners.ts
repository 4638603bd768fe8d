/** The partitioners of kafkajs: by key, and without a key one partition after another. */
import { partitionOfKey } from '../client/partitioner.ts'
import type { Random } from '../io/io.ts'
import { nodeIo } from '../io/node.ts'
import type { ICustomPartitioner } from './producer-types.ts'
import { bytesOf } from './records.ts'

type PartitionByKey = (key: Uint8Array, count: number) => number

const partitioner =
  (byKey: PartitionByKey, random: () => Random): ICustomPartitioner =>
  () => {
    const turns = new Map<string, number>()
    return ({ topic, partitionMetadata, message }) => {
      if (message.partition !== undefined && message.partition !== null) return message.partition
      if (message.key !== undefined && message.key !== null) {
        return byKey(Buffer.from(bytesOf(message.key)!), partitionMetadata.length)
      }
      const turn = turns.get(topic) ?? random().u32()
      turns.set(topic, turn + 1)
      const available = partitionMetadata.filter(({ leader }) => leader >= 0)
      const choice = available.length > 0 ? available : partitionMetadata
      return choice[turn % choice.length]!.partitionId
    }
  }

/**
 * The hash of kafkajs 1: murmur2 in floating point, which loses low bits of large products, and with
 * one block more, filled with zeros, where the length is no multiple of four. Its keys stay where they
 * are by this alone.
 */
function legacyMurmur2(bytes: Uint8Array): number {
  const { length } = bytes
  const multiplier = 0x5bd1e995
  const byte = (at: number) => bytes[at] ?? 0
  let hash: number = 0x9747b28c ^ length
  for (let at = 0; at < length; at += 4) {
    let word: number = byte(at) + (byte(at + 1) << 8) + (byte(at + 2) << 16) + (byte(at + 3) << 24)
    word *= multiplier
    word ^= word >>> 24
    word *= multiplier
    hash *= multiplier
    hash ^= word
  }
  const rest = length & ~3
  for (let at = length - 1; at >= rest; at--) hash ^= byte(at) << (8 * (at - rest))
  if (rest < length) hash *= multiplier
  hash ^= hash >>> 13
  hash *= multiplier
  return hash ^ (hash >>> 15)
}

const world = (): Random => nodeIo().random
const byMurmur2 = partitioner(partitionOfKey, world)
const byLegacyMurmur2 = partitioner(
  (key, count) => (legacyMurmur2(key) & 0x7fffffff) % count,
  world,
)

export const Partitioners = {
  /** As the Java client by key (murmur2). */
  DefaultPartitioner: byMurmur2,
  /** The name of the same before kafkajs 2. */
  JavaCompatiblePartitioner: byMurmur2,
  /** As kafkajs before version 2 by key. */
  LegacyPartitioner: byLegacyMurmur2,
}
