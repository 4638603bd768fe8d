/** Writes or reads numbered messages with Ottla's own client, as clients.ts says. */
import { setTimeout as delay } from 'node:timers/promises'
import { Client, serializers } from '../../src/index.ts'

const [role, name = '', bootstrap = '', topic = '', ...figures] = process.argv.slice(2)
const [partitions = 0, rate = 0, patienceMs = 0] = figures.map(Number)
const ending = new AbortController()
process.stdin.on('end', () => ending.abort()).resume()

async function feed(client: Client): Promise<void> {
  const producer = client.producer({ deliveryTimeoutMs: patienceMs, lingerMs: 5 })
  const numbers = Array.from({ length: partitions }, () => 0)
  const startedAt = performance.now()
  let sent = 0
  while (!ending.signal.aborted) {
    const due = ((performance.now() - startedAt) * rate) / 1000
    for (; sent < due; sent++) {
      const partition = sent % partitions
      const number = numbers[partition]!++
      producer.send({ topic, partition, value: `${name}:${number}` }).then(
        ({ offset }) => console.log(`ack ${partition} ${number} ${offset}`),
        (error: Error) => console.log(`failed ${partition} ${number} ${error.message}`),
      )
    }
    await delay(5)
  }
  await producer.flush()
  console.log(`end ${sent} 0`)
}

async function read(client: Client): Promise<void> {
  const assignment = Array.from({ length: partitions }, (_, partition) => ({
    topic,
    partition,
    offset: 0,
  }))
  const value = serializers.string
  const consumer = client.consumer({ assignment, offsetReset: 'none', maxWaitMs: 200, value })
  try {
    for await (const { partition, messages } of consumer.batches({ signal: ending.signal })) {
      for (const { offset, value } of messages) console.log(`shown ${partition} ${offset} ${value}`)
    }
  } catch (error) {
    if (!ending.signal.aborted) console.log(`failed -1 -1 ${(error as Error).message}`)
  }
  console.log('end 0 0')
}

const client = new Client({ bootstrap, clientId: name })
await (role === 'feed' ? feed(client) : read(client))
await client.close()
