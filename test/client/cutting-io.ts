/** An outside world whose connections are cut, again and again, by a small TCP proxy in front of each address. */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Io } from '../../src/io/io.ts'
import { nodeIo } from '../../src/io/node.ts'
import { Prng } from '../../src/sim/random.ts'

export interface Cutting {
  readonly io: Io
  /** How many connections were cut. */
  readonly cuts: () => number
  /** Cuts nothing more. */
  readonly calm: () => void
  readonly close: () => void
}

/** Each connection is cut, in the middle of whatever it carries, after that many bytes of either direction. */
export function cutting(seed: number, bytes: { least: number; most: number }): Cutting {
  const real = nodeIo()
  const random = new Prng(seed, 'cuts')
  const proxies = new Map<string, Promise<{ server: Server; port: number }>>()
  const sockets = new Set<Socket>()
  let cuts = 0
  let isCalm = false

  function pipe(from: Socket, to: Socket, allowance: { left: number }): void {
    from.on('data', (chunk: Buffer) => {
      const rest = isCalm ? chunk.length : Math.min(chunk.length, allowance.left)
      allowance.left -= chunk.length
      to.write(chunk.subarray(0, rest))
      if (isCalm || allowance.left > 0) return
      cuts++
      from.resetAndDestroy()
      to.destroy()
    })
    from.on('error', () => to.destroy())
    from.on('close', () => {
      sockets.delete(from)
      to.destroy()
    })
  }

  async function proxyOf(host: string, port: number): Promise<{ server: Server; port: number }> {
    const server = createServer(near => {
      const far = connect(port, host)
      const allowance = { left: bytes.least + random.below(bytes.most - bytes.least) }
      for (const socket of [near, far]) sockets.add(socket.setNoDelay())
      pipe(near, far, allowance)
      pipe(far, near, allowance)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no TCP port')
    return { server, port: address.port }
  }

  return {
    io: {
      ...real,
      network: {
        listen: real.network.listen.bind(real.network),
        async connect({ host, port, timeoutMs }, attach) {
          const key = `${host}:${port}`
          const proxy = proxies.get(key) ?? proxyOf(host, port)
          proxies.set(key, proxy)
          const there = { host: '127.0.0.1', port: (await proxy).port, timeoutMs }
          return await real.network.connect(there, attach)
        },
      },
    },
    cuts: () => cuts,
    calm() {
      isCalm = true
    },
    close() {
      for (const socket of sockets) socket.destroy()
      for (const proxy of proxies.values()) void proxy.then(({ server }) => server.close())
    },
  }
}
