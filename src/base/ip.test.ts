import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import { test } from 'node:test'
import { ipBytes, ipText } from './ip.ts'

test('addresses go to bytes and back in their shortest form', () => {
  for (const [text, shortest = text] of [
    ['127.0.0.1'],
    ['255.255.255.255'],
    ['::1'],
    ['::'],
    ['fe80::1%eth0', 'fe80::1'],
    ['2001:db8::'],
    ['2001:0db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['10:0:0:2:3:4:5:6', '10::2:3:4:5:6'],
    ['::ffff:10.0.0.7', '::ffff:a00:7'],
    ['1:2:3:4:5:6:7:8'],
    ['1:0:3:4:5:6:7:8'],
    ['100:0:0:100::', '100:0:0:100::'],
  ]) {
    const bytes = ipBytes(text!)
    assert.ok(bytes, text)
    assert.equal(ipText(bytes), shortest)
    assert.notEqual(isIP(ipText(bytes)), 0)
    assert.deepEqual(ipBytes(ipText(bytes)), bytes)
  }
})

test('what is no address has no bytes', () => {
  for (const text of ['', 'localhost', '1.2.3', '1.2.3.256', '1.2.3.4.5', ':::', '1::2::3']) {
    assert.equal(ipBytes(text), undefined, text)
  }
  for (const text of ['1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '::1:2:3:4:5:6:7:8', 'g::', ':1']) {
    assert.equal(ipBytes(text), undefined, text)
  }
  assert.throws(() => ipText(new Uint8Array(5)), RangeError)
})
