import type { Io, Socket } from '../io/io.ts'
import { decode } from '../protocol/compile.ts'
import { decodeRequestHeader, encodeResponse, type RequestHeader } from '../protocol/frame.ts'
import { apiVersionsRequest, apiVersionsResponse } from '../protocol/messages/api-versions.ts'
import type { Fields, IncomingFields, Message, OutgoingFields } from '../protocol/schema.ts'

/** A request as a scripted broker got it, and the ways to deal with it. */
export interface ScriptedRequest {
  readonly header: RequestHeader
  readonly socket: Socket
  /** The request, which must be of this kind. */
  body<F extends Fields>(message: Message<F>): IncomingFields<F>
  /** Answers in the version of the request; with another correlation id to break the protocol. */
  answer<F extends Fields>(
    response: Message<F>,
    body: OutgoingFields<F>,
    correlationId?: number,
  ): void
}

/** The highest version that the broker says it has of each API key. */
export type ScriptedVersions = ReadonlyMap<number, number>

/**
 * Listens on every address of the machine of `io` and does with each request what the script says;
 * for tests of clients. ApiVersions it answers itself when `versions` are given. Answers the list of
 * requests seen so far, which grows.
 */
export async function scriptedBroker(
  io: Io,
  port: number,
  versions: ScriptedVersions | undefined,
  script: (request: ScriptedRequest) => void,
): Promise<readonly RequestHeader[]> {
  const seen: RequestHeader[] = []
  await io.network.listen({ host: '', port }, socket => {
    let bytes = Buffer.alloc(0)
    return {
      data(chunk) {
        bytes = Buffer.concat([bytes, chunk])
        while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
          const end = 4 + bytes.readInt32BE(0)
          const request = scriptedRequest(socket, bytes.subarray(4, end))
          bytes = bytes.subarray(end)
          seen.push(request.header)
          const isOurs = request.header.apiKey === apiVersionsRequest.apiKey
          if (versions !== undefined && isOurs) answerVersions(request, versions)
          else script(request)
        }
      },
      drain() {},
      close() {},
    }
  })
  return seen
}

function scriptedRequest(socket: Socket, frame: Uint8Array): ScriptedRequest {
  const header = decodeRequestHeader(frame)
  const { apiVersion, bodyOffset } = header
  return {
    header,
    socket,
    body: message => decode(message, apiVersion, frame, bodyOffset),
    answer(response, body, correlationId = header.correlationId) {
      socket.write(encodeResponse(response, apiVersion, correlationId, body))
    },
  }
}

function answerVersions(request: ScriptedRequest, versions: ScriptedVersions): void {
  const listed = [...versions].map(([apiKey, maxVersion]) => ({
    apiKey,
    minVersion: 0,
    maxVersion,
  }))
  const own = { apiKey: apiVersionsRequest.apiKey!, minVersion: 0, maxVersion: 5 }
  request.answer(apiVersionsResponse, { errorCode: 0, apiKeys: [own, ...listed] })
}
