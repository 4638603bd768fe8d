/** What a declaration means in one version: who is there, how it is written, what absence means. */
import { type Field, type Fields, includes, type Kind, type Message } from './schema.ts'

/** A field that is on the wire in some version, with its name. */
export interface Present {
  readonly name: string
  readonly field: Field
}

/** The ordinary fields of a version, in wire order. */
export function ordinaryFields(fields: Fields, version: number): Present[] {
  return Object.entries(fields)
    .filter(([, field]) => field.tag === undefined && includes(field.versions, version))
    .map(([name, field]) => ({ name, field }))
}

/** The tagged fields of a version, by tag. */
export function taggedFields(fields: Fields, version: number): (Present & { tag: number })[] {
  return Object.entries(fields)
    .flatMap(([name, field]) =>
      field.tag !== undefined && includes(field.versions, version)
        ? [{ name, field, tag: field.tag }]
        : [],
    )
    .sort((a, b) => a.tag - b.tag)
}

/** The fields that a version does not have. */
export function absentFields(fields: Fields, version: number): Present[] {
  return Object.entries(fields)
    .filter(([, field]) => !includes(field.versions, version))
    .map(([name, field]) => ({ name, field }))
}

/** Throws when the message has no such version. */
export function checkVersion(message: Message, version: number): void {
  if (!includes(message.versions, version)) {
    throw new RangeError(`${message.name} has no version ${version}`)
  }
}

const fixed: Partial<Record<Kind, number>> = {
  int8: 1,
  bool: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  float64: 8,
  uuid: 16,
}

/** Bytes of a kind that always has the same; undefined: it varies. */
export function fixedBytes(kind: Kind): number | undefined {
  return fixed[kind]
}

/** How strings, bytes and arrays say their length. */
export function isCompact(field: Field, flexible: boolean): boolean {
  return flexible && field.flexible
}

/** The fewest bytes that a value can have on the wire, so that counts can be checked. */
export function minimumBytes(field: Field, version: number, flexible: boolean): number {
  const size = fixedBytes(field.kind)
  if (size !== undefined) return size
  if (field.kind === 'struct') {
    if (includes(field.nullable, version)) return 1
    return ordinaryFields(field.fields ?? {}, version).reduce(
      (sum, present) => sum + minimumBytes(present.field, version, flexible),
      flexible ? 1 : 0,
    )
  }
  if (isCompact(field, flexible)) return 1
  return field.kind === 'string' ? 2 : 4
}

const noBytes = new Uint8Array(0)
const noElements: readonly never[] = Object.freeze([])

/** What decoding gives for an absent field: shared and frozen. `exact`: int64s are bigints. */
export function defaultValue(field: Field, exact: boolean): unknown {
  if (field.kind === 'int64') return int64Default(field, exact)
  if (field.default !== undefined) return field.default
  if (field.kind === 'array') return noElements
  return field.kind === 'struct' ? defaultStruct(field.fields ?? {}, exact) : noBytes
}

function defaultStruct(fields: Fields, exact: boolean): object {
  const entries = Object.entries(fields).map(([name, field]) => [name, defaultValue(field, exact)])
  return Object.freeze(Object.fromEntries(entries))
}

function int64Default(field: Field, exact: boolean): number | bigint {
  const value = BigInt(field.default as number | bigint)
  if (exact || field.int64 === 'exact') return value
  return Number(BigInt(Number.MAX_SAFE_INTEGER) < value ? Number.MAX_SAFE_INTEGER : value)
}

/** Whether `value` is the default or left out, so that not writing it loses nothing. */
export function isDefault(field: Field, value: unknown): boolean {
  if (value === undefined) return true
  if (field.kind === 'int64') {
    return value === defaultValue(field, false) || value === defaultValue(field, true)
  }
  if (field.default !== undefined) return value === field.default
  if (value === null) return false
  if (field.kind !== 'struct') return (value as { length: number }).length === 0
  return Object.entries(field.fields ?? {}).every(([name, inner]) =>
    isDefault(inner, (value as Record<string, unknown>)[name]),
  )
}
