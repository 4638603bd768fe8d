import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Io, Socket, SocketHandlers } from '../io/io.ts'
import { networkBehaviours } from '../io/network-conformance.ts'
import { simulated, type World } from './world.ts'

for (const { name, check } of networkBehaviours) {
  test(`simulated network: ${name}`, async () => {
    for (let seed = 1; seed <= 6; seed++) {
      const host = ['a', 'localhost', '10.0.0.1'][seed % 3]!
      await simulated(seed).run(world => check({ network: world.io('a').network, host }))
    }
  })
}

/** A connection from machine `client` to `server:9092`, and what both sides saw. */
async function connected(world: World) {
  const seen: string[] = []
  let accepted: Socket | undefined
  const handlers = (side: string) => ({
    data: (chunk: Uint8Array) => void seen.push(`${side}: ${new TextDecoder().decode(chunk)}`),
    drain: () => void seen.push(`${side} drained`),
    close: (error?: Error & { code?: string }) =>
      void seen.push(`${side} closed ${error?.code ?? ''}`.trim()),
  })
  world.network.splitChance = 0
  await world.io('server').network.listen({ host: '', port: 9092 }, socket => {
    accepted = socket
    return handlers('server')
  })
  const client = await connect(world.io('client'), 'server', handlers('client'))
  await world.sleep(10)
  return { seen, client, server: accepted! }
}

function connect(io: Io, host: string, handlers: SocketHandlers) {
  return io.network.connect({ host, port: 9092, timeoutMs: 500 }, () => handlers)
}

const silent = { data() {}, drain() {}, close() {} }
const bytes = (value: string) => new TextEncoder().encode(value)

test('machines find each other by name and address, not by unknown names', async () => {
  await simulated().run(async world => {
    const { client, server } = await connected(world)
    assert.equal(client.remoteAddress, server.localAddress)
    await connect(world.io('client'), client.remoteAddress, silent)
    await assert.rejects(connect(world.io('client'), 'nowhere', silent), { code: 'ENOTFOUND' })
    await assert.rejects(connect(world.io('client'), 'client', silent), { code: 'ECONNREFUSED' })
    await assert.rejects(
      world.io('client').network.listen({ host: 'server', port: 1 }, () => silent),
      { code: 'EADDRNOTAVAIL' },
    )
  })
})

test('a killed process resets its connections and frees its port', async () => {
  await simulated().run(async world => {
    const { seen, client } = await connected(world)
    world.kill('server')
    client.write([bytes('anyone there?')])
    await world.sleep(10)
    assert.match(seen.join(), /^client closed/)
    await assert.rejects(connect(world.io('client'), 'server', silent), { code: 'ECONNREFUSED' })
    await world.io('server').network.listen({ host: '', port: 9092 }, () => silent)
    await connect(world.io('client'), 'server', silent)
  })
})

test('what a killed process had sent still arrives', async () => {
  await simulated().run(async world => {
    const { seen, client } = await connected(world)
    client.write([bytes('late')])
    world.kill('client')
    await world.sleep(10)
    assert.deepEqual(seen, ['server: late', 'server closed'])
  })
})

test('a machine without power is silent until it is back', async () => {
  await simulated().run(async world => {
    const { seen, client } = await connected(world)
    world.powerLoss('server')
    client.write([bytes('anyone there?')])
    await world.sleep(10_000)
    assert.deepEqual(seen, [])
    await assert.rejects(connect(world.io('client'), 'server', silent), { code: 'ETIMEDOUT' })
    world.io('server')
    await world.sleep(10)
    assert.deepEqual(seen, ['client closed ECONNRESET'])
  })
})

test('a cut holds bytes of one direction back until it heals', async () => {
  await simulated().run(async world => {
    const { seen, client, server } = await connected(world)
    world.network.cut('client', 'server')
    client.write([bytes('request')])
    server.write([bytes('response')])
    await world.sleep(5000)
    assert.deepEqual(seen, ['client: response'])
    await assert.rejects(connect(world.io('client'), 'server', silent), { code: 'ETIMEDOUT' })
    world.network.heal()
    await world.sleep(10)
    assert.deepEqual(seen, ['client: response', 'server: request'])
  })
})

test('a reset closes both sides with an error', async () => {
  await simulated().run(async world => {
    const { seen } = await connected(world)
    world.network.reset('client')
    await world.sleep(10)
    assert.deepEqual(seen.sort(), ['client closed ECONNRESET', 'server closed ECONNRESET'])
  })
})

test('bytes are cut anywhere and stay in order', async () => {
  await simulated().run(async world => {
    const sizes = new Set<number>()
    const received: number[] = []
    world.network.splitChance = 0.5
    await world.io('server').network.listen({ host: '', port: 9092 }, () => ({
      ...silent,
      data: chunk => {
        sizes.add(chunk.length)
        received.push(...chunk)
      },
    }))
    const client = await connect(world.io('client'), 'server', silent)
    const sent: number[] = []
    for (let at = 0; at < 200; at++) {
      const chunk = world.random('chunks').bytes(1 + (at % 50))
      sent.push(...chunk)
      client.write([chunk])
    }
    await world.sleep(1000)
    assert.deepEqual(received, sent)
    assert.ok(sizes.size > 30)
  })
})
