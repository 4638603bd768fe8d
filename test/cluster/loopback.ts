/**
 * Places that are only names: every process is on 127.0.0.1 and reaches others through a proxy for
 * each address. The proxy asks the kernel which process has opened a connection, and so from which
 * place it comes. A cut stops the bytes of all connections between two places, as a dead line does;
 * what was on its way arrives when the cut is healed. A proxy whose server refuses refuses, too, until
 * that listens again: brokers tell by that who is gone.
 */
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { Net, Place } from './net.ts'

interface Line {
  readonly from: string
  readonly to: string
  readonly accepted: Socket
  readonly proxy: Proxy
  onward: Socket | undefined
}

/** What listens in the place of a server. */
interface Proxy {
  readonly place: string
  readonly host: string
  readonly port: number
  readonly server: Server
  /** Where it listens itself. */
  ownPort: number
}

const retryMs = 50

export class Loopback implements Net {
  readonly #owners = new Map<number, string>()
  readonly #proxies: Proxy[] = []
  #isClosed = false
  readonly #lines = new Set<Line>()
  #cuts: (readonly [string, string])[] = []

  place(name: string): Place {
    return { name, host: '127.0.0.1', within: [] }
  }

  async front(place: Place, address: string): Promise<string> {
    const [host = '', port = ''] = address.split(':')
    const server = createServer(accepted => this.#accept(accepted, proxy))
    const proxy = { place: place.name, host, port: Number(port), server, ownPort: 0 }
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    proxy.ownPort = (server.address() as AddressInfo).port
    this.#proxies.push(proxy)
    return `127.0.0.1:${proxy.ownPort}`
  }

  claim(place: Place, pid: number): void {
    this.#owners.set(pid, place.name)
  }

  cut(a: Place, b: Place): void {
    this.#cuts.push([a.name, b.name])
    for (const line of this.#lines) {
      if (!this.#isCut(line)) continue
      line.accepted.pause()
      line.onward?.pause()
    }
  }

  heal(): void {
    this.#cuts = []
    for (const line of this.#lines) {
      if (line.onward === undefined) this.#forward(line)
      line.accepted.resume()
      line.onward?.resume()
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const { server } of this.#proxies) server.close()
    for (const { accepted, onward } of this.#lines) {
      accepted.destroy()
      onward?.destroy()
    }
  }

  #accept(accepted: Socket, proxy: Proxy): void {
    const from = this.#ownerOf(accepted.remotePort ?? 0, accepted.localPort ?? 0) ?? 'others'
    const line: Line = { from, to: proxy.place, proxy, accepted, onward: undefined }
    this.#lines.add(line)
    accepted.on('error', () => {})
    accepted.on('close', () => {
      line.onward?.destroy()
      this.#lines.delete(line)
    })
    if (!this.#isCut(line)) this.#forward(line)
  }

  #forward(line: Line): void {
    const { accepted, proxy } = line
    const onward = connect(proxy.port, proxy.host)
    line.onward = onward
    onward.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') this.#refuse(proxy)
    })
    onward.on('close', () => accepted.destroy())
    pass(accepted, onward)
    pass(onward, accepted)
  }

  /** Until its server accepts again. */
  #refuse(proxy: Proxy): void {
    if (this.#isClosed || !proxy.server.listening) return
    proxy.server.close()
    const ask = () => {
      if (this.#isClosed) return
      const question = connect(proxy.port, proxy.host)
      question.on('error', () => setTimeout(ask, retryMs))
      question.on('connect', () => {
        question.destroy()
        proxy.server.listen(proxy.ownPort, '127.0.0.1')
      })
    }
    setTimeout(ask, retryMs)
  }

  #isCut({ from, to }: Line): boolean {
    return this.#cuts.some(([a, b]) => (a === from && b === to) || (a === to && b === from))
  }

  /** The place of the process that has a connection from `local` to `remote`, both ports of 127.0.0.1. */
  #ownerOf(local: number, remote: number): string | undefined {
    const inode = inodeOf(local, remote)
    if (inode === undefined) return undefined
    for (const [pid, name] of this.#owners) if (hasSocket(pid, inode)) return name
    return undefined
  }
}

/** Not by `pipe`, which would go on by itself when it was paused. */
function pass(from: Socket, to: Socket): void {
  from.on('data', chunk => to.write(chunk))
  from.on('end', () => to.end())
}

function inodeOf(local: number, remote: number): string | undefined {
  const hex = (port: number) => `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const [from, to] = [hex(local), hex(remote)]
  // A socket of IPv6 that speaks IPv4, as Java's, is in the other table.
  for (const table of ['tcp', 'tcp6']) {
    for (const line of readFileSync(`/proc/net/${table}`, 'utf8').split('\n')) {
      const words = line.trim().split(/\s+/)
      if (words[1]?.endsWith(from) && words[2]?.endsWith(to)) return words[9]
    }
  }
  return undefined
}

function hasSocket(pid: number, inode: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some(
      file => readlinkSync(`/proc/${pid}/fd/${file}`) === `socket:[${inode}]`,
    )
  } catch {
    return false // the process is gone, or that file was closed meanwhile
  }
}
