/** A test with a broker of its own: `node --test`, and alike in Vitest, Jest and Mocha. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Consumer, Producer, serializers } from 'ottla'
import { startBroker } from 'ottla/testing'

/** The code under test. */
async function placeOrder(bootstrap: string, id: number): Promise<void> {
  await using producer = new Producer({ bootstrap, value: serializers.json() })
  await producer.send({ topic: 'orders', value: { id } })
}

test('an order that is placed is told to everyone', async () => {
  await using broker = await startBroker({ topics: { orders: { partitions: 3 } } })
  const { bootstrap } = broker

  await placeOrder(bootstrap, 7)

  const value = serializers.json<{ id: number }>()
  for await (const order of new Consumer({
    bootstrap,
    topics: 'orders',
    offsetReset: 'earliest',
    value,
  })) {
    assert.deepEqual(order.value, { id: 7 })
    break
  }
})
