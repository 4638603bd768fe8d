/** Damages bytes as a broken or hostile peer would. */
import type { Prng } from '../../src/sim/random.ts'

type Mutation = (random: Prng, bytes: Buffer) => Buffer

/** Lengths that promise more than there is, or less than nothing. */
const lengths = [-1, -2, 0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, -0x8000_0000, 0x1000_0000]

const mutations: readonly Mutation[] = [
  function flipBits(random, bytes) {
    for (let flips = 1 + random.below(8); flips > 0 && bytes.length > 0; flips--) {
      bytes[random.below(bytes.length)]! ^= 1 << random.below(8)
    }
    return bytes
  },
  function cut(random, bytes) {
    return bytes.subarray(0, random.below(bytes.length + 1))
  },
  function insert(random, bytes) {
    const at = random.below(bytes.length + 1)
    const more = random.bytes(random.below(20))
    return Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)])
  },
  function removePart(random, bytes) {
    const at = random.below(bytes.length + 1)
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + random.below(20))])
  },
  function repeatPart(random, bytes) {
    const at = random.below(bytes.length + 1)
    const part = bytes.subarray(at, at + random.below(50))
    const times = Array.from({ length: 1 + random.below(50) }, () => part)
    return Buffer.concat([bytes.subarray(0, at), ...times, bytes.subarray(at)])
  },
  function lieInt32(random, bytes) {
    if (bytes.length >= 4) bytes.writeInt32BE(lie(random), random.below(bytes.length - 3))
    return bytes
  },
  function lieInt16(random, bytes) {
    if (bytes.length >= 2)
      bytes.writeInt16BE((lie(random) << 16) >> 16, random.below(bytes.length - 1))
    return bytes
  },
  function lieVarint(random, bytes) {
    const at = random.below(bytes.length + 1)
    for (let i = at; i < Math.min(at + 1 + random.below(10), bytes.length); i++) bytes[i] = 0xff
    return bytes
  },
  function lieByte(random, bytes) {
    if (bytes.length > 0) bytes[random.below(bytes.length)] = lie(random) & 0xff
    return bytes
  },
]

function lie(random: Prng): number {
  return lengths[random.below(lengths.length)]!
}

/** A copy with one to three kinds of damage. */
export function mutate(random: Prng, bytes: Uint8Array): Uint8Array {
  let damaged = Buffer.from(bytes)
  for (let times = 1 + random.below(3); times > 0; times--) {
    damaged = Buffer.from(mutations[random.below(mutations.length)]!(random, damaged))
  }
  return damaged
}
