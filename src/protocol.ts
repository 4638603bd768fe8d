/**
 * The entry point `ottla/protocol`: the typed codec. A message is imported from here and given to
 * `encode` and `decode`; `messagesByName` finds one by its official name.
 */
export {
  DecodeError,
  type DecodeOptions,
  decode,
  EncodeError,
  encode,
} from './protocol/compile.ts'
export { type ErrorName, errorCode, errorName, errors, KafkaError } from './protocol/errors.ts'
export {
  decodeRequestHeader,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  type RequestHeader,
} from './protocol/frame.ts'
export { messagesByName } from './protocol/messages.ts'
export type {
  ByteSource,
  Fields,
  Incoming,
  Message,
  MessageType,
  Outgoing,
  Range,
} from './protocol/schema.ts'
