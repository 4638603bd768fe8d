import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addresses } from './bootstrap.ts'

test('addresses are read with and without ports', () => {
  assert.deepEqual(addresses('localhost, b1.example:1, [::1]:19092,[fe80::1]'), [
    { host: 'localhost', port: 9092 },
    { host: 'b1.example', port: 1 },
    { host: '::1', port: 19092 },
    { host: 'fe80::1', port: 9092 },
  ])
})

test('what is no address is refused', () => {
  for (const text of ['', 'a,,b', ':9092', 'a:b', 'a:0', 'a:99999', '::1']) {
    assert.throws(() => addresses(text), { name: 'Failure', message: /host:port/ }, text)
  }
})
