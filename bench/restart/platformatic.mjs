/** A consumer by @platformatic/kafka with its defaults: node platformatic.mjs BOOTSTRAP TOPIC GROUP. What it says: see program.ts. */
import { Consumer, MessagesStreamModes } from '@platformatic/kafka'

const firstLineMs = Date.now()
const [bootstrap, topic, groupId] = process.argv.slice(2)
const say = said => process.stdout.write(`${JSON.stringify({ pid: process.pid, ...said })}\n`)
say({ originMs: performance.timeOrigin, firstLineMs })

const consumer = new Consumer({ clientId: 'restart', bootstrapBrokers: [bootstrap], groupId })
// Its default reads from the end at each start: a group that goes on where it was has to say so.
const stream = await consumer.consume({ topics: [topic], mode: MessagesStreamModes.COMMITTED })
if (process.env.STOP === 'clean') {
  process.once('SIGTERM', async () => {
    await stream.close()
    await consumer.close()
    process.exit()
  })
}
for await (const { partition, timestamp } of stream) {
  say({ partition, sentMs: Number(timestamp), handledMs: Date.now() })
}
