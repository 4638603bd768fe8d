/**
 * How kafkajs retries: after `initialRetryTime`, then each time `multiplier` longer, spread by
 * `factor`, at most `maxRetryTime`, and at most `retries` times.
 *
 * Ottla's client retries requests by time instead of by number, so `patienceMs` is how long all the
 * waits of these options take together. By number it goes where user code is called again.
 */
import type { Random } from '../io/io.ts'

export interface RetryOptions {
  /** The longest wait. Default 30,000. */
  maxRetryTime?: number | undefined
  /** The first wait. Default 300. */
  initialRetryTime?: number | undefined
  /** By what part a wait is longer or shorter at random. Default 0.2. */
  factor?: number | undefined
  /** Default 2. */
  multiplier?: number | undefined
  /** Default 5. */
  retries?: number | undefined
  /** Asked when a consumer has crashed; default: yes. */
  restartOnFailure?: ((e: Error) => Promise<boolean>) | undefined
}

export interface Retrying {
  readonly maxRetryTime: number
  readonly initialRetryTime: number
  readonly factor: number
  readonly multiplier: number
  readonly retries: number
}

/** The later ones of `options` win. */
export function retryingBy(...options: readonly (RetryOptions | undefined)[]): Retrying {
  const defaults = {
    maxRetryTime: 30_000,
    initialRetryTime: 300,
    factor: 0.2,
    multiplier: 2,
    retries: 5,
  }
  for (const each of options) {
    for (const [name, value] of Object.entries(each ?? {})) {
      if (value !== undefined && name in defaults) Object.assign(defaults, { [name]: value })
    }
  }
  return defaults
}

/** How long to wait before attempt `count` (from 1), without chance. */
function waitMs({ initialRetryTime, multiplier, maxRetryTime }: Retrying, count: number): number {
  return Math.min(maxRetryTime, initialRetryTime * multiplier ** (count - 1))
}

/** The same with chance. */
export function retryTimeMs(retrying: Retrying, count: number, random: Random): number {
  const spread = 1 + retrying.factor * (random.u32() / 2 ** 31 - 1)
  return Math.min(retrying.maxRetryTime, Math.ceil(waitMs(retrying, count) * spread))
}

const longestPatienceMs = 24 * 60 * 60 * 1_000

/** How long all the waits take together; at most a day. */
export function patienceMs(retrying: Retrying): number {
  let sumMs = 0
  for (let count = 1; count <= retrying.retries; count++) {
    sumMs += waitMs(retrying, count)
    if (sumMs >= longestPatienceMs) return longestPatienceMs
  }
  return sumMs
}

/** An error of the program itself, which trying again does not mend; or one that says so. */
export function isHopeless(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if ('retriable' in error && error.retriable === false) return true
  return ['RangeError', 'ReferenceError', 'SyntaxError', 'TypeError'].includes(error.name)
}
