/** Places in a partition as people write them: by offset, from the end, by time, by age. */
import { Failure } from './failure.ts'

/** Where to begin or to stop; `last` counts back from the end. */
export type Place =
  | { readonly at: 'earliest' | 'latest' }
  | { readonly offset: number }
  | { readonly last: number }
  | { readonly timestamp: number }

const unitsMs: Readonly<Record<string, number>> = {
  w: 7 * 86_400_000,
  d: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
}

/** `90s`, `1h30m`, `7d` or Java's `PT1H30M`, in milliseconds; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  const parts = text.trim().replace(/^P(?=[\dT])|T(?=\d)/giu, '')
  if (!/^(?:\d+(?:\.\d+)?(?:ms|[wdhms]))+$/iu.test(parts)) return undefined
  let sumMs = 0
  for (const [, number, unit] of parts.matchAll(/([\d.]+)(ms|[wdhms])/giu)) {
    sumMs += Number(number) * unitsMs[unit!.toLowerCase()]!
  }
  return Math.round(sumMs)
}

/**
 * `2026-01-31`, `2026-01-31T12:00Z`, `@1700000000000`: milliseconds since the epoch. A time without
 * a zone is local. Undefined when it is none.
 */
export function parseTime(text: string): number | undefined {
  if (/^@\d{1,15}$/u.test(text)) return Number(text.slice(1))
  if (!/^\d{4}-\d\d(?:-\d\d)?(?:[T ]|$)/u.test(text)) return undefined
  const timestamp = Date.parse(text)
  return Number.isNaN(timestamp) ? undefined : timestamp
}

/** Reads what `option` was given. Throws Failure that lists what can be written. */
export function parsePlace(option: string, text: string, nowMs: number): Place {
  if (text === 'earliest' || text === 'beginning') return { at: 'earliest' }
  if (text === 'latest' || text === 'end') return { at: 'latest' }
  if (/^\d{1,15}$/u.test(text)) return { offset: Number(text) }
  if (/^-\d{1,15}$/u.test(text)) return { last: -Number(text) }
  const timestamp = parseTime(text)
  if (timestamp !== undefined) return { timestamp }
  const agoMs = parseDuration(text.replace(/ +ago$/u, ''))
  if (agoMs !== undefined) return { timestamp: nowMs - agoMs }
  throw new Failure(
    `${option} ${text}: write earliest, latest, an offset, -N (N before the end), ` +
      'a time as 2026-01-31T12:00Z, or an age as 15m or 2h',
  )
}
