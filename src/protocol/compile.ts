/**
 * Encodes and decodes messages. The codec of a message and version is compiled when it is first
 * used (`compile-decoder.ts`, `compile-encoder.ts`): plain JavaScript without a look at the
 * declaration, several times faster than walking it.
 */
import { compileDecoder, type Decoder } from './compile-decoder.ts'
import { compileEncoder, type Encoder } from './compile-encoder.ts'
import { Reader } from './reader.ts'
import type { Fields, IncomingFields, Message, OutgoingFields } from './schema.ts'
import { Writer } from './writer.ts'

export { DecodeError } from './reader.ts'
export { EncodeError } from './writer.ts'

/** How to read what is not as usual. */
export interface DecodeOptions {
  /** Every int64 is a bigint, whatever its declaration says. */
  readonly exact?: boolean
  /** Bytes after the message are passed over. */
  readonly trailing?: boolean
}

/** Codecs of one message by version, as far as they were used. */
interface Codecs {
  readonly encoders: Encoder[]
  readonly decoders: Decoder[]
  readonly exactDecoders: Decoder[]
}

const compiled = new WeakMap<Message, Codecs>()
const writer = new Writer()

/**
 * Decodes `bytes` from `offset` to their end; byte fields are views into them. Throws DecodeError,
 * also on trailing bytes unless these are allowed, and RangeError when the message has no such
 * version.
 */
export function decode<F extends Fields>(
  message: Message<F>,
  version: number,
  bytes: Uint8Array,
  offset = 0,
  options: DecodeOptions = {},
): IncomingFields<F> {
  const reader = new Reader(bytes, offset)
  const value = decoder(message, version, options.exact ?? false)(reader)
  if (options.trailing !== true) reader.finish()
  return value as IncomingFields<F>
}

/**
 * Encodes to a list of chunks to be sent one after the other; large bytes and records are
 * referenced, not copied. Throws EncodeError, and RangeError when there is no such version.
 */
export function encode<F extends Fields>(
  message: Message<F>,
  version: number,
  value: OutgoingFields<F>,
): Uint8Array[] {
  writer.begin()
  encoder(message, version)(writer, value)
  return writer.finish()
}

/** As `encode`, with the int32 size in front and a header in between. For `frame.ts`. */
export function encodeFrame(
  message: Message,
  version: number,
  value: unknown,
  writeHeader: (writer: Writer) => void,
): Uint8Array[] {
  writer.begin()
  const at = writer.reserve(4)
  const { view } = writer
  writeHeader(writer)
  encoder(message, version)(writer, value)
  view.setInt32(at, writer.size - 4)
  return writer.finish()
}

function codecs(message: Message): Codecs {
  let known = compiled.get(message)
  if (known === undefined) {
    known = { encoders: [], decoders: [], exactDecoders: [] }
    compiled.set(message, known)
  }
  return known
}

function encoder(message: Message, version: number): Encoder {
  const { encoders } = codecs(message)
  return (encoders[version] ??= compileEncoder(message, version))
}

function decoder(message: Message, version: number, exact: boolean): Decoder {
  const { decoders, exactDecoders } = codecs(message)
  const ofKind = exact ? exactDecoders : decoders
  return (ofKind[version] ??= compileDecoder(message, version, exact))
}
