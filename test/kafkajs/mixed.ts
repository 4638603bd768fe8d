/** One group with members of kafkajs and of ottla/kafkajs, as while a service moves over. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import kafkajs, { type Kafka, type PartitionAssigner } from 'kafkajs'
import ottla from '../../src/kafkajs.ts'
import { withBroker } from '../../src/testing.ts'

const { AssignerProtocol, PartitionAssigners } = kafkajs
const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

async function until(isTrue: () => boolean, what: string): Promise<void> {
  for (let turn = 0; turn < 400; turn++) {
    if (isTrue()) return
    await pause(50)
  }
  assert.fail(what)
}

/** As NestJS has one: what it writes says version 1, and is version 0. */
const named: PartitionAssigner = config => {
  const { assign } = PartitionAssigners.roundRobin(config)
  return {
    name: 'Named',
    version: 1,
    assign,
    protocol: ({ topics }) => ({
      name: 'Named',
      metadata: AssignerProtocol.MemberMetadata.encode({
        version: 1,
        topics,
        userData: Buffer.from('{}'),
      }),
    }),
  }
}

async function shares(partitionAssigners: PartitionAssigner[] | undefined) {
  await withBroker({ topics: { orders: { partitions: 6 } } }, async ({ bootstrap }) => {
    const options = { brokers: [bootstrap], logLevel: kafkajs.logLevel.NOTHING }
    const both = [new kafkajs.Kafka(options), new ottla.Kafka(options) as unknown as Kafka]
    const seen = new Map<string, number>()
    const owned: number[] = []
    const join = async (kafka: Kafka, index: number) => {
      const consumer = kafka.consumer({
        groupId: 'moving',
        heartbeatInterval: 200,
        maxWaitTimeInMs: 100,
        ...(partitionAssigners ? { partitionAssigners } : {}),
      })
      consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
        owned[index] = payload.memberAssignment['orders']?.length ?? 0
      })
      await consumer.connect()
      await consumer.subscribe({ topics: ['orders'], fromBeginning: true })
      await consumer.run({
        eachMessage: async ({ message }) => {
          seen.set(`${message.value}`, (seen.get(`${message.value}`) ?? 0) + 1)
        },
      })
      return consumer
    }
    const consumers = [await join(both[0]!, 0)]
    consumers.push(await join(both[1]!, 1))
    await until(() => owned.join() === '3,3', `they share 3 and 3, not ${owned}`)
    const producer = both[1]!.producer()
    await producer.connect()
    const send = (from: number) =>
      producer.send({
        topic: 'orders',
        messages: Array.from({ length: 60 }, (_, at) => ({ value: `${from + at}` })),
      })
    await send(0)
    await until(() => seen.size === 60, 'every message is seen')
    await consumers[0]!.disconnect()
    await until(() => owned[1] === 6, 'the one that is left has all')
    await send(60)
    await until(() => seen.size === 120, 'every message is seen by the one that is left')
    consumers[0] = await join(both[0]!, 0)
    await until(() => owned.join() === '3,3', 'kafkajs comes back')
    await send(120)
    await until(() => seen.size === 180, 'every message is seen again')
    assert.deepEqual(
      [...seen.values()].filter(count => count !== 1),
      [],
    )
    await Promise.all(consumers.map(consumer => consumer.disconnect()))
    await producer.disconnect()
  })
}

test('kafkajs and ottla/kafkajs share a group, whoever leads it', () => shares(undefined))

test('they share it by an assigner of their own, as NestJS does', () => shares([named]))
