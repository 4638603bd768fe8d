/**
 * What every network does, as one list of behaviours: the real one and the simulated one.
 */

import assert from 'node:assert/strict'
import { type Listener, type Network, NetworkError, type Socket } from './io.ts'

/** A network under test; `host` reaches its own listeners. */
export interface NetworkUnderTest {
  readonly network: Network
  readonly host: string
}

/** One behaviour; `check` throws when the network does not have it. */
export interface NetworkBehaviour {
  readonly name: string
  readonly check: (underTest: NetworkUnderTest) => Promise<void>
}

const text = (value: Uint8Array) => new TextDecoder().decode(value)
const bytes = (value: string) => new TextEncoder().encode(value)

/** One end of a connection that remembers what it saw; waits are for what it sees. */
class End {
  socket!: Socket
  received: Uint8Array[] = []
  receivedBytes = 0
  drains = 0
  closed: { error: Error | undefined } | undefined
  #waiting: (() => void)[] = []

  /** The handlers for one socket. */
  attach(socket: Socket) {
    this.socket = socket
    return {
      data: (chunk: Uint8Array) => {
        this.received.push(chunk.slice())
        this.receivedBytes += chunk.length
        this.#wake()
      },
      drain: () => {
        this.drains++
        this.#wake()
      },
      close: (error?: Error) => {
        assert.equal(this.closed, undefined, 'closed once')
        this.closed = { error }
        this.#wake()
      },
    }
  }

  get text(): string {
    return text(Buffer.concat(this.received))
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>(resolve => this.#waiting.push(resolve))
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

/** A listener with one connection to it. */
async function connection({ network, host }: NetworkUnderTest) {
  const server = new End()
  let accepted: () => void
  const isAccepted = new Promise<void>(resolve => {
    accepted = resolve
  })
  const listener = await network.listen({ host, port: 0 }, socket => {
    accepted()
    return server.attach(socket)
  })
  const client = new End()
  const options = { host, port: listener.port, timeoutMs: 5000 }
  await network.connect(options, socket => client.attach(socket))
  await isAccepted
  return { listener, server, client }
}

async function bothClosed(listener: Listener, ...ends: End[]): Promise<void> {
  await listener.close()
  for (const end of ends) await end.until(() => end.closed !== undefined)
}

async function refused(running: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(running, (error: unknown) => {
    assert.ok(error instanceof NetworkError, `${error}`)
    assert.equal(error.code, code)
    return true
  })
}

/** All behaviours. */
export const networkBehaviours: readonly NetworkBehaviour[] = [
  {
    name: 'bytes go both ways in order, and the ends know each other',
    async check(underTest) {
      const { listener, server, client } = await connection(underTest)
      client.socket.write([bytes('he'), bytes(''), bytes('llo')])
      client.socket.write([bytes(' world')])
      await server.until(() => server.text === 'hello world')
      server.socket.write([bytes('welcome')])
      await client.until(() => client.text === 'welcome')
      assert.equal(client.socket.remotePort, listener.port)
      assert.equal(server.socket.localPort, listener.port)
      assert.equal(server.socket.remotePort, client.socket.localPort)
      assert.equal(server.socket.remoteAddress, client.socket.localAddress)
      assert.ok(!server.socket.remoteAddress.includes('ffff'))
      client.socket.end()
      await bothClosed(listener, client, server)
    },
  },
  {
    name: 'nothing is delivered inside a call',
    async check(underTest) {
      const { listener, server, client } = await connection(underTest)
      server.socket.write([bytes('x')])
      assert.equal(client.receivedBytes, 0)
      await client.until(() => client.receivedBytes === 1)
      client.socket.destroy()
      assert.equal(client.closed, undefined)
      await bothClosed(listener, client, server)
    },
  },
  {
    name: 'end sends what is buffered first; both sides close without an error',
    async check(underTest) {
      const { listener, server, client } = await connection(underTest)
      const large = new Uint8Array(3_000_000).map((_, at) => at % 251)
      client.socket.write([large])
      client.socket.end()
      assert.equal(client.socket.write([bytes('too late')]), false)
      await bothClosed(listener, client, server)
      assert.equal(server.receivedBytes, large.length)
      assert.deepEqual(Buffer.concat(server.received), Buffer.from(large))
      assert.deepEqual([client.closed?.error, server.closed?.error], [undefined, undefined])
    },
  },
  {
    name: 'a slow reader fills the buffers: write says so, and drain comes when all has left',
    async check(underTest) {
      const { listener, server, client } = await connection(underTest)
      client.socket.pause()
      const chunk = new Uint8Array(1_000_000)
      let written = 0
      while (server.socket.write([chunk]) || written < 20 * chunk.length) written += chunk.length
      written += chunk.length
      assert.ok(server.socket.bufferedBytes > 0)
      assert.equal(server.drains, 0)
      assert.equal(client.receivedBytes, 0)
      client.socket.resume()
      await server.until(() => server.drains > 0)
      assert.equal(server.socket.bufferedBytes, 0)
      assert.equal(server.drains, 1)
      await client.until(() => client.receivedBytes === written)
      client.socket.end()
      await bothClosed(listener, client, server)
    },
  },
  {
    name: 'who writes is told once when the chunks are not needed any more, sent or not',
    async check(underTest) {
      const { listener, server, client } = await connection(underTest)
      const told: string[] = []
      const tell = (what: string) => () => void told.push(what)
      server.socket.write([bytes('a'), bytes('b')], tell('first'))
      await client.until(() => client.text === 'ab')
      assert.deepEqual(told, ['first'])
      client.socket.pause()
      while (server.socket.write([new Uint8Array(1_000_000)]));
      server.socket.write([bytes('c')], tell('stuck'))
      assert.deepEqual(told, ['first'])
      server.socket.destroy()
      server.socket.write([bytes('d')], tell('late'))
      client.socket.resume()
      await bothClosed(listener, client, server)
      assert.deepEqual(told.toSorted(), ['first', 'late', 'stuck'])
    },
  },
  {
    name: 'the end of a paused connection is seen after its bytes',
    async check(underTest) {
      const { listener, server, client } = await connection(underTest)
      client.socket.pause()
      server.socket.write([bytes('last words')])
      server.socket.end()
      client.socket.write([bytes('still here')])
      await server.until(() => server.text === 'still here')
      assert.deepEqual([client.text, client.closed], ['', undefined])
      client.socket.resume()
      await bothClosed(listener, client, server)
      assert.equal(client.text, 'last words')
    },
  },
  {
    name: 'destroy closes at once and the other side notices',
    async check(underTest) {
      const { listener, server, client } = await connection(underTest)
      server.socket.destroy()
      server.socket.destroy()
      assert.equal(server.socket.write([bytes('x')]), false)
      await bothClosed(listener, client, server)
      assert.equal(server.closed?.error, undefined)
    },
  },
  {
    name: 'a port where nobody listens, a taken port and an unknown host are refused',
    async check({ network, host }) {
      const attach = () => assert.fail()
      const listener = await network.listen({ host, port: 0 }, attach)
      await refused(network.listen({ host, port: listener.port }, attach), 'EADDRINUSE')
      const { port } = listener
      await listener.close()
      await refused(network.connect({ host, port, timeoutMs: 5000 }, attach), 'ECONNREFUSED')
      const again = await network.listen({ host, port }, attach)
      await again.close()
    },
  },
  {
    name: 'a closed listener leaves its connections open',
    async check(underTest) {
      const { listener, server, client } = await connection(underTest)
      await listener.close()
      await listener.close()
      client.socket.write([bytes('still')])
      await server.until(() => server.text === 'still')
      server.socket.end()
      await bothClosed(listener, client, server)
    },
  },
]
