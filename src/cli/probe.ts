/**
 * Experiments with one address, below any client library: does its name resolve, does something
 * accept, what does it say to a Kafka request, and to TLS. Each takes bounded time and memory.
 */
import type { LookupAddress } from 'node:dns'
import { lookup } from 'node:dns/promises'
import * as net from 'node:net'
import * as tls from 'node:tls'
import { foreignProtocol } from '../protocol/foreign.ts'
import { decodeResponse, encodeRequest } from '../protocol/frame.ts'
import { apiVersionsRequest, apiVersionsResponse } from '../protocol/messages/api-versions.ts'
import type { ListedApi } from './release.ts'

/** More than the APIs of any broker take. */
const maxAnswerBytes = 64 * 1024

/** All addresses of a name. Rejects with Node's error: ENOTFOUND, EAI_AGAIN, ETIMEDOUT. */
export async function addressesOf(host: string, patienceMs: number): Promise<readonly string[]> {
  const found = await within<LookupAddress[]>(patienceMs, (resolve, reject) => {
    lookup(host, { all: true }).then(resolve, reject)
  })
  return [...new Set(found.map(({ address }) => address))]
}

/** Connects and hangs up. `code` is Node's: ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH … */
export async function accepts(
  host: string,
  port: number,
  patienceMs: number,
): Promise<{ readonly ms: number } | { readonly code: string }> {
  const startedMs = performance.now()
  const socket = net.connect({ host, port })
  try {
    await within<void>(patienceMs, (resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return { ms: performance.now() - startedMs }
  } catch (error) {
    return { code: (error as NodeJS.ErrnoException).code ?? 'ETIMEDOUT' }
  } finally {
    socket.destroy()
  }
}

/** What came back after a Kafka request was sent. */
export type Spoken =
  | { readonly kind: 'kafka'; readonly apis: readonly ListedApi[] }
  | { readonly kind: 'tls' | 'http' | 'ssh' | 'closed' | 'silent' }
  /** It said something else, or first; the beginning, as text. */
  | { readonly kind: 'other'; readonly text: string }

/** Asks for ApiVersions in plain text. */
export async function speak(host: string, port: number, patienceMs: number): Promise<Spoken> {
  return await askVersions(net.connect({ host, port }), 'connect', patienceMs)
}

/** A TLS server, its certificate, and what it speaks inside. */
export interface TlsSpoken {
  /** Names in the certificate; empty without one. */
  readonly names: string
  readonly validTo: string
  /** Why this machine would not trust it; undefined when it does. */
  readonly distrust: string | undefined
  readonly inside: Spoken
}

/** Tries TLS, trusting anything, as a client of `name` would; undefined when the handshake fails. */
export async function speakTls(
  host: string,
  port: number,
  name: string,
  patienceMs: number,
): Promise<TlsSpoken | undefined> {
  const options = { host, port, rejectUnauthorized: false }
  const socket = tls.connect(net.isIP(name) ? options : { ...options, servername: name })
  const shaken = await within(patienceMs, (resolve, reject) => {
    socket.once('secureConnect', () => resolve(true))
    socket.once('error', reject)
    socket.once('close', () => resolve(false))
  }).catch(() => false)
  if (shaken !== true) {
    socket.destroy()
    return undefined
  }
  const { subject, subjectaltname, valid_to: validTo = '' } = socket.getPeerCertificate()
  const error: unknown = socket.authorizationError
  const distrust = socket.authorized ? undefined : String(error ?? 'unknown')
  const names = subjectaltname ?? (subject === undefined ? '' : `CN=${subject.CN}`)
  return { names, validTo, distrust, inside: await askVersions(socket, undefined, patienceMs) }
}

/** Version 0: the one that every broker since 0.10 answers. */
async function askVersions(
  socket: net.Socket,
  after: 'connect' | undefined,
  patienceMs: number,
): Promise<Spoken> {
  let bytes = Buffer.alloc(0)
  const send = () => {
    for (const chunk of encodeRequest(apiVersionsRequest, 0, 1, 'ottla doctor', {})) {
      socket.write(chunk)
    }
  }
  if (after === undefined) send()
  else socket.once(after, send)
  const ended = await within(patienceMs, resolve => {
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      if (isWhole(bytes)) resolve('answered')
    })
    socket.on('error', () => resolve('closed'))
    socket.once('close', () => resolve('closed'))
  }).catch(() => 'silent' as const)
  socket.destroy()
  if (bytes.length === 0) return { kind: ended === 'silent' ? 'silent' : 'closed' }
  return understood(bytes)
}

/** A whole frame is there, or what cannot become one. */
function isWhole(bytes: Buffer): boolean {
  if (bytes.length < 4) return false
  const size = bytes.readInt32BE(0)
  return size < 0 || size > maxAnswerBytes || bytes.length >= 4 + size
}

/** What an answer to ApiVersions v0 with correlation id 1 is. */
export function understood(bytes: Buffer): Spoken {
  const foreign = foreignProtocol(bytes)
  if (foreign === 'TLS') return { kind: 'tls' }
  if (foreign === 'HTTP') return { kind: 'http' }
  if (foreign === 'SSH') return { kind: 'ssh' }
  try {
    const frame = bytes.subarray(4, 4 + bytes.readInt32BE(0))
    const { correlationId, response } = decodeResponse(apiVersionsResponse, 0, frame)
    if (correlationId === 1) return { kind: 'kafka', apis: response.apiKeys }
  } catch {
    // Not a frame: it is shown as it came.
  }
  return { kind: 'other', text: printable(bytes.subarray(0, 40)) }
}

function printable(bytes: Buffer): string {
  return bytes.toString('latin1').replace(/[^\x20-\x7e]+/gu, '·')
}

async function within<Result>(
  ms: number,
  start: (resolve: (result: Result) => void, reject: (error: Error) => void) => void,
): Promise<Result> {
  const { promise, resolve, reject } = Promise.withResolvers<Result>()
  const timeout = setTimeout(
    () => reject(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' })),
    ms,
  )
  try {
    start(resolve, reject)
    return await promise
  } finally {
    clearTimeout(timeout)
  }
}
