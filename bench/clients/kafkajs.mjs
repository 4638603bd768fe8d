/** kafkajs: see child.mjs. */
import { createRequire } from 'node:module'

const require = createRequire(`${process.env.CLIENTS}/`)
const { Kafka, Partitioners, logLevel } = require('kafkajs')

let kafka
const kafkaAt = bootstrap =>
  (kafka ??= new Kafka({ brokers: [bootstrap], logLevel: logLevel.ERROR }))

export async function producer({ bootstrap }) {
  const producer = kafkaAt(bootstrap).producer({
    createPartitioner: Partitioners.DefaultPartitioner,
  })
  await producer.connect()
  return {
    sendOne: (topic, value) => producer.send({ topic, messages: [{ value }] }),
    sendMany: (topic, values) =>
      producer.send({ topic, messages: values.map(value => ({ value })) }),
    close: () => producer.disconnect(),
  }
}

export async function consumer({ bootstrap, topic, groupId, way, onMessages }) {
  const consumer = kafkaAt(bootstrap).consumer({ groupId })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run(
    way === 'batches'
      ? { eachBatch: async ({ batch }) => onMessages(batch.messages.length) }
      : { eachMessage: async () => onMessages(1) },
  )
  return { close: () => consumer.disconnect() }
}
