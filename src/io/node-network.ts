/**
 * Real TCP: `Network` over `node:net`.
 *
 * All connections are read through one buffer that they share, so a read takes no memory; the handler
 * copies what it keeps. V8 counts the memory of buffers as growth of its heap, and a new one for each
 * read would have it collect garbage most of the time.
 */

import * as net from 'node:net'
import {
  type Listener,
  type Network,
  NetworkError,
  type Socket,
  type SocketHandlers,
} from './io.ts'

const nothing = new Uint8Array(0)
const readBufferBytes = 256 * 1024
let readBuffer: Uint8Array | undefined

function sharedReads(data: (chunk: Uint8Array) => void): net.OnReadOpts {
  readBuffer ??= new Uint8Array(readBufferBytes)
  return {
    buffer: readBuffer,
    callback(count, buffer) {
      data(buffer.subarray(0, count))
      return true
    },
  }
}

/** The network of this machine. `keepAlive` false: listeners, and what they accept, do not keep the process running. */
export function nodeNetwork(keepAlive = true): Network {
  return { listen: (options, accept) => listen(options, accept, keepAlive), connect }
}

function listen(
  { host, port, backlog }: { host: string; port: number; backlog?: number },
  accept: (socket: Socket) => SocketHandlers,
  keepAlive: boolean,
): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const server = net.createServer({ noDelay: true, pauseOnConnect: true }, accepted => {
      let handlers: SocketHandlers | undefined
      const raw = readShared(accepted, chunk => handlers?.data(chunk))
      const socket = new NodeSocket(raw)
      if (!keepAlive) raw.unref()
      handlers = accept(socket)
      socket.attach(handlers)
      raw.resume()
    })
    if (!keepAlive) server.unref()
    const refuse = (cause: NodeJS.ErrnoException) =>
      reject(networkError(`cannot listen on ${host}:${port}`, cause))
    server.once('error', refuse)
    const options = { port, ...(host === '' ? {} : { host }), ...(backlog && { backlog }) }
    server.listen(options, () => {
      server.off('error', refuse)
      // Later errors concern one connection that could not be accepted (EMFILE): it is gone already.
      server.on('error', () => {})
      resolve({
        host,
        port: (server.address() as net.AddressInfo).port,
        async close() {
          server.close()
          await handlesClosed()
        },
      })
    })
  })
}

interface Accepted {
  _handle?: { useUserBuffer?: unknown } | null
}

/**
 * The accepted connection, reading through the shared buffer. `net.Server` has no option for that, so
 * its handle moves to a socket that is made with one. Where that cannot be (Bun), each read has memory
 * of its own.
 */
function readShared(accepted: net.Socket, data: (chunk: Uint8Array) => void): net.Socket {
  const handle = (accepted as unknown as Accepted)._handle
  if (typeof handle?.useUserBuffer !== 'function') return accepted.on('data', data)
  ;(accepted as unknown as Accepted)._handle = null
  const options = { handle, onread: sharedReads(data) }
  const raw = new net.Socket(options as net.SocketConstructorOpts)
  // The server counts it as long as the one that it accepted is open.
  return raw.once('close', () => accepted.destroy())
}

function connect(
  { host, port, timeoutMs }: { host: string; port: number; timeoutMs: number },
  attach: (socket: Socket) => SocketHandlers,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const what = `cannot connect to ${host}:${port}`
    let handlers: SocketHandlers | undefined
    const onread = sharedReads(chunk => handlers?.data(chunk))
    const raw = net.connect({ host, port, noDelay: true, onread })
    const timeout = setTimeout(() => {
      raw.destroy()
      reject(new NetworkError('ETIMEDOUT', `${what} within ${timeoutMs} ms`))
    }, timeoutMs)
    const refuse = (cause: NodeJS.ErrnoException) => {
      clearTimeout(timeout)
      reject(networkError(what, cause))
    }
    raw.once('error', refuse)
    raw.once('connect', () => {
      clearTimeout(timeout)
      raw.off('error', refuse)
      const socket = new NodeSocket(raw)
      handlers = attach(socket)
      socket.attach(handlers)
      resolve(socket)
    })
  })
}

class NodeSocket implements Socket {
  readonly localAddress: string
  readonly localPort: number
  readonly remoteAddress: string
  readonly remotePort: number
  readonly #raw: net.Socket

  constructor(raw: net.Socket) {
    // A peer that is gone already has no address any more; its close follows.
    this.localAddress = plainAddress(raw.localAddress)
    this.localPort = raw.localPort ?? 0
    this.remoteAddress = plainAddress(raw.remoteAddress)
    this.remotePort = raw.remotePort ?? 0
    this.#raw = raw
  }

  /** All but `data`. */
  attach(handlers: SocketHandlers): void {
    let failure: Error | undefined
    this.#raw.on('drain', () => handlers.drain())
    this.#raw.on('error', error => {
      failure = error
    })
    this.#raw.once('close', () => handlers.close(failure))
  }

  get bufferedBytes(): number {
    return this.#raw.writableLength
  }

  write(chunks: readonly Uint8Array[], sent?: () => void): boolean {
    if (!this.#raw.writable) {
      sent?.()
      return false
    }
    // Corked, Node sends all chunks by one writev.
    this.#raw.cork()
    let more = !this.#raw.writableNeedDrain
    for (const chunk of chunks) {
      if (chunk.length > 0) more = this.#raw.write(chunk)
    }
    // What is written is called back in order, with an error where the connection is gone.
    if (sent !== undefined) more = this.#raw.write(nothing, sent)
    this.#raw.uncork()
    return more
  }

  pause(): void {
    this.#raw.pause()
  }

  resume(): void {
    this.#raw.resume()
  }

  end(): void {
    this.#raw.end()
  }

  destroy(): void {
    this.#raw.destroy()
  }
}

/** The loop closes handles at the end of a turn; the first of these may be called in the same one. */
async function handlesClosed(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise(resolve => setImmediate(resolve))
}

/** IPv4 as IPv4, also on a socket that listens on both families. */
function plainAddress(address: string | undefined): string {
  return address?.replace(/^::ffff:(?=\d+\.)/i, '') ?? ''
}

function networkError(what: string, cause: NodeJS.ErrnoException): NetworkError {
  const code = cause.code ?? 'EIO'
  return new NetworkError(code, `${what}: ${code}`, { cause })
}
