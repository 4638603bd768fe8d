/** Sends orders: one and waits for it, then several together. */
import { Producer, serializers } from 'ottla'
import type { Order } from './order.ts'

await using producer = new Producer({
  bootstrap: process.env['BOOTSTRAP'] ?? 'localhost:9092',
  value: serializers.json<Order>(),
})

// Resolves when every replica in sync has it. The key keeps the orders of one customer in order.
const { partition, offset } = await producer.send({
  topic: 'orders',
  key: 'ada',
  value: { id: 1, customer: 'ada', euros: 40 },
})
console.log(`order 1 is at offset ${offset} of partition ${partition}`)

const more: Order[] = [
  { id: 2, customer: 'grace', euros: 12 },
  { id: 3, customer: 'ada', euros: 7 },
]
const stored = await producer.send(
  more.map(order => ({ topic: 'orders', key: order.customer, value: order })),
)
console.log(`${stored.length} more are stored`)
