/** Frames: the int32 size, the request and response headers, and the body that follows. */
import type { Fields, IncomingFields, Message, OutgoingFields } from './schema.ts'

/** The header of a request; the body starts at `bodyOffset` of the same frame. */
export interface RequestHeader {
  readonly apiKey: number
  readonly apiVersion: number
  readonly correlationId: number
  readonly clientId: string | null
  readonly bodyOffset: number
}

/** Reads the header of a frame without its size. Throws DecodeError. */
export function decodeRequestHeader(frame: Uint8Array): RequestHeader {
  throw new Error(`not yet ${frame}`)
}

/** A request with its size in front. Throws EncodeError. */
export function encodeRequest<F extends Fields>(
  message: Message<F>,
  version: number,
  correlationId: number,
  clientId: string | null,
  value: OutgoingFields<F>,
): Uint8Array[] {
  throw new Error(`not yet ${message} ${version} ${correlationId} ${clientId} ${value}`)
}

/** A response with its size in front. Throws EncodeError. */
export function encodeResponse<F extends Fields>(
  message: Message<F>,
  version: number,
  correlationId: number,
  value: OutgoingFields<F>,
): Uint8Array[] {
  throw new Error(`not yet ${message} ${version} ${correlationId} ${value}`)
}

/** Reads a response frame without its size. Throws DecodeError. */
export function decodeResponse<F extends Fields>(
  message: Message<F>,
  version: number,
  frame: Uint8Array,
): { correlationId: number; response: IncomingFields<F> } {
  throw new Error(`not yet ${message} ${version} ${frame}`)
}
