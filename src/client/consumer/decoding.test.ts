import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Client } from '../client.ts'
import { type StandardSchema, serializers } from '../serializers.ts'
import { type Decoder, Decoding } from './decoding.ts'
import { DecodeError } from './errors.ts'
import { type Bytes, Message } from './message.ts'

interface Order {
  readonly id: number
}

/** As a validator library makes it: what comes in is unknown, what comes out is an order, or nothing. */
const order: StandardSchema<{ id: string }, Order> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: value => {
      const id = Number((value as { id?: unknown } | null)?.id)
      return id > 0 ? { value: { id } } : { issues: [{ message: 'no id', path: ['id'] }] }
    },
  },
}

function decoded<T>(value: Decoder<T>, bytes: string | null): T {
  const decoding = new Decoding<Bytes, T>({
    key: undefined,
    value,
    interceptors: [],
    onDecodeError: 'throw',
    onSkipped: () => {},
  })
  const stored = new Message(
    'orders',
    0,
    7,
    -1,
    null,
    bytes === null ? null : Buffer.from(bytes),
    { kind: Buffer.from('test') },
    -1,
  )
  return decoding.decode(stored)!.value as T
}

test('a function, a deserializer and a schema make values of what is stored', () => {
  assert.equal(
    decoded((bytes, { headers }) => `${bytes} ${headers['kind']}`, 'a'),
    'a test',
  )
  assert.equal(decoded(serializers.string, 'a'), 'a')
  assert.deepEqual(decoded(serializers.json<Order>(), '{"id":1}'), { id: 1 })
  assert.deepEqual(decoded(order, '{"id":"1"}'), { id: 1 })
})

test('a schema that is a function too is a schema', () => {
  assert.deepEqual(
    decoded(
      Object.assign(() => 'called', order),
      '{"id":"1"}',
    ),
    { id: 1 },
  )
})

test('null is null to a deserializer, and for a schema to allow', () => {
  assert.equal(decoded(serializers.string, null), null)
  assert.throws(() => decoded(order, null), DecodeError)
  const maybe: StandardSchema<unknown, Order | null> = {
    '~standard': { version: 1, vendor: 'test', validate: value => ({ value: value as null }) },
  }
  assert.equal(decoded(maybe, null), null)
})

test('what a schema refuses, and what is no JSON, is a DecodeError that says where and why', () => {
  const where = 'the value of orders-0 at offset 7 does not decode: '
  assert.throws(() => decoded(order, '{}'), { name: 'DecodeError', message: `${where}id: no id` })
  assert.throws(() => decoded(order, '{'), { name: 'DecodeError', message: /is not|JSON/ })
})

/** Does not compile unless the types of keys and values are found in each form. */
export async function typesAreInferred(client: Client): Promise<void> {
  for await (const { key, value } of client.consumer({
    topics: 'orders',
    key: bytes => bytes?.length ?? 0,
    value: order,
  })) {
    exactly<number>()(key)
    exactly<Order>()(value)
  }
  for await (const { key, value } of client.consumer({
    topics: 'orders',
    key: serializers.string,
    value: serializers.json<Order>(),
  })) {
    exactly<string | null>()(key)
    exactly<Order | null>()(value)
  }
  for await (const { key, value } of client.consumer({
    topics: 'orders',
    value: serializers.json(order),
  })) {
    exactly<Bytes>()(key)
    exactly<Order | null>()(value)
  }
}

/** Takes values of `Wanted` alone: neither of a narrower type nor of a wider one. */
function exactly<Wanted>() {
  return <Given>(_: Given & ([Given, Wanted] extends [Wanted, Given] ? unknown : never)) => {}
}
