/** ottla/kafkajs against a broker in memory; test/kafkajs compares it with kafkajs itself. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Broker } from '../broker/broker.ts'
import { type BrokerOptions, withBroker } from '../testing.ts'
import { AssignerProtocol, type PartitionAssigner } from './assigners.ts'
import { ConfigResourceTypes, logLevel } from './constants.ts'
import type { Consumer, ConsumerConfig } from './consumer-types.ts'
import {
  type KafkaJSAggregateError,
  KafkaJSNonRetriableError,
  KafkaJSNotImplemented,
  type KafkaJSProtocolError,
} from './errors.ts'
import { Kafka } from './kafka.ts'

const quiet = { logLevel: logLevel.NOTHING, retry: { initialRetryTime: 10, retries: 2 } }
const quick = { maxWaitTimeInMs: 50, heartbeatInterval: 50, sessionTimeout: 6_000 }
const group = (config: Partial<ConsumerConfig> = {}) => ({ groupId: 'g', ...quick, ...config })

async function withKafka(
  topics: BrokerOptions['topics'],
  work: (kafka: Kafka, broker: Broker) => Promise<void>,
): Promise<void> {
  await withBroker({ topics: topics ?? {} }, broker =>
    work(new Kafka({ brokers: [broker.bootstrap], clientId: 'test', ...quiet }), broker),
  )
}

async function send(kafka: Kafka, topic: string, values: readonly string[], partition = 0) {
  const producer = kafka.producer()
  await producer.connect()
  const sent = await producer.send({ topic, messages: values.map(value => ({ value, partition })) })
  await producer.disconnect()
  return sent
}

async function committed(kafka: Kafka, topic: string, groupId = 'g') {
  const admin = kafka.admin()
  await admin.connect()
  const [found] = await admin.fetchOffsets({ groupId, topics: [topic] })
  await admin.disconnect()
  return found!.partitions.map(({ offset }) => offset)
}

const heard = (consumer: Consumer, event: 'CRASH' | 'GROUP_JOIN' | 'REBALANCING' | 'HEARTBEAT') =>
  // biome-ignore lint/suspicious/noExplicitAny: payloads of several events
  new Promise<any>(resolve => consumer.on(consumer.events[event], resolve))

/** Resolves when it was called so often. */
function times(count: number) {
  const { promise, resolve } = Promise.withResolvers<void>()
  let left = count
  return { done: promise, once: () => void (--left === 0 && resolve()) }
}

test('what is sent is read, and what was read is committed when it stops', async () => {
  await withKafka({ t: {} }, async kafka => {
    // Programs take methods off their objects.
    const { connect, send: sendIt, disconnect } = kafka.producer()
    await connect()
    await connect()
    const messages = [{ key: 'k', value: 'a', headers: { h: 'x' } }, { value: null }]
    const [sent] = await sendIt({ topic: 't', messages })
    assert.deepEqual([sent?.topicName, sent?.partition, sent?.baseOffset], ['t', 0, '0'])
    await disconnect()
    const consumer = kafka.consumer(group())
    const read: unknown[] = []
    const two = times(2)
    await consumer.connect()
    await consumer.subscribe({ topic: 't', fromBeginning: true })
    await consumer.run({
      eachMessage: async ({ message: { key, value, headers, offset } }) => {
        read.push([key?.toString(), value?.toString(), headers['h']?.toString(), offset])
        two.once()
      },
    })
    await two.done
    await consumer.disconnect()
    assert.deepEqual(read, [
      ['k', 'a', 'x', '0'],
      [undefined, undefined, undefined, '1'],
    ])
    assert.deepEqual(await committed(kafka, 't'), ['2'])
  })
})

test('a consumer that was disconnected connects and runs again', async () => {
  await withKafka({ t: {} }, async kafka => {
    const consumer = kafka.consumer(group())
    const read: string[] = []
    for (const value of ['a', 'b']) {
      const one = times(1)
      await send(kafka, 't', [value])
      await consumer.connect()
      await consumer.subscribe({ topics: ['t'], fromBeginning: true })
      await consumer.run({
        eachMessage: async ({ message }) => {
          read.push(`${message.value}`)
          one.once()
        },
      })
      await one.done
      await consumer.disconnect()
    }
    assert.deepEqual(read, ['a', 'b'])
  })
})

test('run resolves when it has joined, also without a partition, and tells of heartbeats', async () => {
  await withKafka({ t: {} }, async kafka => {
    const consumers = [kafka.consumer(group()), kafka.consumer(group())]
    const sizes: number[] = []
    for (const [index, consumer] of consumers.entries()) {
      consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
        sizes[index] = payload.memberAssignment['t']?.length ?? 0
        assert.equal(payload.groupProtocol, 'RoundRobinAssigner')
      })
      await consumer.connect()
      await consumer.subscribe({ topic: 't' })
      await consumer.run({ eachMessage: async () => {} })
    }
    assert.deepEqual(sizes.toSorted(), [0, 1])
    const beats = await Promise.all(consumers.map(consumer => heard(consumer, 'HEARTBEAT')))
    assert.equal(new Set(beats.map(({ payload }) => payload.memberId)).size, 2)
    const { members } = await consumers[0]!.describeGroup()
    assert.equal(members.length, 2)
    await Promise.all(consumers.map(consumer => consumer.disconnect()))
  })
})

test('a consumer without a subscription runs, and does nothing', async () => {
  await withKafka({}, async kafka => {
    const consumer = kafka.consumer(group())
    await consumer.connect()
    await consumer.run({ eachMessage: async () => {} })
    await assert.rejects(consumer.subscribe({ topic: 't' }), /stop it first/)
    await consumer.disconnect()
  })
})

test('what stop finds in hands is finished and committed, and nothing more is handed out', async () => {
  await withKafka({ t: {} }, async kafka => {
    await send(kafka, 't', ['a', 'b', 'c'])
    const consumer = kafka.consumer(group())
    const begun = times(1)
    const gate = Promise.withResolvers<void>()
    const read: string[] = []
    await consumer.connect()
    await consumer.subscribe({ topic: 't', fromBeginning: true })
    await consumer.run({
      eachMessage: async ({ message }) => {
        read.push(`${message.value}`)
        begun.once()
        await gate.promise
      },
    })
    await begun.done
    const stopping = consumer.stop()
    gate.resolve()
    await stopping
    await consumer.disconnect()
    assert.deepEqual(read, ['a'])
    assert.deepEqual(await committed(kafka, 't'), ['1'])
  })
})

test('heartbeat tells work that its partition goes; what is not resolved comes to the next member', async () => {
  await withKafka({ t: { partitions: 1 } }, async kafka => {
    await send(kafka, 't', ['a', 'b', 'c'])
    // Who says 2 takes all, so that the second one takes over.
    const by =
      (said: string): PartitionAssigner =>
      ({ cluster }) => ({
        name: 'last',
        version: 0,
        assign: async ({ members }) => {
          const taker = members.find(({ memberMetadata }) =>
            AssignerProtocol.MemberMetadata.decode(memberMetadata)!.userData.equals(
              Buffer.from('2'),
            ),
          )
          const partitions = cluster.findTopicPartitionMetadata('t').map(each => each.partitionId)
          const { memberId } = taker ?? members[0]!
          const assignment = { t: partitions }
          const memberAssignment = AssignerProtocol.MemberAssignment.encode({
            version: 0,
            assignment,
          })
          return [{ memberId, memberAssignment }]
        },
        protocol: ({ topics }) => ({
          name: 'last',
          metadata: AssignerProtocol.MemberMetadata.encode({
            version: 0,
            topics,
            userData: Buffer.from(said),
          }),
        }),
      })
    const first = kafka.consumer(group({ partitionAssigners: [by('1')] }))
    const refused = Promise.withResolvers<KafkaJSProtocolError>()
    const begun = times(1)
    await first.connect()
    await first.subscribe({ topic: 't', fromBeginning: true })
    await first.run({
      eachBatch: async ({ batch, resolveOffset, heartbeat, isRunning }) => {
        resolveOffset(batch.firstOffset()!)
        begun.once()
        try {
          while (isRunning()) await heartbeat()
        } catch (error) {
          refused.resolve(error as KafkaJSProtocolError)
          throw error
        }
      },
    })
    await begun.done
    const second = kafka.consumer(group({ partitionAssigners: [by('2')] }))
    const read: string[] = []
    const two = times(2)
    await second.connect()
    await second.subscribe({ topic: 't', fromBeginning: true })
    await second.run({
      eachMessage: async ({ message }) => {
        read.push(`${message.value}`)
        two.once()
      },
    })
    assert.equal((await refused.promise).type, 'REBALANCE_IN_PROGRESS')
    await two.done
    assert.deepEqual(read, ['b', 'c'])
    await Promise.all([first.disconnect(), second.disconnect()])
  })
})

test('after too many failures it crashes, and starts again where it was', async () => {
  await withKafka({ t: {} }, async kafka => {
    await send(kafka, 't', ['a', 'b'])
    const consumer = kafka.consumer(group({ retry: { initialRetryTime: 5, retries: 1 } }))
    const calls: string[] = []
    const read = times(1)
    const crash = heard(consumer, 'CRASH')
    await consumer.connect()
    await consumer.subscribe({ topic: 't', fromBeginning: true })
    await consumer.run({
      eachMessage: async ({ message }) => {
        calls.push(`${message.value}`)
        if (`${message.value}` !== 'b') return
        if (calls.length < 4) throw new Error('not yet')
        read.once()
      },
    })
    const { payload } = await crash
    assert.equal(payload.restart, true)
    assert.equal(payload.error.name, 'KafkaJSNumberOfRetriesExceeded')
    assert.equal(payload.error.cause.message, 'not yet')
    await read.done
    assert.deepEqual(calls, ['a', 'b', 'b', 'b'])
    await consumer.disconnect()
  })
})

test('a consumer that crashed is not started again after disconnect', async () => {
  await withKafka({ t: {} }, async kafka => {
    await send(kafka, 't', ['a'])
    const asked = Promise.withResolvers<void>()
    const answer = Promise.withResolvers<boolean>()
    const restartOnFailure = () => {
      asked.resolve()
      return answer.promise
    }
    const retry = { initialRetryTime: 5, retries: 0, restartOnFailure }
    const consumer = kafka.consumer(group({ retry }))
    const crash = heard(consumer, 'CRASH')
    let calls = 0
    await consumer.connect()
    await consumer.subscribe({ topic: 't', fromBeginning: true })
    await consumer.run({
      eachMessage: async () => {
        calls++
        throw new Error('never')
      },
    })
    await asked.promise
    await consumer.disconnect()
    answer.resolve(true)
    assert.equal((await crash).payload.restart, true)
    assert.equal(calls, 1)
  })
})

test('topics begin where each was subscribed to, and what is sent after run is read', async () => {
  await withKafka({ old: {}, fresh: {} }, async kafka => {
    await send(kafka, 'old', ['old'])
    await send(kafka, 'fresh', ['passed over'])
    const consumer = kafka.consumer(group())
    const read: string[] = []
    const two = times(2)
    await consumer.connect()
    await consumer.subscribe({ topic: 'old', fromBeginning: true })
    await consumer.subscribe({ topics: [/^fresh$/] })
    await consumer.run({
      eachMessage: async ({ message }) => {
        read.push(`${message.value}`)
        two.once()
      },
    })
    await send(kafka, 'fresh', ['new'])
    await two.done
    assert.deepEqual(read.toSorted(), ['new', 'old'])
    await consumer.disconnect()
  })
})

test('subscribing creates a topic, unless that is not allowed', async () => {
  await withKafka({}, async kafka => {
    const consumer = kafka.consumer(group())
    await consumer.connect()
    await consumer.subscribe({ topic: 'made' })
    const admin = kafka.admin()
    assert.deepEqual(await admin.listTopics(), ['made'])
    await admin.disconnect()
    await consumer.disconnect()
    const strict = kafka.consumer(group({ allowAutoTopicCreation: false }))
    await strict.connect()
    await assert.rejects(strict.subscribe({ topic: 'other' }), {
      type: 'UNKNOWN_TOPIC_OR_PARTITION',
    })
    await strict.disconnect()
    const producer = kafka.producer({ allowAutoTopicCreation: false })
    await producer.connect()
    const sending = producer.send({ topic: 'other', messages: [{ value: 'x' }] })
    await assert.rejects(sending, { type: 'UNKNOWN_TOPIC_OR_PARTITION' })
    await producer.disconnect()
  })
})

test('messages of topics that are assigned and not subscribed to are not handed out', async () => {
  await withKafka({ mine: {}, theirs: {} }, async kafka => {
    await send(kafka, 'theirs', ['not mine'])
    await send(kafka, 'mine', ['mine'])
    const all: PartitionAssigner = () => ({
      name: 'all',
      version: 0,
      assign: async ({ members }) => {
        const assignment = { mine: [0], theirs: [0] }
        const memberAssignment = AssignerProtocol.MemberAssignment.encode({
          version: 0,
          assignment,
        })
        return members.map(({ memberId }) => ({ memberId, memberAssignment }))
      },
      protocol: ({ topics }) => ({
        name: 'all',
        metadata: AssignerProtocol.MemberMetadata.encode({ version: 0, topics }),
      }),
    })
    const consumer = kafka.consumer(group({ partitionAssigners: [all] }))
    const told = Promise.withResolvers<string[]>()
    consumer.on(consumer.events.RECEIVED_UNSUBSCRIBED_TOPICS, ({ payload }) => {
      told.resolve(payload.topicsNotSubscribed)
    })
    const read: string[] = []
    const two = times(2)
    await consumer.connect()
    await consumer.subscribe({ topic: 'mine', fromBeginning: true })
    await consumer.run({
      eachMessage: async ({ message }) => {
        read.push(`${message.value}`)
        two.once()
      },
    })
    assert.deepEqual(await told.promise, ['theirs'])
    consumer.pause([{ topic: 'theirs' }])
    consumer.resume([{ topic: 'theirs' }])
    await send(kafka, 'mine', ['again'])
    await two.done
    assert.deepEqual(read, ['mine', 'again'])
    await consumer.disconnect()
  })
})

test('an admin refuses with the classes of kafkajs', async () => {
  await withKafka({ t: {} }, async kafka => {
    const admin = kafka.admin()
    await admin.connect()
    const topics = [{ topic: 't' }, { topic: 'bad!' }, { topic: 'u', numPartitions: 2 }]
    await assert.rejects(admin.createTopics({ topics }), (error: KafkaJSAggregateError) => {
      const types = error.errors.map(each => (each as KafkaJSProtocolError).type)
      assert.deepEqual(types, ['TOPIC_ALREADY_EXISTS', 'INVALID_TOPIC_EXCEPTION'])
      return error.name === 'KafkaJSAggregateError'
    })
    assert.equal(await admin.createTopics({ topics: [{ topic: 't' }] }), false)
    await assert.rejects(admin.createAcls({}), KafkaJSNotImplemented)
    await assert.rejects(admin.fetchOffsets({ groupId: '' }), KafkaJSNonRetriableError)
    assert.deepEqual(await admin.deleteGroups([]), [])
    await admin.disconnect()
  })
})

test('configs that are not named go back to their defaults', async () => {
  await withKafka(
    { t: { configs: { 'retention.ms': '1000000', 'segment.ms': '2000000' } } },
    async kafka => {
      const admin = kafka.admin()
      await admin.connect()
      const resource = { type: ConfigResourceTypes.TOPIC, name: 't' }
      const configEntries = [{ name: 'retention.ms', value: '3000000' }]
      await admin.alterConfigs({ resources: [{ ...resource, configEntries }] })
      const configNames = ['retention.ms', 'segment.ms']
      const { resources } = await admin.describeConfigs({
        resources: [{ ...resource, configNames }],
      })
      const found = resources[0]!.configEntries.map(each => [each.configName, each.isDefault])
      assert.deepEqual(Object.fromEntries(found), { 'retention.ms': false, 'segment.ms': true })
      await admin.disconnect()
    },
  )
})
