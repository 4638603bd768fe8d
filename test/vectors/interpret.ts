/**
 * Encodes and decodes by walking the declaration, field by field. Slow and plain: the oracle that the
 * compiled codecs are compared with.
 */
import * as layout from '../../src/protocol/layout.ts'
import { Reader } from '../../src/protocol/reader.ts'
import {
  type ByteSource,
  type Field,
  type Fields,
  includes,
  type Message,
} from '../../src/protocol/schema.ts'
import { refuse, refuseAbsent, Writer } from '../../src/protocol/writer.ts'

/** What the fields of one struct need to know of the message around them. */
interface Form {
  readonly version: number
  readonly flexible: boolean
  readonly exact: boolean
}

type Struct = Record<string, unknown>

/** As `decode` in compile.ts. */
export function interpretedDecode(
  message: Message,
  version: number,
  bytes: Uint8Array,
  exact = false,
): unknown {
  layout.checkVersion(message, version)
  const reader = new Reader(bytes)
  const form = { version, flexible: includes(message.flexible, version), exact }
  const value = readStruct(reader, message.fields, form)
  reader.finish()
  return value
}

/** As `encode` in compile.ts. */
export function interpretedEncode(message: Message, version: number, value: unknown): Uint8Array[] {
  layout.checkVersion(message, version)
  const writer = new Writer()
  const form = { version, flexible: includes(message.flexible, version), exact: false }
  writeStruct(writer, message.fields, form, value as Struct, message.name)
  return writer.finish()
}

function readStruct(reader: Reader, fields: Fields, form: Form): Struct {
  const value: Struct = {}
  for (const [name, field] of Object.entries(fields)) {
    value[name] = layout.defaultValue(field, form.exact)
  }
  for (const { name, field } of layout.ordinaryFields(fields, form.version)) {
    value[name] = readValue(reader, field, form)
  }
  if (form.flexible) readTags(reader, fields, form, value)
  return value
}

function readTags(reader: Reader, fields: Fields, form: Form, value: Struct): void {
  const tagged = layout.taggedFields(fields, form.version)
  let previous = -1
  for (let count = reader.uvarint(); count > 0; count--) {
    previous = reader.tag(previous)
    const end = reader.tagEnd()
    const known = tagged.find(({ tag }) => tag === previous)
    if (known === undefined) {
      reader.position = end
    } else {
      value[known.name] = readValue(reader, known.field, form)
      reader.endTag(previous, end)
    }
  }
}

function readValue(reader: Reader, field: Field, form: Form): unknown {
  const { view } = reader
  const size = layout.fixedBytes(field.kind)
  if (size !== undefined) return readFixed(reader, view, reader.take(size), field, form)
  const nullable = includes(field.nullable, form.version)
  if (field.kind === 'struct') {
    if (nullable && !reader.presence()) return null
    return readStruct(reader, field.fields ?? {}, form)
  }
  const length = readLength(reader, field, form)
  if (length === -1 && nullable) return null
  if (field.kind === 'string') return reader.text(length)
  if (field.kind !== 'array') return reader.slice(length)
  const element = field.element as Field
  const least = layout.minimumBytes(element, form.version, form.flexible)
  reader.count(length, least, layout.fixedBytes(element.kind) === undefined)
  return Array.from({ length }, () => readValue(reader, element, form))
}

function readLength(reader: Reader, field: Field, form: Form): number {
  if (layout.isCompact(field, form.flexible)) return reader.compactLength()
  return field.kind === 'string' ? reader.int16Length() : reader.int32Length()
}

function readFixed(reader: Reader, view: DataView, at: number, field: Field, form: Form): unknown {
  switch (field.kind) {
    case 'int8':
      return view.getInt8(at)
    case 'int16':
      return view.getInt16(at)
    case 'int32':
      return view.getInt32(at)
    case 'uint16':
      return view.getUint16(at)
    case 'uint32':
      return view.getUint32(at)
    case 'float64':
      return view.getFloat64(at)
    case 'bool':
      return view.getInt8(at) !== 0
    case 'uuid':
      return reader.uuid(at)
    default:
      if (form.exact || field.int64 === 'exact') return view.getBigInt64(at)
      return field.int64 === 'clamped' ? reader.clampedInt64(at) : reader.safeInt64(at)
  }
}

function writeStruct(
  writer: Writer,
  fields: Fields,
  form: Form,
  value: Struct,
  path: string,
): void {
  for (const { name, field } of layout.absentFields(fields, form.version)) {
    if (!field.ignorable && !layout.isDefault(field, value[name])) {
      refuseAbsent(`${path}.${name}`, form.version)
    }
  }
  for (const { name, field } of layout.ordinaryFields(fields, form.version)) {
    let given = value[name]
    if (given === undefined && field.omissible) given = layout.defaultValue(field, false)
    writeValue(writer, field, form, given, `${path}.${name}`)
  }
  if (!form.flexible) return
  const tagged = layout
    .taggedFields(fields, form.version)
    .filter(({ name, field }) => !layout.isDefault(field, value[name]))
  writer.uvarint(tagged.length)
  for (const { name, field, tag } of tagged) {
    const mark = writer.openTag(tag)
    writeValue(writer, field, form, value[name], `${path}.${name}`)
    writer.closeTag(mark)
  }
}

function writeValue(writer: Writer, field: Field, form: Form, value: unknown, path: string): void {
  const size = layout.fixedBytes(field.kind)
  if (size !== undefined) {
    writeFixed(writer, writer.reserve(size), field, value, path)
    return
  }
  const nullable = includes(field.nullable, form.version)
  if (value === undefined || (value === null && !nullable)) refuse(path, value)
  if (field.kind === 'struct') {
    if (nullable) writer.presence(value !== null)
    if (value !== null) writeStruct(writer, field.fields ?? {}, form, value as Struct, path)
    return
  }
  const compact = layout.isCompact(field, form.flexible)
  if (value === null) {
    writeLength(writer, field, compact, -1)
  } else if (field.kind === 'string') {
    if (compact) writer.compactString(value as string, path)
    else writer.string(value as string, path)
  } else if (field.kind === 'array') {
    if (!Array.isArray(value)) refuse(path, value)
    writeLength(writer, field, compact, value.length)
    for (const item of value) writeValue(writer, field.element as Field, form, item, path)
  } else if (compact) {
    writer.compactByteField(value as ByteSource, path)
  } else {
    writer.byteField(value as ByteSource, path)
  }
}

function writeLength(writer: Writer, field: Field, compact: boolean, length: number): void {
  if (compact) writer.compactLength(length)
  else if (field.kind === 'string') writer.int16Length(length)
  else writer.int32Length(length)
}

const wholeNumbers = {
  int8: [-0x80, 0x7f, 'setInt8'],
  int16: [-0x8000, 0x7fff, 'setInt16'],
  int32: [-0x8000_0000, 0x7fff_ffff, 'setInt32'],
  uint16: [0, 0xffff, 'setUint16'],
  uint32: [0, 0xffff_ffff, 'setUint32'],
} as const

function writeFixed(writer: Writer, at: number, field: Field, value: unknown, path: string): void {
  switch (field.kind) {
    case 'bool':
      if (typeof value !== 'boolean') refuse(path, value)
      writer.view.setInt8(at, value ? 1 : 0)
      return
    case 'float64':
      if (typeof value !== 'number') refuse(path, value)
      writer.view.setFloat64(at, value)
      return
    case 'uuid':
      writer.setUuid(at, value as string, path)
      return
    case 'int64':
      writer.setInt64(at, value as number | bigint, path)
      return
    default: {
      const [least, most, set] = wholeNumbers[field.kind as keyof typeof wholeNumbers]
      if (!Number.isInteger(value)) refuse(path, value)
      const whole = value as number
      if (whole < least || whole > most) refuse(path, value)
      writer.view[set](at, whole)
    }
  }
}
