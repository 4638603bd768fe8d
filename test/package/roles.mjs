/**
 * Every role from the package `ottla`, to be run as it is, bundled, and on other runtimes:
 *
 *     node roles.mjs HOST:PORT send TOPIC    makes the topic, and sends a record in each compression
 *     node roles.mjs HOST:PORT read TOPIC    reads them as a group
 *
 * Prints in which compressions records were sent or read.
 */
import { Client, serializers } from 'ottla'

const compressions = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
const valueIn = compression => `${compression} `.repeat(200)

async function send(client, topic) {
  const [made] = await client.admin().createTopics([{ topic, partitions: 2 }])
  if (made.error !== undefined) throw made.error
  const sent = []
  for (const compression of compressions) {
    try {
      const producer = client.producer({ compression })
      await producer.send({ topic, key: compression, value: valueIn(compression) })
      sent.push(compression)
    } catch (error) {
      if (!error.message.includes(`npm install ${compression}`)) throw error
    }
  }
  return sent
}

async function read(client, topic) {
  const { string } = serializers
  const consumer = client.consumer({
    groupId: `${topic}-${process.pid}`,
    topics: topic,
    offsetReset: 'earliest',
    key: string,
    value: string,
  })
  const seen = []
  for await (const { key, value } of consumer) {
    if (value !== valueIn(key)) throw new Error(`${key} came back as ${value}`)
    seen.push(key)
    if (seen.length === compressions.length) break
  }
  return seen
}

async function main([bootstrap, task, topic]) {
  const client = new Client({ bootstrap })
  const done = await (task === 'send' ? send : read)(client, topic)
  await client.close()
  console.log(done.sort().join(' '))
}

main(process.argv.slice(2)).catch(error => {
  console.error(error)
  process.exit(1)
})
