/**
 * Writes the source of an encoder for one message in one version.
 *
 * A run of fixed-size fields is given room once and written at constant offsets. Every value is
 * checked against its type as it is written: a number that does not fit is refused, never wrapped.
 * A field that the version does not have is refused when it has a value, unless it is ignorable.
 */
import * as layout from './layout.ts'
import { type Field, type Fields, includes, type Kind, type Message } from './schema.ts'
import { refuse, refuseAbsent, type Writer } from './writer.ts'

/** Writes one message body. */
export type Encoder = (writer: Writer, value: unknown) => void

/** Compiles an encoder. Throws RangeError: no such version. */
export function compileEncoder(message: Message, version: number): Encoder {
  layout.checkVersion(message, version)
  const source = new EncoderSource(message.name, version, includes(message.flexible, version))
  source.struct(message.fields, 'v', '')
  const body = `'use strict'\nreturn (w, v) => {\n${source.text}}`
  return new Function('constants', 'isDefault', 'refuse', 'refuseAbsent', body)(
    source.constants,
    layout.isDefault,
    refuse,
    refuseAbsent,
  ) as Encoder
}

/** Whether a number fits its type, and how it is written. */
const setters: Partial<Record<Kind, readonly [fits: string, call: string]>> = {
  int8: ['N << 24 >> 24 === N', 'setInt8'],
  int16: ['N << 16 >> 16 === N', 'setInt16'],
  int32: ['(N | 0) === N', 'setInt32'],
  uint16: ['(N & 0xffff) === N', 'setUint16'],
  uint32: ['N >>> 0 === N', 'setUint32'],
  float64: ["typeof N === 'number'", 'setFloat64'],
}

class EncoderSource {
  text = ''
  readonly constants: unknown[] = []
  readonly #message: string
  readonly #version: number
  readonly #flexible: boolean
  #names = 0

  constructor(message: string, version: number, flexible: boolean) {
    this.#message = message
    this.#version = version
    this.#flexible = flexible
  }

  /** Adds the writing of the struct that `variable` holds; `path` says where, for errors. */
  struct(fields: Fields, variable: string, path: string): void {
    for (const { name, field } of layout.absentFields(fields, this.#version)) {
      if (!field.ignorable) this.#refuseAbsent(field, `${variable}.${name}`, path + name)
    }
    let run: layout.Present[] = []
    for (const present of layout.ordinaryFields(fields, this.#version)) {
      if (layout.fixedBytes(present.field.kind) !== undefined) {
        run.push(present)
        continue
      }
      this.#run(run, variable, path)
      run = []
      this.#value(present.field, this.#read(present, variable), path + present.name)
    }
    this.#run(run, variable, path)
    if (this.#flexible) this.#tags(fields, variable, path)
  }

  #refuseAbsent(field: Field, expression: string, path: string): void {
    this.#line(
      `if (${expression} !== undefined && !isDefault(${this.#constant(field)}, ${expression}))` +
        ` refuseAbsent(${this.#path(path)}, ${this.#version})`,
    )
  }

  #run(run: readonly layout.Present[], variable: string, path: string): void {
    if (run.length === 0) return
    const sizes = run.map(({ field }) => layout.fixedBytes(field.kind) ?? 0)
    const [start, view] = [this.#name(), this.#name()]
    this.#line(`const ${start} = w.reserve(${sizes.reduce((sum, size) => sum + size, 0)})`)
    this.#line(`const ${view} = w.view`)
    let offset = 0
    for (const [i, present] of run.entries()) {
      const value = this.#read(present, variable)
      this.#fixed(present.field, view, `${start} + ${offset}`, value, path + present.name)
      offset += sizes[i] ?? 0
    }
  }

  #fixed(field: Field, view: string, at: string, value: string, path: string): void {
    const place = this.#path(path)
    const setter = setters[field.kind]
    if (setter !== undefined) {
      const [fits, call] = setter
      this.#line(`if (${fits.replaceAll('N', value)}) ${view}.${call}(${at}, ${value})`)
      this.#line(`else refuse(${place}, ${value})`)
    } else if (field.kind === 'bool') {
      this.#line(`if (typeof ${value} !== 'boolean') refuse(${place}, ${value})`)
      this.#line(`${view}.setInt8(${at}, ${value} ? 1 : 0)`)
    } else {
      const call = field.kind === 'uuid' ? 'setUuid' : 'setInt64'
      this.#line(`w.${call}(${at}, ${value}, ${place})`)
    }
  }

  /** Adds the writing of the value that `value` holds. */
  #value(field: Field, value: string, path: string): void {
    const size = layout.fixedBytes(field.kind)
    if (size !== undefined) {
      const start = this.#name()
      this.#line(`const ${start} = w.reserve(${size})`)
      this.#fixed(field, 'w.view', start, value, path)
      return
    }
    if (!includes(field.nullable, this.#version)) {
      const missing = field.kind === 'array' ? `!Array.isArray(${value})` : `${value} == null`
      this.#line(`if (${missing}) refuse(${this.#path(path)}, ${value})`)
      this.#content(field, value, path)
      return
    }
    this.#line(`if (${value} === null) ${this.#null(field)}`)
    this.#line('else {')
    if (field.kind === 'struct') this.#line('w.presence(true)')
    this.#content(field, value, path)
    this.#line('}')
  }

  #null(field: Field): string {
    if (field.kind === 'struct') return 'w.presence(false)'
    return `${this.#length(field)}(-1)`
  }

  #content(field: Field, value: string, path: string): void {
    const compact = layout.isCompact(field, this.#flexible)
    switch (field.kind) {
      case 'string':
        this.#line(`w.${compact ? 'compactString' : 'string'}(${value}, ${this.#path(path)})`)
        return
      case 'struct':
        this.struct(field.fields ?? {}, value, `${path}.`)
        return
      case 'array':
        this.#array(field, value, path)
        return
      default:
        this.#line(`w.${compact ? 'compactByteField' : 'byteField'}(${value}, ${this.#path(path)})`)
    }
  }

  #array(field: Field, value: string, path: string): void {
    const [index, item] = [this.#name(), this.#name()]
    this.#line(`${this.#length(field)}(${value}.length)`)
    this.#line(`for (let ${index} = 0; ${index} < ${value}.length; ${index}++) {`)
    this.#line(`const ${item} = ${value}[${index}]`)
    this.#value(field.element as Field, item, path)
    this.#line('}')
  }

  #tags(fields: Fields, variable: string, path: string): void {
    const tagged = layout.taggedFields(fields, this.#version)
    if (tagged.length === 0) {
      this.#line('w.uvarint(0)')
      return
    }
    const written = tagged.map(({ name, field }) => {
      const [value, given] = [this.#name(), this.#name()]
      this.#line(`const ${value} = ${variable}.${name}`)
      this.#line(
        `const ${given} = ${value} !== undefined && !isDefault(${this.#constant(field)}, ${value})`,
      )
      return { value, given }
    })
    this.#line(`w.uvarint(${written.map(({ given }) => `(${given} ? 1 : 0)`).join(' + ')})`)
    for (const [i, { value, given }] of written.entries()) {
      const { field, tag, name } = tagged[i] as layout.Present & { tag: number }
      const mark = this.#name()
      this.#line(`if (${given}) {`)
      this.#line(`const ${mark} = w.openTag(${tag})`)
      this.#value(field, value, path + name)
      this.#line(`w.closeTag(${mark})`)
      this.#line('}')
    }
  }

  /** A variable with the field's value, the default in place of an undefined one. */
  #read({ name, field }: layout.Present, variable: string): string {
    const value = this.#name()
    this.#line(`let ${value} = ${variable}.${name}`)
    if (field.omissible) {
      this.#line(`if (${value} === undefined) ${value} = ${this.#default(field)}`)
    }
    return value
  }

  #length(field: Field): string {
    if (layout.isCompact(field, this.#flexible)) return 'w.compactLength'
    return field.kind === 'string' ? 'w.int16Length' : 'w.int32Length'
  }

  #default(field: Field): string {
    return this.#constant(layout.defaultValue(field, false))
  }

  #constant(value: unknown): string {
    if (typeof value === 'bigint') return `${value}n`
    if (value === null || typeof value !== 'object') return JSON.stringify(value)
    const known = this.constants.indexOf(value)
    if (known !== -1) return `constants[${known}]`
    this.constants.push(value)
    return `constants[${this.constants.length - 1}]`
  }

  #path(path: string): string {
    return JSON.stringify(`${this.#message}.${path}`)
  }

  #name(): string {
    return `x${this.#names++}`
  }

  #line(text: string): void {
    this.text += `${text}\n`
  }
}
