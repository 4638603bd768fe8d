/**
 * Writes the source of a decoder for one message in one version.
 *
 * Fields become local variables, read in wire order, and one object literal at the end, so every
 * decoded struct of a place has the same hidden class. A run of fixed-size fields is checked
 * against the frame's end once and then read at constant offsets.
 */
import * as layout from './layout.ts'
import type { Reader } from './reader.ts'
import { type Field, type Fields, includes, type Message } from './schema.ts'

/** Reads one message body; leaves the reader behind it. */
export type Decoder = (reader: Reader) => unknown

/** Compiles a decoder; `exact`: every int64 is a bigint. Throws RangeError: no such version. */
export function compileDecoder(message: Message, version: number, exact: boolean): Decoder {
  layout.checkVersion(message, version)
  const source = new DecoderSource(version, includes(message.flexible, version), exact)
  const result = source.struct(message.fields)
  const body = `'use strict'\nreturn r => {\nconst d = r.view\n${source.text}return ${result}\n}`
  return new Function('defaults', body)(source.defaults) as Decoder
}

class DecoderSource {
  text = ''
  readonly defaults: unknown[] = []
  readonly #version: number
  readonly #flexible: boolean
  readonly #exact: boolean
  #names = 0

  constructor(version: number, flexible: boolean, exact: boolean) {
    this.#version = version
    this.#flexible = flexible
    this.#exact = exact
  }

  /** Adds the reading of a struct; answers the expression of its value. */
  struct(fields: Fields): string {
    const values = new Map<string, string>()
    let run: layout.Present[] = []
    for (const present of layout.ordinaryFields(fields, this.#version)) {
      if (layout.fixedBytes(present.field.kind) !== undefined) {
        run.push(present)
        continue
      }
      this.#run(run, values)
      run = []
      values.set(present.name, this.#value(present.field))
    }
    this.#run(run, values)
    if (this.#flexible) this.#tags(fields, values)
    const properties = Object.entries(fields).map(
      ([name, field]) => `${name}: ${values.get(name) ?? this.#default(field)}`,
    )
    return `{ ${properties.join(', ')} }`
  }

  #run(run: readonly layout.Present[], values: Map<string, string>): void {
    if (run.length === 0) return
    const sizes = run.map(({ field }) => layout.fixedBytes(field.kind) ?? 0)
    const start = this.#name()
    this.#line(`const ${start} = r.take(${sizes.reduce((sum, size) => sum + size, 0)})`)
    let offset = 0
    for (const [i, { name, field }] of run.entries()) {
      const value = this.#name()
      this.#line(`const ${value} = ${this.#fixed(field, `${start} + ${offset}`)}`)
      values.set(name, value)
      offset += sizes[i] ?? 0
    }
  }

  #fixed(field: Field, at: string): string {
    switch (field.kind) {
      case 'int8':
        return `d.getInt8(${at})`
      case 'int16':
        return `d.getInt16(${at})`
      case 'int32':
        return `d.getInt32(${at})`
      case 'uint16':
        return `d.getUint16(${at})`
      case 'uint32':
        return `d.getUint32(${at})`
      case 'float64':
        return `d.getFloat64(${at})`
      case 'bool':
        return `d.getInt8(${at}) !== 0`
      case 'uuid':
        return `r.uuid(${at})`
      default:
        if (this.#exact || field.int64 === 'exact') return `d.getBigInt64(${at})`
        return field.int64 === 'clamped' ? `r.clampedInt64(${at})` : `r.safeInt64(${at})`
    }
  }

  /** Adds the reading of one value; answers the variable that holds it. */
  #value(field: Field): string {
    const value = this.#name()
    const size = layout.fixedBytes(field.kind)
    if (size !== undefined) {
      this.#line(`const ${value} = ${this.#fixed(field, `r.take(${size})`)}`)
      return value
    }
    const nullable = includes(field.nullable, this.#version)
    if (field.kind === 'struct') {
      if (!nullable) return this.#assigned(value, this.struct(field.fields ?? {}))
      this.#line(`let ${value} = null`)
      this.#line('if (r.presence()) {')
      this.#line(`${value} = ${this.struct(field.fields ?? {})}`)
      this.#line('}')
      return value
    }
    const length = this.#assigned(this.#name(), this.#length(field))
    if (field.kind === 'array') {
      this.#array(field, value, length, nullable)
      return value
    }
    const read = field.kind === 'string' ? `r.text(${length})` : `r.slice(${length})`
    return this.#assigned(value, nullable ? `${length} === -1 ? null : ${read}` : read)
  }

  #array(field: Field, value: string, length: string, nullable: boolean): void {
    const element = field.element as Field
    const least = layout.minimumBytes(element, this.#version, this.#flexible)
    const objects = layout.fixedBytes(element.kind) === undefined
    const index = this.#name()
    this.#line(`let ${value} = null`)
    this.#line(nullable ? `if (${length} !== -1) {` : '{')
    this.#line(`r.count(${length}, ${least}, ${objects})`)
    this.#line(`${value} = []`)
    this.#line(`for (let ${index} = 0; ${index} < ${length}; ${index}++) {`)
    const struct = element.kind === 'struct' && !includes(element.nullable, this.#version)
    const item = struct ? this.struct(element.fields ?? {}) : this.#value(element)
    this.#line(`${value}.push(${item})`)
    this.#line('}')
    this.#line('}')
  }

  #tags(fields: Fields, values: Map<string, string>): void {
    const tagged = layout.taggedFields(fields, this.#version)
    if (tagged.length === 0) {
      this.#line('r.skipTags()')
      return
    }
    for (const { name, field } of tagged) {
      const value = this.#name()
      this.#line(`let ${value} = ${this.#default(field)}`)
      values.set(name, value)
    }
    const [count, tag] = [this.#name(), this.#name()]
    this.#line(`for (let ${count} = r.uvarint(), ${tag} = -1; ${count} > 0; ${count}--) {`)
    this.#line(`${tag} = r.tag(${tag})`)
    this.#line('const end = r.tagEnd()')
    this.#line(`switch (${tag}) {`)
    for (const present of tagged) {
      this.#line(`case ${present.tag}: {`)
      this.#line(`${values.get(present.name)} = ${this.#value(present.field)}`)
      this.#line(`r.endTag(${tag}, end)`)
      this.#line('break\n}')
    }
    this.#line('default: r.position = end')
    this.#line('}\n}')
  }

  #length(field: Field): string {
    if (layout.isCompact(field, this.#flexible)) return 'r.compactLength()'
    return field.kind === 'string' ? 'r.int16Length()' : 'r.int32Length()'
  }

  #default(field: Field): string {
    const value = layout.defaultValue(field, this.#exact)
    if (typeof value === 'bigint') return `${value}n`
    if (value === null || typeof value !== 'object') return JSON.stringify(value)
    this.defaults.push(value)
    return `defaults[${this.defaults.length - 1}]`
  }

  #assigned(variable: string, expression: string): string {
    this.#line(`const ${variable} = ${expression}`)
    return variable
  }

  #name(): string {
    return `v${this.#names++}`
  }

  #line(text: string): void {
    this.text += `${text}\n`
  }
}
