import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClusterNode, type ClusterNodeOptions } from '../sim/cluster-node.ts'
import { simulated, type World } from '../sim/world.ts'
import { updateFeatures } from './feature-updates.ts'
import {
  formatFeature,
  founded,
  levelOf,
  refusalToJoin,
  type SupportedFeatures,
} from './features.ts'
import type { Image } from './image.ts'
import { codecs, keys } from './keys.ts'

const speaks = (min: number, max: number): SupportedFeatures =>
  new Map([[formatFeature, { min, max }]])

/** A cluster that a release founded which speaks levels 1 to `max`. */
const start = (world: World, brokerId: number, max: number, options: object = {}) =>
  new ClusterNode(world, { brokerId, features: speaks(1, max), ...options }).start()

const level = ({ image }: ClusterNode) => levelOf(image.cluster!.value.features, formatFeature)

/** What the controller of a later release would commit. */
async function raise(node: ClusterNode, to: number): Promise<void> {
  const update = { feature: formatFeature, level: to, kind: 'upgrade' } as const
  const { steps } = updateFeatures(node.image, [update], speaks(1, to))
  for (const { compares, ops } of steps) {
    assert.ok((await node.store.txn(compares, ops)).succeeded)
  }
}

test('a cluster is founded at the highest level of its first broker', () =>
  simulated().run(async world => {
    const node = await start(world, 1, 3)
    assert.equal(level(node), 3)
    await node.stop()
  }))

test('a release that does not speak the level is refused, and told which does', () =>
  simulated().run(async world => {
    const node = await start(world, 1, 2)
    await assert.rejects(
      new ClusterNode(world, { brokerId: 2, features: speaks(1, 1) }).start(),
      error => {
        assert.equal((error as { error?: string }).error, 'UNSUPPORTED_VERSION')
        assert.match((error as Error).message, /level 2 .* speaks 1 at most.* release \d/)
        return true
      },
    )
    await node.stop()
  }))

test('a cluster of before there were features is at the first level', () => {
  assert.equal(levelOf(new Map(), formatFeature), 1)
  assert.equal(levelOf(new Map(), 'other'), 0)
  assert.equal(refusalToJoin(new Map(), new Map()), undefined)
  assert.match(refusalToJoin(new Map(), speaks(2, 3))!, /speaks 2 at least/)
  const other = founded(new Map([['other', { min: 1, max: 1 }]]), '9')
  assert.match(refusalToJoin(other, speaks(1, 1))!, /level 1 of other/)
})

test('a level is raised when every broker speaks it, one that is down included', () =>
  simulated().run(async world => {
    const old: Partial<ClusterNodeOptions> = { features: speaks(1, 1) }
    const first = await start(world, 1, 1)
    const second = await start(world, 2, 1, old)
    const refusal = { error: 'INVALID_UPDATE_VERSION' }
    await assert.rejects(raise(first, 2), { ...refusal, message: /only supports versions 1-1/ })
    await second.stop()
    await first.stop()
    // Broker 1 comes back as a newer release, broker 2 is down and old.
    const newer = await start(world, 1, 2, { clusterId: 'cluster-id' })
    assert.equal(level(newer), 1)
    await assert.rejects(raise(newer, 2), { ...refusal, message: /Broker 2/ })
    await newer.controller.unregisterBroker(2, { deadlineMs: Number.MAX_SAFE_INTEGER })
    await raise(newer, 2)
    await world.sleep(1000)
    assert.equal(level(newer), 2)
    assert.deepEqual(newer.fatal, [])
    await newer.stop()
  }))

test('a broker that sees a level above its own stops, and is not admitted before it does', () =>
  simulated().run(async world => {
    const first = await start(world, 1, 1)
    const { image, store } = first
    const value = image.cluster!.value
    const features = new Map([[formatFeature, { level: 2, release: '9.9.9' }]])
    const raised = codecs.cluster.encode({ ...value, features })
    await store.txn([], [{ put: keys.cluster, value: raised }])
    await world.sleep(1000)
    assert.match(first.fatal[0]!.message, /level 2 .* release 9\.9\.9/)
    // As one that read the level before it was raised.
    const alive = {
      incarnation: 'late',
      directories: [],
      listeners: [],
      rack: null,
      previousEpoch: null,
      lossless: false,
      features: speaks(1, 1),
      release: '0.0.1',
    }
    await store.txn([], [{ put: keys.alive(7), value: codecs.alive.encode(alive) }])
    await world.sleep(2000)
    assert.equal(image.broker(7)!.admitted, false)
    const spoken = codecs.alive.encode({ ...alive, features: speaks(1, 2) })
    await store.txn([], [{ put: keys.alive(8), value: spoken }])
    await world.sleep(2000)
    assert.equal(image.broker(8)!.admitted, true)
    first.abandon()
  }))

test('levels are not lowered, and what is no level of ours is refused', () => {
  const cluster = {
    value: { clusterId: 'c', formatVersion: 1, features: founded(speaks(1, 2), '1') },
    createRevision: 1n,
    modRevision: 1n,
    lease: 0n,
  }
  const image = { cluster, knownBrokers: () => [] } as unknown as Image
  const update = (feature: string, to: number, kind: 'upgrade' | 'safe-downgrade' = 'upgrade') =>
    updateFeatures(image, [{ feature, level: to, kind }], speaks(1, 3)).steps.length
  const refused = { error: 'INVALID_UPDATE_VERSION' }
  assert.equal(update(formatFeature, 3), 1)
  assert.equal(update(formatFeature, 2), 0)
  assert.throws(() => update(formatFeature, 1, 'safe-downgrade'), refused)
  assert.throws(() => update(formatFeature, 3, 'safe-downgrade'), refused)
  assert.throws(() => update(formatFeature, 4), refused)
  assert.throws(() => update(formatFeature, -1), refused)
  assert.throws(() => update('other', 1), refused)
})
