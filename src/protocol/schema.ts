/**
 * The language in which every message is declared once, for all its versions.
 *
 * A declaration is a value: a name, the ranges of versions, and fields in wire order. From it come
 * the static types (`Incoming`, `Outgoing`), the compiled codecs (`compile.ts`) and the plain
 * interpreter that checks them (`interpret.ts`). Names, ranges and options are the official ones in
 * camelCase, except that a range is left out where it covers every version its parent has.
 */

/** Inclusive versions as the definitions write them: `3+`, `0-12`, `5` or `none`. */
export type Versions = string

/** First and last version, both inclusive; empty when `first > last`. */
export interface Range {
  /** The lowest version. */
  readonly first: number
  /** The highest version. */
  readonly last: number
}

const everyVersion: Range = { first: 0, last: 32767 }
const noVersion: Range = { first: 1, last: 0 }

/** Parses `3+`, `0-12`, `5` or `none`. Throws on anything else: a declaration is wrong. */
export function range(versions: Versions): Range {
  if (versions === 'none') return noVersion
  const parts = /^(\d+)(\+|-(\d+))?$/.exec(versions)
  if (parts === null) throw new Error(`not a range of versions: ${versions}`)
  const first = Number(parts[1])
  if (parts[2] === undefined) return { first, last: first }
  return { first, last: parts[3] === undefined ? everyVersion.last : Number(parts[3]) }
}

/** Whether `version` lies in `range`. */
export function includes(range: Range, version: number): boolean {
  return version >= range.first && version <= range.last
}

/** What can stand on the wire. */
export type Kind =
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'uint16'
  | 'uint32'
  | 'float64'
  | 'bool'
  | 'string'
  | 'bytes'
  | 'records'
  | 'uuid'
  | 'array'
  | 'struct'

/** Bytes to write: one piece, or several that follow each other. */
export type ByteSource = Uint8Array | readonly Uint8Array[]

/** The uuid of sixteen zero bytes, which stands for "none". */
export const zeroUuid = 'AAAAAAAAAAAAAAAAAAAAAA'

declare const types: unique symbol

/** One declared field. `In`: what decoding gives, `Out`: what encoding takes. */
// biome-ignore lint/suspicious/noExplicitAny: the bound of every field; inference fills it in
export interface Field<In = any, Out = any, Omissible extends boolean = boolean> {
  /** What it is on the wire. */
  readonly kind: Kind
  /** Versions in which the field exists; outside, decoding gives the default. */
  readonly versions: Range
  /** Versions in which it may be null. */
  readonly nullable: Range
  /** The value in place of an absent one; arrays and structs have undefined unless it is null. */
  readonly default: unknown
  /** A value that its version cannot carry is dropped in silence instead of refused. */
  readonly ignorable: boolean
  /** Number in the tagged section; undefined: an ordinary field. */
  readonly tag: number | undefined
  /** May be left out when encoding: something says what its absence means. */
  readonly omissible: boolean
  /** False: the old form even in flexible versions (the client id of a request header). */
  readonly flexible: boolean
  /** int64 only: `number` (refused outside ±(2⁵³−1)), `exact` (bigint) or `clamped` (number). */
  readonly int64: 'number' | 'exact' | 'clamped'
  /** Of an array. */
  readonly element: Field | undefined
  /** Of a struct. */
  readonly fields: Fields | undefined
  /** Never there: holds the types. @internal */
  readonly [types]?: { in: In; out: Out; omissible: Omissible }
}

/** Fields by name, in wire order. */
export interface Fields {
  readonly [name: string]: Field
}

interface CommonOptions {
  /** Where the field exists; left out: wherever its parent does. */
  readonly versions?: Versions
  readonly ignorable?: boolean
  readonly tag?: number
}

interface NullableOptions extends CommonOptions {
  readonly nullable?: Versions
}

interface NumberOptions extends CommonOptions {
  readonly default?: number
}

interface Int64Options extends CommonOptions {
  readonly default?: number | bigint
  /** The whole 64-bit range is legal: a bigint. */
  readonly exact?: true
  /** A number; what lies beyond ±(2⁵³−1) decodes as the nearest safe integer. */
  readonly clamped?: true
}

interface StringOptions extends NullableOptions {
  readonly default?: string | null
  readonly flexible?: 'none'
}

interface DefaultNullOptions extends NullableOptions {
  readonly default?: null
}

type Nullable<Options, Value> = Options extends { nullable: Versions } ? Value | null : Value

/** A field may be left out of `Outgoing` when something says what its absence means. */
type Omissible<Options> = Options extends
  | { default: unknown }
  | { tag: number }
  | { ignorable: true }
  | { versions: Versions }
  ? true
  : false

type Int64<Options> = Options extends { exact: true } ? bigint : number

type NumberField<Options> = Field<number, number, Omissible<Options>>

// biome-ignore lint/complexity/noBannedTypes: the type of options that were not given
type None = {}

/** Signed 8 bits. */
export function int8<const O extends NumberOptions = None>(options?: O): NumberField<O> {
  return field('int8', options)
}

/** Signed 16 bits. */
export function int16<const O extends NumberOptions = None>(options?: O): NumberField<O> {
  return field('int16', options)
}

/** Signed 32 bits. */
export function int32<const O extends NumberOptions = None>(options?: O): NumberField<O> {
  return field('int32', options)
}

/** Unsigned 16 bits. */
export function uint16<const O extends NumberOptions = None>(options?: O): NumberField<O> {
  return field('uint16', options)
}

/** Unsigned 32 bits. */
export function uint32<const O extends NumberOptions = None>(options?: O): NumberField<O> {
  return field('uint32', options)
}

/** IEEE 754 double. */
export function float64<const O extends NumberOptions = None>(options?: O): NumberField<O> {
  return field('float64', options)
}

/**
 * Signed 64 bits, a `number`: decoding refuses what lies outside ±(2⁵³−1). `exact` makes it a
 * `bigint` (hashes: the whole range is legal); `clamped` keeps a number and moves what lies outside
 * to the nearest safe integer (limits and points in time, where beyond means "beyond all").
 */
export function int64<const O extends Int64Options = None>(
  options?: O,
): Field<Int64<O>, number | bigint, Omissible<O>> {
  return field('int64', options)
}

/** One byte: 0 is false, all else true. */
export function bool<const O extends CommonOptions & { readonly default?: boolean } = None>(
  options?: O,
): Field<boolean, boolean, Omissible<O>> {
  return field('bool', options)
}

/** UTF-8; at most 32,767 bytes. */
export function string<const O extends StringOptions = None>(
  options?: O,
): Field<Nullable<O, string>, Nullable<O, string>, Omissible<O>> {
  return field('string', options)
}

/** Bytes; decoded as a view into the frame. */
export function bytes<const O extends DefaultNullOptions = None>(
  options?: O,
): Field<Nullable<O, Uint8Array>, Nullable<O, ByteSource>, Omissible<O>> {
  return field('bytes', options)
}

/** Record batches; decoded as a view into the frame, encoded without a copy. */
export function records<const O extends DefaultNullOptions = None>(
  options?: O,
): Field<Nullable<O, Uint8Array>, Nullable<O, ByteSource>, Omissible<O>> {
  return field('records', options)
}

/** Sixteen bytes, as the 22 characters of their base64url form. */
export function uuid<const O extends CommonOptions = None>(
  options?: O,
): Field<string, string, Omissible<O>> {
  return field('uuid', options)
}

/** Elements of one kind: a field (`array(int32())`) or the fields of a struct. */
export function array<const E extends Field | Fields, const O extends DefaultNullOptions = None>(
  element: E,
  options?: O,
): Field<
  Nullable<O, readonly IncomingElement<E>[]>,
  Nullable<O, readonly OutgoingElement<E>[]>,
  Omissible<O>
> {
  const of = isField(element) ? element : struct(element as Fields)
  return field('array', options, { element: of })
}

/** A struct in place; nullable ones start with an int8: −1 null, 1 present. */
export function struct<const F extends Fields, const O extends DefaultNullOptions = None>(
  fields: F,
  options?: O,
): Field<Nullable<O, IncomingFields<F>>, Nullable<O, OutgoingFields<F>>, Omissible<O>> {
  return field('struct', options, { fields })
}

function isField(element: Field | Fields): element is Field {
  return typeof element['kind'] === 'string'
}

type AnyOptions = CommonOptions & {
  readonly nullable?: Versions
  readonly default?: unknown
  readonly exact?: true
  readonly clamped?: true
  readonly flexible?: 'none'
}

function field(
  kind: Kind,
  options: AnyOptions = {},
  parts: { element?: Field; fields?: Fields } = {},
  // biome-ignore lint/suspicious/noExplicitAny: as above
): Field<any, any, any> {
  const nullable = options.nullable === undefined ? noVersion : range(options.nullable)
  const { versions, tag, ignorable = false } = options
  return {
    kind,
    versions: versions === undefined ? everyVersion : range(versions),
    nullable,
    default: options.default === undefined ? implicitDefault(kind, nullable) : options.default,
    ignorable,
    tag,
    omissible:
      options.default !== undefined || versions !== undefined || tag !== undefined || ignorable,
    flexible: options.flexible !== 'none',
    int64: options.exact ? 'exact' : options.clamped ? 'clamped' : 'number',
    element: parts.element,
    fields: parts.fields,
  }
}

function implicitDefault(kind: Kind, nullable: Range): unknown {
  switch (kind) {
    case 'string':
      return ''
    case 'bool':
      return false
    case 'uuid':
      return zeroUuid
    case 'records':
      return nullable === noVersion ? undefined : null
    case 'bytes':
    case 'array':
    case 'struct':
      return undefined
    default:
      return 0
  }
}

type IncomingElement<E> =
  E extends Field<infer In> ? In : E extends Fields ? IncomingFields<E> : never

type OutgoingElement<E> =
  // biome-ignore lint/suspicious/noExplicitAny: only Out is asked for
  E extends Field<any, infer Out> ? Out : E extends Fields ? OutgoingFields<E> : never

type Flat<T> = { [K in keyof T]: T[K] } & None

/** What decoding these fields gives: all of them, defaults filled in. */
export type IncomingFields<F extends Fields> = Flat<{
  readonly [K in keyof F]: F[K] extends Field<infer In> ? In : never
}>

type RequiredNames<F extends Fields> = {
  // biome-ignore lint/suspicious/noExplicitAny: only whether it may be left out is asked for
  [K in keyof F]: F[K] extends Field<any, any, true> ? never : K
}[keyof F]

// biome-ignore lint/suspicious/noExplicitAny: only Out is asked for
type Out<T> = T extends Field<any, infer Value> ? Value : never

/** What encoding these fields takes. */
export type OutgoingFields<F extends Fields> = Flat<
  { readonly [K in RequiredNames<F>]: Out<F[K]> } & {
    readonly [K in Exclude<keyof F, RequiredNames<F>>]?: Out<F[K]> | undefined
  }
>

/** What a message is: which header and envelope go with it. */
export type MessageType =
  | 'request'
  | 'response'
  | 'header'
  | 'data'
  | 'coordinator-key'
  | 'coordinator-value'

interface MessageOptions {
  /** The API's number; of coordinator records: the record type, an int16 before the key. */
  readonly apiKey?: number
  /** Left out: by the name's ending, Request or Response, else data. */
  readonly type?: MessageType
  readonly versions: Versions
  readonly flexible: Versions
  /** The last version is not advertised by default. */
  readonly latestUnstable?: boolean
}

/** One declared message, all versions. */
export interface Message<F extends Fields = Fields> {
  /** The official one, `ProduceRequest`. */
  readonly name: string
  /** What it travels as. */
  readonly type: MessageType
  readonly apiKey: number | undefined
  /** All that there are. */
  readonly versions: Range
  /** Those with compact lengths and tagged fields (KIP-482). */
  readonly flexible: Range
  /** The last version is not advertised by default. */
  readonly latestUnstable: boolean
  /** By name, in wire order. */
  readonly fields: F
}

/** Declares a message. Fields are in wire order. */
export function message<const F extends Fields>(
  name: string,
  options: MessageOptions,
  fields: F,
): Message<F> {
  return {
    name,
    type: options.type ?? typeByName(name),
    apiKey: options.apiKey,
    versions: range(options.versions),
    flexible: range(options.flexible),
    latestUnstable: options.latestUnstable ?? false,
    fields,
  }
}

function typeByName(name: string): MessageType {
  if (name.endsWith('Request')) return 'request'
  return name.endsWith('Response') ? 'response' : 'data'
}

/** What decoding a message gives: all fields; those absent in its version have their defaults. */
export type Incoming<M> = M extends Message<infer F> ? IncomingFields<F> : never

/** What encoding a message takes: a field may be left out when it has a default, is tagged, is
 * ignorable, or does not exist in every version. */
export type Outgoing<M> = M extends Message<infer F> ? OutgoingFields<F> : never
