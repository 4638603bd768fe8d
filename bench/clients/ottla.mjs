/** Ottla's own client, as it is published: see child.mjs. OTTLA_DIST is where it was built. */
import { pathToFileURL } from 'node:url'

const { Client } = await import(pathToFileURL(`${process.env.OTTLA_DIST}/index.js`).href)

let client
const clientAt = bootstrap => (client ??= new Client({ bootstrap }))

export async function producer({ bootstrap }) {
  const producer = clientAt(bootstrap).producer()
  return {
    sendOne: (topic, value) => producer.send({ topic, value }),
    sendMany: (topic, values) => producer.send(values.map(value => ({ topic, value }))),
    close: () => producer.close(),
  }
}

export async function consumer({ bootstrap, topic, groupId, way, onMessages }) {
  const consumer = clientAt(bootstrap).consumer({
    topics: topic,
    groupId,
    offsetReset: 'earliest',
  })
  const reading = way === 'batches' ? readBatches() : readMessages()
  async function readBatches() {
    for await (const { messages } of consumer.batches()) onMessages(messages.length)
  }
  async function readMessages() {
    for await (const _ of consumer) onMessages(1)
  }
  return {
    async close() {
      await consumer.close()
      await reading
    },
  }
}
