/** @platformatic/kafka: see child.mjs. It has no batches; the events of its stream are its fastest way. */
import { createRequire } from 'node:module'

const require = createRequire(`${process.env.CLIENTS}/`)
const { Consumer, MessagesStreamModes, ProduceAcks, Producer } = require('@platformatic/kafka')

let clients = 0
const base = bootstrap => ({ clientId: `bench-${clients++}`, bootstrapBrokers: [bootstrap] })

export async function producer({ bootstrap }) {
  // By default it waits for the leader alone.
  const producer = new Producer({ ...base(bootstrap), acks: ProduceAcks.ALL })
  return {
    sendOne: (topic, value) => producer.send({ messages: [{ topic, value }] }),
    sendMany: (topic, values) =>
      producer.send({ messages: values.map(value => ({ topic, value })) }),
    close: () => producer.close(),
  }
}

export async function consumer({ bootstrap, topic, groupId, way, onMessages }) {
  const consumer = new Consumer({ ...base(bootstrap), groupId, autocommit: 5000 })
  const stream = await consumer.consume({ topics: [topic], mode: MessagesStreamModes.EARLIEST })
  if (way === 'batches') stream.on('data', () => onMessages(1))
  else void read()
  async function read() {
    for await (const _ of stream) onMessages(1)
  }
  return {
    async close() {
      await stream.close()
      await consumer.close()
    },
  }
}
