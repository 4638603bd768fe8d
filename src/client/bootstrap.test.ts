import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bootstrapAddresses, OptionError } from './bootstrap.ts'

test('addresses come as one text or several, with a port or without', () => {
  assert.deepEqual(bootstrapAddresses('a:1, b'), [
    { host: 'a', port: 1 },
    { host: 'b', port: 9092 },
  ])
  assert.deepEqual(bootstrapAddresses(['10.0.0.1:65535', '[::1]:9093', '[fe80::1%eth0]']), [
    { host: '10.0.0.1', port: 65535 },
    { host: '::1', port: 9093 },
    { host: 'fe80::1%eth0', port: 9092 },
  ])
})

test('what is no address is refused with advice', () => {
  const refusals: readonly (readonly [string | readonly string[], RegExp])[] = [
    ['a,,b', /nothing where one/],
    ['', /nothing where one/],
    ['kafka://a:9092', /without kafka:\/\//],
    ['::1:9092', /\[ADDRESS\]:PORT/],
    ['a:0', /a port from 1 to 65535/],
    ['a:65536', /a port from 1 to 65535/],
    ['a b', /HOST:PORT/],
    [[], /at least one/],
    [[undefined as unknown as string], /'undefined' is no address/],
    [undefined as unknown as string, /at least one/],
  ]
  for (const [given, message] of refusals) {
    const refused = () => bootstrapAddresses(given)
    assert.throws(refused, error => error instanceof OptionError && message.test(error.message))
  }
})
