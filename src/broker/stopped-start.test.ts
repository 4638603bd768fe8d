import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostOf, startBroker, startBrokers } from '../sim/several-brokers.ts'
import { simulated, type World } from '../sim/world.ts'
import { Broker } from './broker.ts'

/** A start of broker 2 that can be stopped; `ended` resolves to what it rejected with. */
function stoppable(world: World, directory = '/data') {
  const host = hostOf(2)
  const controller = new AbortController()
  const ended = Broker.start({
    io: world.io(host),
    store: world.store(host),
    signal: controller.signal,
    properties: {
      listeners: `PLAINTEXT://${host}:9093`,
      'log.dirs': directory,
      'node.id': '2',
    },
  }).then(
    () => assert.fail('it started'),
    (error: unknown) => error,
  )
  return { controller, ended }
}

test('a start that waits for the end of another process is stopped at once', () =>
  simulated().run(async world => {
    const brokers = await startBrokers(world, 2)
    const { controller, ended } = stoppable(world, '/other')
    await world.sleep(5000)
    const startMs = world.nowMs
    controller.abort()
    assert.equal(await ended, controller.signal.reason)
    assert.ok(world.nowMs - startMs < 1000, `${world.nowMs - startMs} ms`)
    await world.sleep(70_000)
    for (const broker of brokers) await broker.close()
  }))

test('a start that waits for its admission is stopped at once, and nothing of it stays', () =>
  simulated().run(async world => {
    const first = await startBroker(world, 1)
    await (await startBroker(world, 2)).close()
    // The controller stands still: nobody admits anybody.
    world.pause(hostOf(1))
    const { controller, ended } = stoppable(world)
    await world.sleep(2000)
    const startMs = world.nowMs
    controller.abort()
    assert.equal(await ended, controller.signal.reason)
    assert.ok(world.nowMs - startMs < 1000, `${world.nowMs - startMs} ms`)
    const { disk } = world.io(hostOf(2))
    assert.notEqual(await disk.stat('/data/.kafka_cleanshutdown'), undefined)
    world.resume(hostOf(1))
    const again = await startBroker(world, 2)
    await again.close()
    await first.close()
  }))

test('a start is stopped before it begins', () =>
  simulated().run(async world => {
    const { controller, ended } = stoppable(world)
    controller.abort()
    assert.equal(await ended, controller.signal.reason)
  }))
