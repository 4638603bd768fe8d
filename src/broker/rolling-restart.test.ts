import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Cluster } from '../client/cluster.ts'
import { Consumer } from '../client/consumer.ts'
import { Producer } from '../client/producer.ts'
import { createTopics } from '../client/topics.ts'
import { metadataRequest, metadataResponse } from '../protocol/messages/metadata.ts'
import { clientOf, hostOf, startBroker, startBrokers } from '../sim/several-brokers.ts'
import { simulated, type World } from '../sim/world.ts'
import type { Broker } from './broker.ts'

const topic = 'orders'
const bootstrap = [1, 2, 3].map(id => `${hostOf(id)}:9092`)

const properties = {
  'default.replication.factor': '3',
  'min.insync.replicas': '2',
  'offsets.topic.replication.factor': '3',
}

/** Sends every few milliseconds until told to stop; a refused call fails the test. */
async function produceAlong(world: World, isOver: () => boolean) {
  const producer = new Producer({ bootstrap, io: world.io('producer') })
  const sent: string[] = []
  let longestMs = 0
  while (!isOver()) {
    const startMs = world.nowMs
    const value = `${sent.length}`
    await producer.send({ topic, value, partition: sent.length % 6 })
    sent.push(value)
    longestMs = Math.max(longestMs, world.nowMs - startMs)
    await world.sleep(5)
  }
  await producer.close()
  return { sent, longestMs }
}

/** A group of one member that reads along; answers what it got, in the end all of `expected()`. */
async function consumeAlong(world: World, expected: () => number | undefined): Promise<string[]> {
  const consumer = new Consumer({
    bootstrap,
    io: world.io('consumer'),
    groupId: 'readers',
    topics: topic,
    offsetReset: 'earliest',
  })
  const seen: string[] = []
  for await (const message of consumer) {
    seen.push(Buffer.from(message.value!).toString())
    const wanted = expected()
    if (wanted !== undefined && seen.length >= wanted) break
  }
  return seen
}

async function leadersOf(cluster: Cluster): Promise<number[]> {
  const { topics } = await cluster.call(metadataRequest, metadataResponse, {
    topics: [{ name: topic }],
    allowAutoTopicCreation: false,
  })
  return topics[0]!.partitions.map(({ leaderId }) => leaderId)
}

async function cluster3(world: World): Promise<{ brokers: Broker[]; cluster: Cluster }> {
  const brokers = await startBrokers(world, 3, properties)
  const cluster = clientOf(world, [1, 2, 3])
  await createTopics(cluster, [{ name: topic, partitions: 6 }])
  return { brokers, cluster }
}

test('a rolling restart fails no call and loses nothing, even when it does not wait', () =>
  simulated().run(async world => {
    const { brokers, cluster } = await cluster3(world)
    let isOver = false
    let total: number | undefined
    const producing = produceAlong(world, () => isOver)
    const consuming = consumeAlong(world, () => total)
    await world.sleep(2000)
    for (let round = 0; round < 2; round++) {
      for (const id of [1, 2, 3]) {
        await brokers[id - 1]!.close()
        brokers[id - 1] = await startBroker(world, id, properties)
      }
    }
    await world.sleep(500)
    isOver = true
    const { sent, longestMs } = await producing
    sent.push('last')
    total = sent.length
    const producer = new Producer({ bootstrap, io: world.io('producer') })
    await producer.send({ topic, value: 'last' })
    await producer.close()
    const seen = await consuming
    assert.deepEqual(new Set(seen), new Set(sent))
    assert.equal(seen.length, new Set(seen).size, 'twice')
    assert.ok(longestMs < 1000, `a call took ${longestMs} ms`)
    cluster.close()
    for (const broker of brokers) await broker.close()
  }))

test('a broker that stops hands its leaderships over while it still serves', () =>
  simulated().run(async world => {
    const { brokers, cluster } = await cluster3(world)
    assert.ok((await leadersOf(cluster)).includes(2))
    let isOver = false
    const producing = produceAlong(world, () => isOver)
    await world.sleep(1000)
    await brokers[1]!.close()
    assert.ok(!(await leadersOf(cluster)).includes(2))
    await world.sleep(1000)
    isOver = true
    const { longestMs } = await producing
    assert.ok(longestMs < 300, `a call took ${longestMs} ms`)
    cluster.close()
    await brokers[0]!.close()
    await brokers[2]!.close()
  }))

test('a broker that stops waits for one that has to catch up before it can take its place', () =>
  simulated().run(async world => {
    const { brokers, cluster } = await cluster3(world)
    let isOver = false
    const producing = produceAlong(world, () => isOver)
    await world.sleep(1000)
    await brokers[1]!.close()
    // It is back, and cannot copy yet.
    for (const other of [1, 3]) world.network.cut(hostOf(2), hostOf(other))
    brokers[1] = await startBroker(world, 2, properties)
    await world.sleep(1000)
    const startMs = world.nowMs
    const closing = brokers[0]!.close().then(() => world.nowMs - startMs)
    await world.sleep(4000)
    world.network.heal()
    const tookMs = await closing
    assert.ok(tookMs > 4000 && tookMs < 20_000, `the stop took ${tookMs} ms`)
    await world.sleep(500)
    isOver = true
    const { longestMs } = await producing
    assert.ok(longestMs < 1000, `a call took ${longestMs} ms`)
    cluster.close()
    await brokers[1]!.close()
    await brokers[2]!.close()
  }))

test('a stop while the store is out of reach takes a few seconds, says why, and is clean', () =>
  simulated().run(async world => {
    const { brokers, cluster } = await cluster3(world)
    await produceSome(world)
    world.metadata.cutOff(hostOf(2))
    await world.sleep(1000)
    const startMs = world.nowMs
    await brokers[1]!.close()
    const tookMs = world.nowMs - startMs
    assert.ok(tookMs < 8000, `${tookMs} ms`)
    const told = world.reported.filter(({ message }) => /before others have taken/.test(message))
    assert.equal(told.length, 1)
    assert.match(JSON.stringify(told[0]!.fields), /the metadata store is out of reach/)
    const isClean = await world.io(hostOf(2)).disk.stat('/data/.kafka_cleanshutdown')
    assert.notEqual(isClean, undefined)
    await cluster.close()
    for (const broker of [brokers[2]!, brokers[0]!]) await broker.close()
  }))

async function produceSome(world: World): Promise<void> {
  const producer = new Producer({ bootstrap, io: world.io('producer') })
  for (let n = 0; n < 20; n++) await producer.send({ topic, value: `${n}`, partition: n % 6 })
  await producer.close()
}
