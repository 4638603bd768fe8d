import assert from 'node:assert/strict'
import { test } from 'node:test'
import { simulated, World } from './world.ts'

const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes)
const bytes = (value: string) => new TextEncoder().encode(value)

test('virtual time passes without waiting', async () => {
  await simulated().run(async world => {
    const { clock } = world.io()
    const before = clock.monotonicMs()
    await world.sleep(7 * 24 * 3600 * 1000)
    assert.equal(clock.monotonicMs() - before, 7 * 24 * 3600 * 1000)
    assert.equal(new Date(clock.wallMs()).toISOString(), '2026-01-08T00:00:01.000Z')
  })
})

test('a cancelled timer does not run, others run in order of time', async () => {
  await simulated().run(async world => {
    const { clock } = world.io()
    const ran: string[] = []
    clock.timer(20, () => ran.push('late'))
    clock.timer(10, () => ran.push('early'))
    clock.timer(15, () => ran.push('never')).cancel()
    await world.sleep(30)
    assert.deepEqual(ran, ['early', 'late'])
  })
})

test('the clocks of a machine drift and jump, monotonic time never falls', async () => {
  await simulated().run(async world => {
    const { clock } = world.io('a')
    world.clock('a').rate = 1.01
    const start = clock.monotonicMs()
    let ranAt = 0
    clock.timer(1010, () => {
      ranAt = world.nowMs
    })
    await world.sleep(1000)
    assert.equal(Math.round(clock.monotonicMs() - start), 1010)
    assert.equal(Math.round(ranAt), 1000)
    const wall = clock.wallMs()
    world.clock('a').wallOffsetMs = -60_000
    assert.equal(clock.wallMs(), wall - 60_000)
    assert.equal(Math.round(clock.monotonicMs() - start), 1010)
  })
})

test('events of one moment come in an order that the seed decides', async () => {
  const orders = new Set<string>()
  for (let seed = 1; seed <= 30; seed++) {
    const order = () =>
      simulated(seed).run(async world => {
        const ran: string[] = []
        for (const name of ['a', 'b', 'c']) world.io().clock.timer(5, () => ran.push(name))
        await world.sleep(6)
        return ran.join('')
      })
    assert.equal(await order(), await order())
    orders.add(await order())
  }
  assert.equal(orders.size, 6)
})

test('a deadlock is refused with the seed', async () => {
  await assert.rejects(
    simulated(77).run(() => new Promise(() => {})),
    /deadlock.*no event is left.*seed 77/,
  )
})

test('a scenario without end is refused', async () => {
  const endless = (world: World) => {
    const { clock } = world.io()
    const again = () => void clock.timer(1, again)
    again()
    return new Promise<void>(() => {})
  }
  await assert.rejects(simulated().run(endless, { maxEvents: 1000 }), /no end after so many events/)
})

test('an unhandled rejection and a throwing event fail the run', async () => {
  await assert.rejects(
    simulated().run(async world => {
      Promise.reject(new Error('nobody caught this'))
      await world.sleep(10)
    }),
    /nobody caught this/,
  )
  await assert.rejects(
    simulated().run(async world => {
      world.io().clock.timer(1, () => {
        throw new Error('a timer threw')
      })
      await world.sleep(10)
    }),
    /a timer threw/,
  )
})

/** A bit of everything, with a kill in the middle. */
async function busyScenario(world: World): Promise<string> {
  const server = world.io('server')
  const listener = await server.network.listen({ host: '', port: 0 }, socket => ({
    data: chunk => void socket.write([chunk]),
    drain() {},
    close() {},
  }))
  const echoed: number[] = []
  const client = world.io('client')
  const socket = await client.network.connect(
    { host: 'server', port: listener.port, timeoutMs: 1000 },
    () => ({ data: chunk => void echoed.push(...chunk), drain() {}, close() {} }),
  )
  const file = await server.disk.open('/log', { create: true })
  for (let round = 0; round < 20; round++) {
    socket.write([client.random.bytes(50)])
    await file.write([server.random.bytes(700)], round * 700)
    if (round % 5 === 0) await file.sync()
    await world.store('server').txn([], [{ put: `k${round}`, value: bytes('v') }])
  }
  world.powerLoss('server')
  await world.sleep(100)
  return `${echoed.join()} ${Buffer.from(world.disk('server').content('/log') ?? []).toString('hex')}`
}

test('equal seeds give equal fingerprints and outcomes, other seeds others', async () => {
  const outcomes = new Set<string>()
  for (let seed = 0; seed < 20; seed++) {
    const first = new World(seed)
    const second = new World(seed)
    assert.equal(await first.run(busyScenario), await second.run(busyScenario), `seed ${seed}`)
    assert.equal(first.fingerprint, second.fingerprint, `seed ${seed}`)
    assert.match(first.fingerprint, /^[0-9a-f]{16}$/)
    outcomes.add(first.fingerprint)
  }
  assert.equal(outcomes.size, 20)
})

test('a killed process gets no more answers, its timers are dropped, its disk is kept', async () => {
  await simulated().run(async world => {
    const old = world.io('a')
    const oldStore = world.store('a')
    const happened: string[] = []
    await old.disk.replaceFile('/file', bytes('content'))
    old.clock.timer(5, () => happened.push('timer'))
    void old.disk.readFile('/file', 100).then(() => happened.push('read'))
    void world
      .store('a')
      .get({ key: 'k' })
      .then(() => happened.push('get'))
    void old.network.listen({ host: '', port: 9 }, () => assert.fail())
    world.kill('a')
    void oldStore.txn([], [{ put: 'late', value: bytes('x') }]).then(() => happened.push('txn'))
    void old.disk.open('/late', { create: true }).then(() => happened.push('open'))
    void old.network
      .listen({ host: '', port: 10 }, () => assert.fail())
      .then(() => happened.push('listen'))
    await world.sleep(1000)
    assert.deepEqual(happened, [])
    const fresh = world.io('a')
    assert.deepEqual((await world.store('a').get({ prefix: '' })).entries, [])
    assert.notEqual(fresh, old)
    assert.equal(text(await fresh.disk.readFile('/file', 100)), 'content')
    assert.equal(await fresh.disk.stat('/late'), undefined)
    await fresh.network.listen({ host: '', port: 9 }, () => assert.fail())
  })
})

test('an event costs microseconds of CPU, not milliseconds', async () => {
  const world = simulated()
  const before = process.cpuUsage()
  await world.run(async () => {
    const { clock } = world.io()
    for (let at = 0; at < 50_000; at++) clock.timer(at, () => {})
    await world.sleep(50_000)
  })
  const { user, system } = process.cpuUsage(before)
  // CPU, for a busy machine lets this one wait; about ten of them on an idle one.
  const microseconds = (user + system) / world.eventCount
  assert.ok(microseconds < 200, `${microseconds} µs an event`)
})
