/** A consumer by kafkajs with its defaults: node kafkajs.mjs BOOTSTRAP TOPIC GROUP. What it says: see program.ts. */
import kafkajs from 'kafkajs'

const firstLineMs = Date.now()
const [bootstrap, topic, groupId] = process.argv.slice(2)
const say = said => process.stdout.write(`${JSON.stringify({ pid: process.pid, ...said })}\n`)
say({ originMs: performance.timeOrigin, firstLineMs })

const kafka = new kafkajs.Kafka({ clientId: 'restart', brokers: [bootstrap] })
const consumer = kafka.consumer({ groupId })
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
