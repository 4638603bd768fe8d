import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type StandardSchema, serializerOf, serializers } from './serializers.ts'

/** Numbers, doubled. */
const doubled: StandardSchema<number, number> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: value =>
      typeof value === 'number'
        ? { value: 2 * value }
        : { issues: [{ message: 'no number', path: ['a', { key: 0 }] }, { message: 'at all' }] },
  },
}

test('text, bytes and JSON go there and back, and null stays null', () => {
  assert.equal(serializers.string.serialize('ü', 't'), 'ü')
  assert.equal(serializers.string.deserialize(Buffer.from('ü')), 'ü')
  assert.equal(serializers.string.deserialize(Buffer.from('\ufeffbom')), '\ufeffbom')
  const bytes = Buffer.from([1, 2])
  assert.equal(serializers.bytes.serialize(bytes, 't'), bytes)
  assert.equal(serializers.bytes.deserialize(bytes), bytes)
  const json = serializers.json<{ n: number }>()
  assert.equal(json.serialize({ n: 1 }, 't'), '{"n":1}')
  assert.deepEqual(json.deserialize(Buffer.from('{"n":1}')), { n: 1 })
  for (const { deserialize } of [serializers.string, serializers.bytes, json]) {
    assert.equal(deserialize(null), null)
  }
})

test('what JSON has no form for is refused', () => {
  const json = serializers.json()
  assert.throws(() => json.serialize(() => {}, 't'), TypeError)
  assert.throws(() => json.serialize(1n, 't'), TypeError)
  assert.throws(() => json.deserialize(Buffer.from('{')), SyntaxError)
})

test('a schema validates both ways, and what it makes is what goes on', () => {
  const json = serializers.json(doubled)
  assert.equal(json.serialize(2, 't'), '4')
  assert.equal(json.deserialize(Buffer.from('4')), 8)
  assert.equal(serializerOf(doubled).serialize(3, 't'), '6')
  assert.equal(serializerOf(serializers.string).serialize('as it is', 't'), 'as it is')
  assert.throws(() => json.deserialize(Buffer.from('"x"')), {
    name: 'ValidationError',
    message: 'a.0: no number; at all',
  })
})

test('a schema that validates later is refused, and what it rejects with goes nowhere', () => {
  const later: StandardSchema<number, number> = {
    '~standard': { version: 1, vendor: 'test', validate: () => Promise.reject(new Error('later')) },
  }
  assert.throws(() => serializerOf(later).serialize(1, 't'), /validates asynchronously/)
})
