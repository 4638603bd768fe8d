/** Makes a topic, and tells how far behind the group `billing` is. */
import { Admin, orThrow } from 'ottla'

await using admin = new Admin({ bootstrap: process.env['BOOTSTRAP'] ?? 'localhost:9092' })

const week = 7 * 24 * 60 * 60 * 1000
const orders = { topic: 'orders', partitions: 3, configs: { 'retention.ms': week } }
for (const { topic, error } of await admin.createTopics([orders])) {
  console.log(error === undefined ? `${topic} is made` : `${topic}: ${error.message}`)
}

const [description] = orThrow(await admin.describeTopics(['orders']))
const partitions = description!.partitions.map(({ partition }) => ({ topic: 'orders', partition }))
const ends = orThrow(await admin.listOffsets(partitions.map(each => ({ ...each, at: 'latest' }))))

const [billing] = orThrow(await admin.listGroupOffsets(['billing']))
for (const { partition, offset: end } of ends) {
  const committed = billing!.offsets.find(each => each.partition === partition)?.offset ?? 0
  console.log(`partition ${partition}: ${end} orders, ${end - committed} not billed yet`)
}
