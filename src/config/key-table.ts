/** The notation of the key tables: one row a key, grouped by what the keys mean here. */
import type { ConfigKey, ConfigType, Meaning, Range } from './key.ts'

/**
 * Name, type, default, valid values, importance; for keys that act also what they do, and whether
 * they can be changed while the broker runs.
 */
export type Row = readonly [
  name: string,
  type: ConfigType,
  defaultValue: string | null,
  valid: ConfigKey['valid'],
  importance: ConfigKey['importance'],
  doc?: string,
  dynamic?: 'dynamic',
]

/** No restriction beyond the type. */
export const any = undefined

/** From `min` to `max`, both inclusive, or exactly `also`. */
export function range(min: number, max?: number, also?: number): Range {
  return { min, ...(max !== undefined && { max }), ...(also !== undefined && { also }) }
}

/** One of these words; in a list: some of them. */
export function words(...allowed: string[]): readonly string[] {
  return allowed
}

/** Rows of one meaning; `why` holds for all that do not say themselves. */
export function section(meaning: Meaning, rows: readonly Row[], why = ''): ConfigKey[] {
  return rows.map(([name, type, defaultValue, valid, importance, doc, dynamic]) => ({
    name,
    type,
    defaultValue,
    valid,
    importance,
    meaning,
    doc: doc ?? why,
    dynamic: dynamic !== undefined,
  }))
}

/** All sections as one map, in order of names. Throws when a name occurs twice. */
export function table(...sections: ConfigKey[][]): ReadonlyMap<string, ConfigKey> {
  const keys = sections.flat().sort((a, b) => (a.name < b.name ? -1 : 1))
  const map = new Map(keys.map(key => [key.name, key]))
  if (map.size !== keys.length) throw new Error('a key is declared twice')
  return map
}
