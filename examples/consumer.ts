/** Reads orders as a member of the group `billing`, until it is interrupted. */
import { Consumer, serializers } from 'ottla'
import type { Order } from './order.ts'

const consumer = new Consumer({
  bootstrap: process.env['BOOTSTRAP'] ?? 'localhost:9092',
  groupId: 'billing', // its members share the partitions: start this program twice
  topics: 'orders',
  offsetReset: 'earliest', // a group that was never here begins at the first order
  key: serializers.string,
  value: serializers.json<Order>(),
})
process.once('SIGINT', () => consumer.close())

// Asking for the next order says that this one is done. What is done is committed every few seconds,
// before partitions go to another member, and at the end. So each order comes at least once.
for await (const { key, value } of consumer) {
  if (value === null) continue // a tombstone: a key without a value
  console.log(`bill ${key} ${value.euros} € for order ${value.id}`)
}
console.log('closed: offsets are committed, others have the partitions')
