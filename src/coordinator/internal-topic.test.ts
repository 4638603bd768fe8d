import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NewTopic } from '../cluster/admin.ts'
import { KafkaError } from '../protocol/errors.ts'
import { ClusterNode } from '../sim/cluster-node.ts'
import { simulated, type World } from '../sim/world.ts'
import { InternalTopic } from './internal-topic.ts'

interface Scene {
  readonly node: ClusterNode
  readonly topic: InternalTopic
  /** What the controller was asked for. */
  readonly asked: NewTopic[]
  /** What the controller refuses with. */
  refusal: KafkaError | undefined
  /** When the partitions are open. */
  opening: Promise<void>
  deadlineMs(delayMs: number): number
}

function onNode(scenario: (scene: Scene, world: World) => Promise<void>): Promise<void> {
  return simulated().run(async world => {
    const node = await new ClusterNode(world, { brokerId: 1 }).start()
    const asked: NewTopic[] = []
    const maker: ConstructorParameters<typeof InternalTopic>[2] = {
      async createTopics(topics, options) {
        asked.push(...topics)
        if (scene.refusal !== undefined) return [{ name: 'own', error: scene.refusal }]
        return node.controller.createTopics(topics, options)
      },
    }
    const topic = new InternalTopic(node.io, node.image, maker, {
      name: '__consumer_offsets',
      settled: () => scene.opening,
      spec: () => ({
        partitionCount: 5,
        replicationFactor: 1,
        configs: new Map([['cleanup.policy', 'compact']]),
      }),
    })
    const scene: Scene = {
      node,
      topic,
      asked,
      refusal: undefined,
      opening: Promise.resolve(),
      deadlineMs: delayMs => node.io.clock.monotonicMs() + delayMs,
    }
    await scenario(scene, world)
    await node.stop()
  })
}

test('who needs it first makes it', () =>
  onNode(async ({ topic, node, deadlineMs }) => {
    assert.equal(topic.known, undefined)
    const made = await topic.ready(deadlineMs(5000))
    assert.equal(made.partitions.length, 5)
    assert.deepEqual(made.partitions[0]!.replicas, [1])
    assert.equal(made.internal, true)
    const configs = node.image.configs('topic', '__consumer_offsets')
    assert.equal(configs.get('cleanup.policy'), 'compact')
    assert.equal(topic.known, made)
  }))

test('many who need it at once make it once', () =>
  onNode(async ({ topic, asked, deadlineMs }) => {
    const all = await Promise.all([1, 2, 3].map(() => topic.ready(deadlineMs(5000))))
    assert.equal(new Set(all).size, 1)
    await topic.ready(deadlineMs(5000))
    assert.equal(asked.length, 1)
  }))

test('one that a client made first is taken as it is', () =>
  onNode(async ({ topic, node, asked, deadlineMs }) => {
    const wanted = { name: topic.name, partitionCount: 2, replicationFactor: 1, configs: new Map() }
    await node.controller.createTopics([wanted], { deadlineMs: deadlineMs(5000) })
    assert.equal((await topic.ready(deadlineMs(5000))).partitions.length, 2)
    assert.equal(asked.length, 0)
  }))

test('who asks waits until its partitions are open, but not beyond the deadline', () =>
  onNode(async (scene, world) => {
    const opening = Promise.withResolvers<void>()
    scene.opening = opening.promise
    const startMs = world.nowMs
    await assert.rejects(scene.topic.ready(scene.deadlineMs(2000)), {
      error: 'COORDINATOR_NOT_AVAILABLE',
    })
    assert.ok(world.nowMs - startMs < 2100)
    const ready = scene.topic.ready(scene.deadlineMs(60_000))
    await world.sleep(100)
    opening.resolve()
    assert.equal((await ready).partitions.length, 5)
  }))

test('one that cannot be made is refused and reported, and tried again by the next', () =>
  onNode(async (scene, world) => {
    scene.refusal = new KafkaError('INVALID_CONFIG', 'no')
    await assert.rejects(scene.topic.ready(scene.deadlineMs(2000)), {
      error: 'COORDINATOR_NOT_AVAILABLE',
      message: '__consumer_offsets: no',
    })
    assert.match(world.reported.at(-1)!.message, /could not be made/)
    const { length } = world.reported
    await assert.rejects(scene.topic.ready(scene.deadlineMs(2000)))
    assert.equal(world.reported.length, length, 'not at every attempt')
    scene.refusal = undefined
    assert.equal((await scene.topic.ready(scene.deadlineMs(5000))).partitions.length, 5)
  }))
