/** @confluentinc/kafka-javascript, on librdkafka, by the interface that it recommends: see child.mjs. */
import { createRequire } from 'node:module'

const require = createRequire(`${process.env.CLIENTS}/`)
const {
  KafkaJS: { Kafka, logLevel },
} = require('@confluentinc/kafka-javascript')

let kafka
const kafkaAt = bootstrap =>
  (kafka ??= new Kafka({ kafkaJS: { brokers: [bootstrap], logLevel: logLevel.ERROR } }))

export async function producer({ bootstrap, oneByOne }) {
  // Its guide asks for no linger where each send is awaited.
  const producer = kafkaAt(bootstrap).producer(oneByOne ? { 'linger.ms': 0 } : {})
  await producer.connect()
  return {
    sendOne: (topic, value) => producer.send({ topic, messages: [{ value }] }),
    sendMany: (topic, values) =>
      producer.send({ topic, messages: values.map(value => ({ value })) }),
    close: () => producer.disconnect(),
  }
}

export async function consumer({ bootstrap, topic, groupId, way, onMessages }) {
  const consumer = kafkaAt(bootstrap).consumer({
    kafkaJS: { groupId, fromBeginning: true },
    // Its batches have 32 messages otherwise.
    'js.consumer.max.batch.size': -1,
  })
  await consumer.connect()
  await consumer.subscribe({ topic })
  await consumer.run(
    way === 'batches'
      ? { eachBatch: async ({ batch }) => onMessages(batch.messages.length) }
      : { eachMessage: async () => onMessages(1) },
  )
  return { close: () => consumer.disconnect() }
}
