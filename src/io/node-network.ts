/**
 * Real TCP: `Network` over `node:net`.
 *
 * What is read from connections that were made from here goes through one buffer that all of them
 * share, so a read takes no memory; the handler copies what it keeps. What is accepted has a new
 * buffer for each read, which is the handler's to keep: a broker keeps most of what comes in.
 */

import * as net from 'node:net'
import {
  type Listener,
  type Network,
  NetworkError,
  type Socket,
  type SocketHandlers,
} from './io.ts'

const readBufferBytes = 256 * 1024
let readBuffer: Uint8Array | undefined

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
    const server = net.createServer({ noDelay: true }, raw => {
      const socket = new NodeSocket(raw)
      if (!keepAlive) raw.unref()
      const handlers = accept(socket)
      socket.attach(handlers)
      raw.on('data', chunk => handlers.data(chunk as Buffer))
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

function connect(
  { host, port, timeoutMs }: { host: string; port: number; timeoutMs: number },
  attach: (socket: Socket) => SocketHandlers,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const what = `cannot connect to ${host}:${port}`
    let handlers: SocketHandlers | undefined
    readBuffer ??= new Uint8Array(readBufferBytes)
    const onread: net.OnReadOpts = {
      buffer: readBuffer,
      callback(count, buffer) {
        handlers?.data(buffer.subarray(0, count))
        return true
      },
    }
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

  write(chunks: readonly Uint8Array[]): boolean {
    if (!this.#raw.writable) return false
    // Corked, Node sends all chunks by one writev.
    this.#raw.cork()
    let more = !this.#raw.writableNeedDrain
    for (const chunk of chunks) {
      if (chunk.length > 0) more = this.#raw.write(chunk)
    }
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
