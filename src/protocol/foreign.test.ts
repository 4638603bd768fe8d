import assert from 'node:assert/strict'
import { test } from 'node:test'
import { foreignProtocol } from './foreign.ts'

test('TLS, HTTP and SSH are told by their first bytes, and a Kafka frame is none of them', () => {
  const cases: [first: Uint8Array, protocol: string | undefined][] = [
    [Uint8Array.of(0x16, 0x03, 0x01, 0x02, 0x00), 'TLS'],
    [Uint8Array.of(0x15, 0x03, 0x03, 0x00), 'TLS'],
    [Buffer.from('GET / HTTP/1.1\r\n'), 'HTTP'],
    [Buffer.from('HTTP/1.1 400 Bad Request'), 'HTTP'],
    [Buffer.from('POST /'), 'HTTP'],
    [Buffer.from('SSH-2.0-OpenSSH_9.2'), 'SSH'],
    [Uint8Array.of(0, 0, 0, 40), undefined],
    [Uint8Array.of(0x16, 0x04, 0x01, 0x02), undefined],
    [new Uint8Array(0), undefined],
  ]
  for (const [first, protocol] of cases) assert.equal(foreignProtocol(first), protocol)
})
