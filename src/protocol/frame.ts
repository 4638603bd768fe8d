/**
 * Frames: an int32 size, a header, a body. The header's version follows from the body's: a flexible
 * request has header v2, its response v1; ApiVersions is always answered with v0, since a client
 * that asks it does not know yet what the broker speaks (KIP-511).
 */
import { decode, encodeFrame } from './compile.ts'
import { firstFlexibleVersions } from './header-versions.ts'
import { Reader } from './reader.ts'
import {
  type Fields,
  type IncomingFields,
  includes,
  type Message,
  type OutgoingFields,
} from './schema.ts'

const apiVersionsKey = 18

/** The header of a request; the body starts at `bodyOffset` of the same frame. */
export interface RequestHeader {
  readonly apiKey: number
  readonly apiVersion: number
  readonly correlationId: number
  readonly clientId: string | null
  /** In bytes from the start of the frame. */
  readonly bodyOffset: number
}

/**
 * Reads the header of a frame without its size. Of an unknown API only what all headers share is
 * read; a version to come is taken to be flexible. Throws DecodeError.
 */
export function decodeRequestHeader(frame: Uint8Array): RequestHeader {
  const reader = new Reader(frame)
  const at = reader.take(8)
  const apiKey = reader.view.getInt16(at)
  const apiVersion = reader.view.getInt16(at + 2)
  const correlationId = reader.view.getInt32(at + 4)
  const length = reader.int16Length()
  // A name for logs and quotas, so a client that writes it in another charset is served all the same.
  const clientId = length === -1 ? null : reader.text(length, 'lenient')
  const firstFlexible = firstFlexibleVersions[apiKey]
  if (firstFlexible !== undefined && apiVersion >= firstFlexible) reader.skipTags()
  return { apiKey, apiVersion, correlationId, clientId, bodyOffset: reader.position }
}

/** A request with its size in front. Throws EncodeError. */
export function encodeRequest<F extends Fields>(
  message: Message<F>,
  version: number,
  correlationId: number,
  clientId: string | null,
  value: OutgoingFields<F>,
): Uint8Array[] {
  return encodeFrame(message, version, value, writer => {
    const at = writer.reserve(8)
    writer.view.setInt16(at, message.apiKey ?? -1)
    writer.view.setInt16(at + 2, version)
    writer.view.setInt32(at + 4, correlationId)
    if (clientId === null) writer.int16Length(-1)
    else writer.string(clientId, 'client id')
    if (includes(message.flexible, version)) writer.uvarint(0)
  })
}

/** A response with its size in front. Throws EncodeError. */
export function encodeResponse<F extends Fields>(
  message: Message<F>,
  version: number,
  correlationId: number,
  value: OutgoingFields<F>,
): Uint8Array[] {
  return encodeFrame(message, version, value, writer => {
    const at = writer.reserve(4)
    writer.view.setInt32(at, correlationId)
    if (hasTaggedHeader(message, version)) writer.uvarint(0)
  })
}

/** Reads a response frame without its size. Throws DecodeError. */
export function decodeResponse<F extends Fields>(
  message: Message<F>,
  version: number,
  frame: Uint8Array,
): { correlationId: number; response: IncomingFields<F> } {
  const reader = new Reader(frame)
  const correlationId = reader.view.getInt32(reader.take(4))
  if (hasTaggedHeader(message, version)) reader.skipTags()
  return { correlationId, response: decode(message, version, frame, reader.position) }
}

function hasTaggedHeader(message: Message, version: number): boolean {
  return includes(message.flexible, version) && message.apiKey !== apiVersionsKey
}
