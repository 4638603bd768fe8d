import assert from 'node:assert/strict'
import { test } from 'node:test'
import { simulated } from './world.ts'

test('a paused process runs nothing until it goes on, then what was due, in order', async () => {
  await simulated().run(async world => {
    const io = world.io('a')
    const ran: string[] = []
    io.clock.timer(10, () => ran.push(`first at ${world.nowMs}`))
    io.clock.timer(20, () => ran.push(`second at ${world.nowMs}`))
    io.clock.timer(30, () => ran.push('never')).cancel()
    world.pause('a')
    await world.sleep(100)
    assert.deepEqual(ran, [])
    world.resume('a')
    await world.sleep(1)
    assert.deepEqual(ran, ['first at 100', 'second at 100'])
  })
})

test('a timer that is cancelled when the process goes on does not run', async () => {
  await simulated().run(async world => {
    const io = world.io('a')
    const ran: string[] = []
    io.clock.timer(10, () => {
      ran.push('first')
      second.cancel()
    })
    const second = io.clock.timer(20, () => ran.push('second'))
    world.pause('a')
    await world.sleep(100)
    world.resume('a')
    await world.sleep(1)
    assert.deepEqual(ran, ['first'])
  })
})

test('the machine of a paused process takes connections and bytes; the process reads them later', async () => {
  await simulated().run(async world => {
    const received: number[] = []
    const handlers = {
      data: (bytes: Uint8Array) => void received.push(...bytes),
      drain() {},
      close() {},
    }
    const ignore = { data() {}, drain() {}, close() {} }
    await world.io('a').network.listen({ host: 'a', port: 1 }, () => handlers)
    world.pause('a')
    const options = { host: 'a', port: 1, timeoutMs: 1000 }
    const socket = await world.io('b').network.connect(options, () => ignore)
    socket.write([Uint8Array.of(1, 2, 3)])
    await world.sleep(100)
    assert.deepEqual(received, [])
    world.resume('a')
    await world.sleep(1)
    assert.deepEqual(received, [1, 2, 3])
  })
})

test('a paused process learns of the store and its disk later; its lease runs out meanwhile', async () => {
  await simulated().run(async world => {
    const io = world.io('a')
    const store = world.store('a')
    const lease = await store.grantLease(2000)
    const events: string[] = []
    const answered = io.disk.makeDirectory('/data').then(() => void events.push('disk'))
    const sink = {
      events: () => void events.push('watch'),
      compacted() {},
      broken() {},
    }
    store.watch({ prefix: '' }, 0n, sink)
    world.pause('a')
    await world.store('b').txn([], [{ put: 'key', value: new Uint8Array(1) }])
    await world.sleep(5000)
    assert.deepEqual(events, [])
    world.resume('a')
    assert.equal(await lease.keepAlive(), 0)
    await answered
    assert.deepEqual(events.toSorted(), ['disk', 'watch'])
  })
})

test('a process that is killed while it is paused stays silent, the next one does not wait', async () => {
  await simulated().run(async world => {
    const ran: string[] = []
    world.io('a').clock.timer(10, () => ran.push('old'))
    world.pause('a')
    await world.sleep(20)
    world.kill('a')
    world.resume('a')
    world.io('a').clock.timer(10, () => ran.push('new'))
    await world.sleep(20)
    assert.deepEqual(ran, ['new'])
  })
})
