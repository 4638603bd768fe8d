/** What members of a group have to do, together and one after the other. */
import assert from 'node:assert/strict'
import type { AssignorName, Consumer, ConsumerSettings } from '../../src/index.ts'
import { type Case, errorOf, type Scene, take, until } from './suite.ts'

type Member = Consumer<Buffer | null, string>

const at = (topic: string, partition = 0) => ({ topic, partition })
const numbers = (member: Member) => member.assignment().map(({ partition }) => partition)
const sorted = (values: readonly number[]) => values.toSorted((a, b) => a - b)
const range = (count: number) => Array.from({ length: count }, (_, n) => n)

/** A member that reads in the background; `seen` is 'partition@offset' in order. */
function start(scene: Scene, options: Partial<ConsumerSettings<Buffer | null, string>>) {
  const seen: string[] = []
  const consumer = scene.consumer(options)
  const running = consumer.run({
    each: ({ partition, offset }) => void seen.push(`${partition}@${offset}`),
  })
  running.catch(() => {}) // Whoever waits for it hears of it.
  return { consumer, seen, running }
}

/** Their partitions are all, and each has as many as here, whoever it is. */
async function shared(members: readonly Member[], all: number, shares: readonly number[]) {
  const isSo = () =>
    members.flatMap(numbers).length === all &&
    sorted(members.map(each => numbers(each).length)).join() === sorted(shares).join()
  await until(
    `shares of ${shares} (now ${members.map(each => `[${numbers(each)}]`).join(' ')})`,
    isSo,
  )
  assert.deepEqual(sorted(members.flatMap(numbers)), range(all))
}

async function manual(scene: Scene) {
  const topic = await scene.topic(2)
  await scene.fill(topic, 2, 10)
  const groupId = scene.name('group')
  const options = { topics: topic, groupId, commit: 'manual' } as const
  const first = scene.consumer(options)
  for await (const message of first) {
    if (message.partition === 0 && message.offset === 3) await first.commit(message)
    if (message.partition === 1 && message.offset === 6) {
      await first.commit({ ...at(topic, 1), offset: 5, metadata: 'five' })
    }
    if (first.metrics().messages === 20) break
  }
  const second = scene.consumer(options)
  const starts = new Map<number, number>()
  for await (const { partition, offset } of second) {
    if (!starts.has(partition)) starts.set(partition, offset)
    if (starts.size < 2) continue
    const committed = await second.committed([at(topic, 0), at(topic, 1)])
    const plain = committed.map(each => [each.partition, each.offset, each.metadata])
    assert.deepEqual(
      plain.toSorted(([a], [b]) => Number(a) - Number(b)),
      [
        [0, 4, ''],
        [1, 5, 'five'],
      ],
    )
    break
  }
  assert.deepEqual([starts.get(0), starts.get(1)], [4, 5])
  const noGroup = scene.consumer({ topics: topic })
  return await errorOf(() => noGroup.commit({ ...at(topic), offset: 1 }))
}

async function automatic(scene: Scene) {
  const topic = await scene.topic()
  await scene.fill(topic, 1, 10)
  const groupId = scene.name('group')
  const options = { topics: topic, groupId }
  // The message in hands when the loop is left is not finished.
  const first = await take(scene.consumer(options), 4)
  const second = await take(scene.consumer({ ...options, autoCommitMs: 50 }), 2)
  assert.deepEqual([first.at(-1)!.offset, second[0]!.offset], [3, 3])
  const third = scene.consumer({ ...options, autoCommitMs: 50 })
  const seen: number[] = []
  for await (const { offset } of third) {
    seen.push(offset)
    if (offset < 9) continue
    // By the time alone, with 9 still in hands.
    await until('it has committed', async () => {
      const [committed] = await third.committed()
      return committed?.offset === 9
    })
    break
  }
  assert.deepEqual(seen, [4, 5, 6, 7, 8, 9])
  return seen
}

async function byBatch(scene: Scene) {
  const topic = await scene.topic()
  await scene.fill(topic, 1, 10)
  const options = { topics: topic, groupId: scene.name('group'), maxBatchMessages: 4 }
  const consumer = scene.consumer({ ...options, commit: 'batch' })
  const sizes: number[] = []
  for await (const { messages } of consumer.batches()) {
    const [committed] = await consumer.committed()
    assert.equal(committed?.offset ?? 0, messages[0]!.offset, 'what came before is committed')
    sizes.push(messages.length)
    if (messages.at(-1)!.offset === 9) break
  }
  const byHand = scene.consumer({ ...options, commit: 'manual' })
  for await (const batch of byHand.batches()) {
    assert.equal(batch.messages[0]!.offset, 8)
    await batch.commit()
    const [committed] = await byHand.committed()
    assert.equal(committed!.offset, 10)
    break
  }
  return sizes
}

/** Two members, then three, then two again: partitions are shared, every message is handled once. */
function rebalances(assignor: AssignorName) {
  return async (scene: Scene) => {
    const topic = await scene.topic(6)
    const options = {
      topics: topic,
      groupId: scene.name('group'),
      assignors: [assignor],
      autoCommitMs: 100,
    }
    const members = [start(scene, options)]
    const consumers = () => members.map(({ consumer }) => consumer)
    await shared(consumers(), 6, [6])
    await scene.fill(topic, 6, 5)
    members.push(start(scene, options))
    await shared(consumers(), 6, [3, 3])
    await scene.fill(topic, 6, 5, 5)
    members.push(start(scene, options))
    await shared(consumers(), 6, [2, 2, 2])
    await scene.fill(topic, 6, 5, 10)
    const seen = () => members.flatMap(each => each.seen)
    await until('all is read', () => seen().length >= 90)
    const [gone] = members
    await gone!.consumer.close()
    await gone!.running
    await shared(
      consumers().filter(each => each !== gone!.consumer),
      6,
      [3, 3],
    )
    await scene.fill(topic, 6, 5, 15)
    await until('all is read', () => seen().length >= 120)
    assert.equal(seen().length, 120)
    assert.equal(new Set(seen()).size, 120)
    for (const { seen } of members) {
      for (const partition of range(6)) {
        const mine = seen.filter(each => each.startsWith(`${partition}@`))
        const offsets = mine.map(each => Number(each.split('@')[1]))
        assert.deepEqual(offsets, sorted(offsets))
      }
    }
    return seen().length
  }
}

async function stays(scene: Scene) {
  const topic = await scene.topic(4)
  const revoked: string[] = []
  const options = (name: string) => ({
    topics: topic,
    groupId,
    assignors: ['cooperative-sticky'] as const,
    onRevoked: (partitions: readonly { partition: number }[]) =>
      void revoked.push(`${name} ${partitions.length}`),
  })
  const groupId = scene.name('group')
  const first = start(scene, options('first'))
  await shared([first.consumer], 4, [4])
  const second = start(scene, options('second'))
  await shared([first.consumer, second.consumer], 4, [2, 2])
  assert.deepEqual(revoked, ['first 2'])
  return revoked
}

async function finishesBefore(scene: Scene) {
  const topic = await scene.topic(2)
  await scene.fill(topic, 2, 3)
  const groupId = scene.name('group')
  const events: string[] = []
  const first = scene.consumer({
    topics: topic,
    groupId,
    commit: 'manual',
    async onRevoked(partitions) {
      events.push('revoking')
      if (partitions.length === 2) await first.commit()
      events.push('revoked')
    },
  })
  const running = first.run({
    async each({ offset }) {
      if (offset !== 2 || events.length > 0) return
      events.push('working')
      await until('the other member wants its share', () => isJoining)
      await new Promise(resolve => setTimeout(resolve, 700))
      events.push('worked')
    },
  })
  let isJoining = false
  await until('it works', () => events.length > 0)
  const second = start(scene, { topics: topic, groupId, commit: 'manual' })
  isJoining = true
  await until('it is shared', () => numbers(second.consumer).length === 1)
  assert.deepEqual(events.slice(0, 4), ['working', 'worked', 'revoking', 'revoked'])
  await first.close()
  await running
  return events.slice(0, 4)
}

async function staticMember(scene: Scene) {
  const topic = await scene.topic(4)
  const groupId = scene.name('group')
  const events: string[] = []
  const options = (name: string) => ({
    topics: topic,
    groupId,
    groupInstanceId: name,
    onRevoked: () => void events.push(name),
  })
  const stayer = start(scene, options('stays'))
  const leaver = start(scene, options('leaves'))
  await shared([stayer.consumer, leaver.consumer], 4, [2, 2])
  const before = numbers(stayer.consumer)
  events.length = 0
  await leaver.consumer.close()
  const again = start(scene, options('leaves'))
  await shared([stayer.consumer, again.consumer], 4, [2, 2])
  assert.deepEqual(numbers(stayer.consumer), before)
  assert.ok(!events.includes('stays'), 'the other member was not disturbed')
  const twin = start(scene, options('leaves'))
  const fenced = await errorOf(() => again.running)
  assert.equal(fenced, 'KafkaError FENCED_INSTANCE_ID')
  await shared([stayer.consumer, twin.consumer], 4, [2, 2])
  return fenced
}

async function heartbeatsWhileHeld(scene: Scene) {
  const topic = await scene.topic(1)
  await scene.fill(topic, 1, 2)
  const groupId = scene.name('group')
  const lost: number[] = []
  const consumer = scene.consumer({
    topics: topic,
    groupId,
    sessionTimeoutMs: 6000,
    onLost: partitions => void lost.push(partitions.length),
  })
  const seen: number[] = []
  for await (const { offset } of consumer) {
    seen.push(offset)
    if (offset === 0) await new Promise(resolve => setTimeout(resolve, 7000))
    else break
  }
  assert.deepEqual([seen, lost], [[0, 1], []])
  return seen
}

async function anyMember(scene: Scene) {
  const topic = await scene.topic(2)
  const groupId = scene.name('group')
  const first = start(scene, { topics: topic, groupId, assignors: ['range'] })
  await shared([first.consumer], 2, [2])
  const other = start(scene, { topics: topic, groupId, assignors: ['roundrobin'] })
  const refused = await errorOf(() => other.running)
  assert.equal(refused, 'KafkaError INCONSISTENT_GROUP_PROTOCOL')
  return refused
}

async function ofTwoTopics(scene: Scene) {
  const [a, b] = [await scene.topic(2), await scene.topic(3)]
  const groupId = scene.name('group')
  const both = start(scene, { topics: [a, b], groupId })
  const one = start(scene, { topics: b, groupId })
  await until('it is shared', () => {
    const mine = both.consumer.assignment()
    return mine.length + one.consumer.assignment().length === 5 && mine.length < 5
  })
  const topics = new Set(one.consumer.assignment().map(({ topic }) => topic))
  assert.deepEqual([...topics], [b])
  return both.consumer.assignment().filter(({ topic }) => topic === a).length
}

export const groupCases: readonly Case[] = [
  { name: 'manual commits are where the next member begins', run: manual },
  {
    name: 'what is finished is committed at the end and by time, not what is held',
    run: automatic,
  },
  { name: 'each batch is committed before the next one', run: byBatch },
  { name: 'range: members come and go, every message is handled once', run: rebalances('range') },
  {
    name: 'roundrobin: members come and go, every message is handled once',
    run: rebalances('roundrobin'),
  },
  { name: 'sticky: members come and go, every message is handled once', run: rebalances('sticky') },
  {
    name: 'cooperative-sticky: members come and go, every message is handled once',
    run: rebalances('cooperative-sticky'),
  },
  { name: 'cooperative-sticky: only what moves is revoked', run: stays },
  { name: 'work is finished and committed before partitions are revoked', run: finishesBefore },
  { name: 'a static member comes back to its partitions; its twin fences it', run: staticMember },
  { name: 'heartbeats go on while user code holds a message', run: heartbeatsWhileHeld },
  { name: 'a member that shares no assignor with the group is refused', run: anyMember },
  { name: 'members of different topics get only what they asked for', run: ofTwoTopics },
]
