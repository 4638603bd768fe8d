/** All roles in one process: a broker in memory, and a client that a producer and a consumer share. */
import { Broker, Client, serializers } from 'ottla'

await using broker = await Broker.start({ storage: 'memory', topics: { greetings: {} } })
console.log(`any Kafka client finds the broker at ${broker.bootstrap}`)

await using client = new Client({ bootstrap: broker.bootstrap })
await client.producer().send({ topic: 'greetings', value: 'hello' })

const consumer = client.consumer({
  topics: 'greetings',
  offsetReset: 'earliest',
  value: serializers.string,
})
for await (const { value } of consumer) {
  console.log(value)
  break // leaving the loop closes the consumer
}
