import assert from 'node:assert/strict'
import { test } from 'node:test'
import { murmur3 } from './murmur3.ts'

function hashOf(text: string, seed = 0): string {
  const bytes = Buffer.from(`..${text}.`)
  const words = new Int32Array(4)
  murmur3(words, bytes, 2, bytes.length - 1, seed)
  return [...words].map(word => (word >>> 0).toString(16).padStart(8, '0')).join('')
}

test('the words are those of the reference implementation', () => {
  assert.equal(hashOf(''), '00000000000000000000000000000000')
  assert.equal(
    hashOf('I will not buy this record, it is scratched.'),
    'a0a9683b25ac5e40d9af2895890dddf5',
  )
})

test('every byte, the length and the seed count', () => {
  const seen = new Set<string>()
  for (let length = 0; length < 40; length++) {
    seen.add(hashOf('a'.repeat(length)))
    seen.add(hashOf('a'.repeat(length), 7))
    for (let at = 0; at < length; at++) {
      seen.add(hashOf('a'.repeat(at) + 'b' + 'a'.repeat(length - at - 1)))
    }
  }
  assert.equal(seen.size, 2 * 40 + (39 * 40) / 2)
})
