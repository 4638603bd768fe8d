/** Random values of a message, made from its declaration, for fast-check. */
import * as fc from 'fast-check'
import * as layout from '../../src/protocol/layout.ts'
import { type Field, type Fields, includes } from '../../src/protocol/schema.ts'

/** A value of exactly the fields of `version`, as decoding with exact int64s gives them. */
export function arbitraryStruct(fields: Fields, version: number): fc.Arbitrary<object> {
  const present = Object.entries(fields).filter(([, field]) => includes(field.versions, version))
  const absent = layout
    .absentFields(fields, version)
    .map(({ name, field }) => [name, layout.defaultValue(field, true)] as const)
  const values = Object.fromEntries(
    present.map(([name, field]) => [name, arbitraryValue(field, version)]),
  )
  return fc
    .record(values, { noNullPrototype: true })
    .map(value => ({ ...value, ...Object.fromEntries(absent) }))
}

function arbitraryValue(field: Field, version: number): fc.Arbitrary<unknown> {
  const value = arbitraryPresent(field, version)
  const nullable = includes(field.nullable, version)
  const given = nullable ? fc.option(value, { nil: null, freq: 3 }) : value
  if (field.tag === undefined || (field.default === null && !nullable)) return given
  return fc.oneof(given, fc.constant(layout.defaultValue(field, true)))
}

function arbitraryPresent(field: Field, version: number): fc.Arbitrary<unknown> {
  switch (field.kind) {
    case 'int8':
      return fc.integer({ min: -0x80, max: 0x7f })
    case 'int16':
      return fc.integer({ min: -0x8000, max: 0x7fff })
    case 'int32':
      return fc.integer()
    case 'uint16':
      return fc.nat(0xffff)
    case 'uint32':
      return fc.integer({ min: 0, max: 0xffff_ffff })
    case 'int64':
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    case 'float64':
      return fc.double()
    case 'bool':
      return fc.boolean()
    case 'string':
      return fc.string({ unit: 'grapheme', maxLength: 200 })
    case 'bytes':
    case 'records':
      return fc.uint8Array({ maxLength: 2000 }).map(bytes => new Uint8Array(bytes))
    case 'uuid':
      return fc
        .uint8Array({ minLength: 16, maxLength: 16 })
        .map(bytes => Buffer.from(bytes).toString('base64url'))
    case 'array':
      return fc.array(arbitraryValue(field.element as Field, version), { maxLength: 3 })
    case 'struct':
      return arbitraryStruct(field.fields ?? {}, version)
  }
}
