/** A consumer by librdkafka (@confluentinc/kafka-javascript) with its defaults: node librdkafka.mjs BOOTSTRAP TOPIC GROUP. What it says: see program.ts. */
import confluent from '@confluentinc/kafka-javascript'

const firstLineMs = Date.now()
const [bootstrap, topic, groupId] = process.argv.slice(2)
const say = said => process.stdout.write(`${JSON.stringify({ pid: process.pid, ...said })}\n`)
say({ originMs: performance.timeOrigin, firstLineMs })

const kafka = new confluent.KafkaJS.Kafka({
  kafkaJS: {
    clientId: 'restart',
    brokers: [bootstrap],
    logLevel: confluent.KafkaJS.logLevel.ERROR,
  },
})
const consumer = kafka.consumer({ kafkaJS: { groupId } })
if (process.env.STOP === 'clean') {
  process.once('SIGTERM', async () => {
    await consumer.disconnect()
    process.exit()
  })
}
await consumer.connect()
await consumer.subscribe({ topic })
await consumer.run({
  eachMessage: async ({ partition, message }) => {
    say({ partition, sentMs: Number(message.timestamp), handledMs: Date.now() })
  },
})
