import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Image } from '../cluster/image.ts'
import { simulated, type World } from '../sim/world.ts'
import { throttleConfig } from './fixture.ts'
import { Throttle } from './throttle.ts'

/** Of a leader, broker 1, that may send 1000 bytes a second; topic `t` has these configs. */
function throttle(world: World, configs: Record<string, string> = {}): Throttle {
  const image = {
    configs: (_: string, topic: string) => new Map(topic === 't' ? Object.entries(configs) : []),
  } as Partial<Image> as Image
  return new Throttle(world.io().clock, {
    ...{ side: 'leader', image, brokerId: 1 },
    config: () => ({ ...throttleConfig, leaderRate: 1000, windows: 3 }),
  })
}

test('the rate is that of the windows that are kept', () =>
  simulated().run(async world => {
    const leader = throttle(world)
    assert.equal(leader.bytesPerSecond, 0)
    leader.record(1500)
    assert.equal(leader.bytesPerSecond, 1500)
    assert.equal(leader.isExceeded(), true)
    await world.sleep(2000)
    assert.equal(leader.bytesPerSecond, 750)
    assert.equal(leader.isExceeded(), false)
    leader.record(1500)
    assert.equal(leader.isExceeded(), true)
    await world.sleep(1000)
    assert.equal(leader.bytesPerSecond, 1500, 'the first window is forgotten')
    await world.sleep(2000)
    assert.equal(leader.bytesPerSecond, 0)
  }))

test('it covers what the topic names on this side and of this broker, as it is now', () =>
  simulated().run(async world => {
    const configs: Record<string, string> = {}
    const leader = throttle(world, configs)
    assert.equal(leader.covers('t', 0), false)
    configs['leader.replication.throttled.replicas'] = '0:1,1:2'
    assert.deepEqual([leader.covers('t', 0), leader.covers('t', 1)], [true, false])
    configs['leader.replication.throttled.replicas'] = '*'
    assert.deepEqual([leader.covers('t', 1), leader.covers('u', 1)], [true, false])
    delete configs['leader.replication.throttled.replicas']
    configs['follower.replication.throttled.replicas'] = '*'
    assert.equal(leader.covers('t', 0), false)
  }))
