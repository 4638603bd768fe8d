import assert from 'node:assert/strict'
import { test } from 'node:test'
import { codecs, keys } from '../cluster/keys.ts'
import { hostOf, startBroker, startBrokers, until } from '../sim/several-brokers.ts'
import { simulated, type World } from '../sim/world.ts'

const sessionMs = 9000

/** What the store has of the registration of a broker; its createRevision is the broker epoch. */
async function registered(world: World, brokerId: number): Promise<bigint | undefined> {
  const { entries } = await world.store('test').get({ key: keys.alive(brokerId) })
  return entries[0]?.createRevision
}

async function controllerIn(world: World): Promise<number | undefined> {
  const { entries } = await world.store('test').get({ key: keys.controller })
  return entries[0] && codecs.controller.decode(entries[0].value).brokerId
}

/** Virtual milliseconds until `isTrue`. */
async function timeUntil(world: World, isTrue: () => Promise<boolean>): Promise<number> {
  const startMs = world.nowMs
  while (!(await isTrue())) {
    if (world.nowMs - startMs > 60_000) throw new Error('waited for a minute')
    await world.sleep(2)
  }
  return world.nowMs - startMs
}

test('a broker whose process is gone is fenced in a moment', () =>
  simulated().run(async world => {
    const [first, , third] = await startBrokers(world, 3)
    await world.sleep(2000)
    world.kill(hostOf(2))
    const tookMs = await timeUntil(world, async () => (await registered(world, 2)) === undefined)
    assert.ok(tookMs < 200, `${tookMs} ms`)
    await third!.close()
    await first!.close()
  }))

test('another broker takes the role a moment after the process of the controller is gone', () =>
  simulated().run(async world => {
    const [, second, third] = await startBrokers(world, 3)
    await world.sleep(2000)
    assert.equal(await controllerIn(world), 1)
    world.kill(hostOf(1))
    const isTaken = async () => ![1, undefined].includes(await controllerIn(world))
    const tookMs = await timeUntil(world, isTaken)
    assert.ok(tookMs < 300, `${tookMs} ms`)
    await third!.close()
    await second!.close()
  }))

test('whoever becomes the controller knows at once that another one died with the last', () =>
  simulated().run(async world => {
    const [, , third] = await startBrokers(world, 3)
    await world.sleep(2000)
    assert.equal(await controllerIn(world), 1)
    world.kill(hostOf(1))
    world.kill(hostOf(2))
    const isNoticed = async () =>
      (await registered(world, 1)) === undefined && (await registered(world, 2)) === undefined
    const tookMs = await timeUntil(world, isNoticed)
    assert.ok(tookMs < 500, `${tookMs} ms`)
    await third!.close()
  }))

test('a broker that is paused keeps its registration until its lease runs out', () =>
  simulated().run(async world => {
    const [first, second] = await startBrokers(world, 2)
    await world.sleep(2000)
    world.pause(hostOf(2))
    const tookMs = await timeUntil(world, async () => (await registered(world, 2)) === undefined)
    assert.ok(tookMs > sessionMs / 2 && tookMs < sessionMs + 3000, `${tookMs} ms`)
    world.resume(hostOf(2))
    await timeUntil(world, async () => (await registered(world, 2)) !== undefined)
    await second!.close()
    await first!.close()
  }))

test('brokers that cannot reach each other, and all reach the store, stay registered', () =>
  simulated().run(async world => {
    const brokers = await startBrokers(world, 2)
    await world.sleep(2000)
    const before = [await registered(world, 1), await registered(world, 2)]
    world.network.cut(hostOf(1), hostOf(2))
    world.network.reset(hostOf(1))
    await world.sleep(30_000)
    assert.deepEqual([await registered(world, 1), await registered(world, 2)], before)
    assert.equal(await controllerIn(world), 1)
    world.network.heal()
    for (const broker of brokers) await broker.close()
  }))

test('a connection that is reset while the process is there fences nobody', () =>
  simulated().run(async world => {
    const brokers = await startBrokers(world, 2)
    await world.sleep(2000)
    const before = [await registered(world, 1), await registered(world, 2)]
    for (let times = 0; times < 5; times++) {
      world.network.reset(hostOf(2))
      await world.sleep(700)
    }
    assert.deepEqual([await registered(world, 1), await registered(world, 2)], before)
    for (const broker of brokers) await broker.close()
  }))

test('a broker that is killed and starts at once keeps its new registration', () =>
  simulated().run(async world => {
    const [first] = await startBrokers(world, 2)
    await world.sleep(2000)
    for (let times = 0; times < 5; times++) {
      world.kill(hostOf(2))
      await world.sleep(times)
      const second = await startBroker(world, 2)
      const epoch = await registered(world, 2)
      await world.sleep(500)
      assert.equal(await registered(world, 2), epoch)
      if (times === 4) await second.close()
    }
    await first!.close()
  }))

test('a broker that cannot be reached at all is left to its lease', () =>
  simulated().run(async world => {
    const first = await startBroker(world, 1)
    const second = await startBroker(world, 2, {
      'advertised.listeners': 'PLAINTEXT://b2:9999',
    })
    await world.sleep(100)
    const epoch = await registered(world, 2)
    assert.ok(epoch !== undefined)
    await world.sleep(20_000)
    assert.equal(await registered(world, 2), epoch)
    assert.ok(!world.reported.some(({ message }) => /fenced/.test(message)))
    await second.close()
    await first.close()
  }))

test('a stop and a start fence nobody by mistake', () =>
  simulated().run(async world => {
    const [first, second] = await startBrokers(world, 2)
    await second!.close()
    await until(world, () => true)
    const again = await startBroker(world, 2)
    const epoch = await registered(world, 2)
    await world.sleep(5000)
    assert.equal(await registered(world, 2), epoch)
    await again.close()
    await first!.close()
  }))
