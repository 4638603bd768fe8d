import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gunzipSync, gzipSync, zstdDecompressSync } from 'node:zlib'
import { networkBehaviours } from './network-conformance.ts'
import { nodeIo } from './node.ts'

for (const host of ['127.0.0.1', 'localhost']) {
  for (const { name, check } of networkBehaviours) {
    test(`real network, ${host}: ${name}`, () => check({ network: nodeIo().network, host }))
  }
}

test('an IPv4 peer has a plain address also where both families are served', async () => {
  const { network } = nodeIo()
  const quiet = { data() {}, drain() {}, close() {} }
  let seen = ''
  const accepted = new Promise<void>(resolve => {
    void network
      .listen({ host: '', port: 0 }, socket => {
        seen = `${socket.localAddress} ${socket.remoteAddress}`
        socket.destroy()
        resolve()
        return quiet
      })
      .then(async listener => {
        await network.connect(
          { host: '127.0.0.1', port: listener.port, timeoutMs: 5000 },
          () => quiet,
        )
        await listener.close()
      })
  })
  await accepted
  assert.equal(seen, '127.0.0.1 127.0.0.1')
})

test('all connections are read through the same memory, accepted ones too', async () => {
  const { network } = nodeIo()
  const memories = new Set<ArrayBufferLike>()
  let closed = 0
  const { promise: allClosed, resolve } = Promise.withResolvers<void>()
  const handlers = {
    data: (chunk: Uint8Array) => void memories.add(chunk.buffer),
    drain() {},
    close: () => void (++closed === 4 && resolve()),
  }
  const listener = await network.listen({ host: '127.0.0.1', port: 0 }, socket => {
    socket.write([new Uint8Array(10)])
    socket.end()
    return handlers
  })
  for (let count = 0; count < 2; count++) {
    const options = { host: '127.0.0.1', port: listener.port, timeoutMs: 5000 }
    const socket = await network.connect(options, () => handlers)
    socket.write([new Uint8Array(10)])
    socket.end()
  }
  await allClosed
  await listener.close()
  assert.equal(memories.size, 1)
})

test('a timer runs once after its delay, a cancelled one never', async () => {
  const { clock } = nodeIo()
  const before = clock.monotonicMs()
  const ran: string[] = []
  clock.timer(1, () => ran.push('cancelled')).cancel()
  await new Promise<void>(resolve => void clock.timer(20, resolve))
  // Node's timers count whole milliseconds, so they may be early by one.
  assert.ok(clock.monotonicMs() - before >= 19)
  assert.deepEqual(ran, [])
  assert.ok(Number.isInteger(clock.wallMs()))
})

test('a timer of more than 24 days does not run at once', t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const days = (count: number) => {
    // In steps of a day: the timers that a timer starts begin where the tick began.
    for (let day = 0; day < count; day++) t.mock.timers.tick(24 * 3600 * 1000)
  }
  let runs = 0
  nodeIo().clock.timer(60 * 24 * 3600 * 1000, () => runs++)
  days(59)
  assert.equal(runs, 0)
  days(3)
  assert.equal(runs, 1)
  const cancelled = nodeIo().clock.timer(30 * 24 * 3600 * 1000, () => runs++)
  days(29)
  cancelled.cancel()
  days(60)
  assert.equal(runs, 1)
})

test('random numbers are 32 bits wide and differ', () => {
  const { random } = nodeIo()
  const numbers = Array.from({ length: 2000 }, () => random.u32())
  assert.ok(numbers.every(number => Number.isInteger(number) && number >= 0 && number < 2 ** 32))
  assert.ok(new Set(numbers).size > 1990)
  assert.ok(Math.max(...numbers) > 2 ** 31)
  assert.equal(random.bytes(33).length, 33)
  assert.notDeepEqual(random.bytes(16), random.bytes(16))
})

test('a folder that the kernel does not let be made is refused, also below /proc', {
  skip: process.platform !== 'linux',
  timeout: 5000,
}, async () => {
  const { disk } = nodeIo()
  await assert.rejects(disk.makeDirectory('/proc/ottla/data'), { code: 'ENOENT' })
  await assert.rejects(disk.makeDirectory('/dev/null/data'), { code: 'ENOTDIR' })
  await disk.makeDirectory('/proc')
})

test('a listener that was closed has no handle left', async () => {
  const handles = () => process.getActiveResourcesInfo().filter(name => name === 'TCPServerWrap')
  const listener = await nodeIo().network.listen({ host: '127.0.0.1', port: 0 }, () => ({
    data() {},
    drain() {},
    close() {},
  }))
  assert.equal(handles().length, 1)
  await listener.close()
  assert.equal(handles().length, 0)
})

test('what is compressed apart reads back', async () => {
  const bytes = Buffer.from('some words again and again, '.repeat(1000))
  const { compressApart, gunzipApart } = nodeIo()
  assert.deepEqual(gunzipSync(await compressApart!('gzip', bytes)), bytes)
  const zipped = gzipSync(bytes)
  assert.deepEqual(await gunzipApart!(zipped, bytes.length), bytes)
  await assert.rejects(gunzipApart!(zipped, bytes.length - 1), { code: 'ERR_BUFFER_TOO_LARGE' })
  await assert.rejects(gunzipApart!(bytes, bytes.length))
  assert.deepEqual(zstdDecompressSync(await compressApart!('zstd', bytes)), bytes)
})
