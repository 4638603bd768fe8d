import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Op } from '../io/io.ts'
import { simulated, type World } from '../sim/world.ts'
import { Image, type ImageChange } from './image.ts'
import { ImageFeed } from './image-feed.ts'
import { codecs, keys } from './keys.ts'

const name = (topicId: string, topic: string): Op => ({
  put: keys.byName(topic),
  value: codecs.byName.encode({ topicId }),
})
const info = (topicId: string, topic: string, partitionCount: number): Op => ({
  put: keys.info(topicId),
  value: codecs.info.encode({ name: topic, partitionCount, createdMs: 0 }),
})
const partition = (topicId: string, index: number, leaderEpoch = 0): Op => ({
  put: keys.partition(topicId, index),
  value: codecs.partition.encode({
    leader: [1, 5n],
    leaderEpoch,
    partitionEpoch: 0,
    minIsr: 1,
    replicas: [1],
    isr: [[1, 5n]],
    elr: [],
    lastKnown: [],
    adding: [],
    removing: [],
  }),
})

interface Fed {
  readonly image: Image
  readonly feed: ImageFeed
  readonly changes: ImageChange[]
  /** Resolves to its revision when the image shows it. */
  write(...ops: Op[]): Promise<bigint>
}

function fed(scenario: (fed: Fed, world: World) => Promise<void>): Promise<void> {
  return simulated().run(async world => {
    const io = world.io()
    const image = new Image(io.report)
    const feed = new ImageFeed(io, world.store(), image)
    const changes: ImageChange[] = []
    await feed.start()
    image.subscribe(change => changes.push(change))
    const write = async (...ops: Op[]) => {
      const { revision } = await world.store('writer').txn([], ops)
      await feed.reached(revision)
      return revision
    }
    await scenario({ image, feed, changes, write }, world)
    feed.close()
  })
}

test('a topic shows when its name does, and its partitions as they change', () =>
  fed(async ({ image, changes, write }) => {
    await write(info('id', 't', 2), partition('id', 0))
    await write(partition('id', 1))
    assert.equal(image.topicById('id'), undefined)
    assert.deepEqual([...image.unnamedTopics()], ['id'])
    await write(name('id', 't'))
    const topic = image.topicByName('t')!
    assert.equal(topic, image.topicById('id'))
    assert.equal(topic.partitions.length, 2)
    await write(partition('id', 1, 3))
    assert.equal(topic.partitions[1]!.leaderEpoch, 3)
    assert.deepEqual([...changes.at(-1)!.topics], ['id'])
    await write({ delete: { prefix: keys.topic('id') } }, { delete: { key: keys.byName('t') } })
    assert.equal(image.topicByName('t'), undefined)
    assert.equal(image.partitionCount, 0)
    assert.deepEqual([...image.unnamedTopics()], [])
  }))

test('a revision is applied as a whole: one change for all its keys', () =>
  fed(async ({ image, changes, write }) => {
    const revision = await write(info('id', 't', 1), partition('id', 0), name('id', 't'), {
      put: keys.configs('topic', 't'),
      value: codecs.configs.encode({ entries: new Map() }),
    })
    assert.equal(changes.length, 1)
    assert.deepEqual(changes[0], {
      revision,
      topics: new Set(['id']),
      brokers: new Set(),
      configs: new Set(['topic/t']),
      controller: false,
    })
    assert.equal(image.revision, revision)
  }))

test('after compacted history the image is read again, and what vanished meanwhile is gone', () =>
  fed(async ({ image, feed, changes, write }, world) => {
    await write(info('old', 't', 1), partition('old', 0), name('old', 't'))
    await write(info('kept', 'k', 1), partition('kept', 0), name('kept', 'k'))
    const kept = image.topicByName('k')
    // While no watch is open the topic is made anew, and history is cut behind it.
    const store = world.store('writer')
    world.metadata.breakWatches()
    await store.txn([], [{ delete: { prefix: keys.topic('old') } }])
    const { revision } = await store.txn(
      [],
      [info('new', 't', 2), partition('new', 0), partition('new', 1), name('new', 't')],
    )
    world.metadata.model.compact(revision)
    await feed.reached(revision)
    assert.equal(image.topicByName('t')!.topicId, 'new')
    assert.equal(image.topicById('old'), undefined)
    assert.equal(image.topicByName('k'), kept)
    assert.equal(image.partitionCount, 3)
    assert.deepEqual([...changes.at(-1)!.topics].sort(), ['new', 'old'])
  }))

test('a broken watch goes on after the last revision applied: nothing is missing or twice', () =>
  fed(async ({ image, changes, write }, world) => {
    const revisions: bigint[] = []
    for (let i = 0; i < 10; i++) {
      if (i % 3 === 0) world.metadata.breakWatches()
      revisions.push(await write(info('id', `t${i}`, 1)))
    }
    assert.deepEqual(
      changes.map(({ revision }) => revision),
      revisions,
    )
    assert.equal(image.topicInfo('id')!.value.name, 't9')
  }))

test('an unreadable value leaves what was there before, and is told', () =>
  fed(async ({ image, write }, world) => {
    await write(info('id', 't', 1), partition('id', 0), name('id', 't'))
    await write({ put: keys.partition('id', 0), value: new Uint8Array([1]) })
    assert.equal(image.topicByName('t')!.partitions.length, 1)
    assert.ok(world.reported.some(({ message }) => message.includes('ignored a value')))
  }))

test('who waits for a revision that does not come is told at the deadline', () =>
  fed(async ({ feed, image }, world) => {
    const deadlineMs = world.io().clock.monotonicMs() + 500
    await assert.rejects(feed.reached(image.revision + 1n, deadlineMs), {
      error: 'REQUEST_TIMED_OUT',
    })
  }))
