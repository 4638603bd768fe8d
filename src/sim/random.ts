/**
 * Seeded chance: xoshiro128**, seeded by splitmix64, in named streams.
 *
 * A stream is a function of the seed and its name alone, so one more draw in one part of the world
 * (the network) does not change what happens in another (the disk).
 */

import type { Random } from '../io/io.ts'

/** A seeded stream of numbers. */
export class Prng implements Random {
  #a: number
  #b: number
  #c: number
  #d: number

  constructor(seed: number | bigint, stream = '') {
    let state = BigInt.asUintN(64, BigInt(seed))
    for (const unit of new TextEncoder().encode(stream)) state = splitmix(state ^ BigInt(unit))
    const first = splitmix(state)
    const second = splitmix(state + golden)
    this.#a = Number(first >> 32n) | 0
    this.#b = Number(first & 0xffffffffn) | 0
    this.#c = Number(second >> 32n) | 0
    this.#d = Number(second & 0xffffffffn) | 1 // all four at zero would stay there
  }

  /** A whole number in [0, 2³²). */
  u32(): number {
    const result = Math.imul(rotated(Math.imul(this.#b, 5), 7), 9) >>> 0
    const shifted = this.#b << 9
    this.#c ^= this.#a
    this.#d ^= this.#b
    this.#b ^= this.#c
    this.#a ^= this.#d
    this.#c ^= shifted
    this.#d = rotated(this.#d, 11)
    return result
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    for (let at = 0; at < length; at++) bytes[at] = this.u32() >>> 24
    return bytes
  }

  /** A number in [0, 1), with 32 random bits. */
  fraction(): number {
    return this.u32() / 2 ** 32
  }

  /** A whole number in [0, end). */
  below(end: number): number {
    return Math.floor(this.fraction() * end)
  }

  /** A number in [min, max). */
  between(min: number, max: number): number {
    return min + this.fraction() * (max - min)
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.fraction() < probability
  }
}

const golden = 0x9e3779b97f4a7c15n

function splitmix(state: bigint): bigint {
  let z = BigInt.asUintN(64, state + golden)
  z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n)
  z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn)
  return z ^ (z >> 31n)
}

function rotated(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by))
}
