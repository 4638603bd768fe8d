import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  checkReachable,
  interBrokerListener,
  parseAdvertised,
  parseListeners,
} from './listeners.ts'

const protocols = ['PLAINTEXT:PLAINTEXT', 'INSIDE:PLAINTEXT', 'SSL:SSL']

function listen(...entries: string[]) {
  return parseListeners(entries, protocols, 'CONTROLLER')
}

test('hosts may be names, IPv4, IPv6 in brackets, or left out', () => {
  assert.deepEqual(
    listen('PLAINTEXT://:1', 'inside://[::1]:2').map(({ name, host }) => `${name} ${host}`),
    ['PLAINTEXT ', 'INSIDE ::1'],
  )
})

test('what is no endpoint is refused with the form that is', () => {
  for (const entry of ['9092', 'PLAINTEXT:9092', 'PLAINTEXT://h', 'PLAINTEXT://h:70000', '']) {
    assert.throws(() => listen(entry), /say NAME:\/\/host:port/, entry)
  }
})

test('a listener that would need encryption is refused', () => {
  assert.throws(() => listen('SSL://:1'), /only PLAINTEXT is/)
  assert.throws(() => listen('OTHER://:1'), /add OTHER:PLAINTEXT/)
})

test('names and ports occur once; port 0 may be asked for twice', () => {
  assert.throws(() => listen('PLAINTEXT://:1', 'PLAINTEXT://:2'), /names PLAINTEXT twice/)
  assert.throws(() => listen('PLAINTEXT://:1', 'INSIDE://:1'), /names port 1 twice/)
  assert.equal(listen('PLAINTEXT://:0', 'INSIDE://:0').length, 2)
})

test('controller listeners are not opened, and one other is needed', () => {
  assert.equal(listen('PLAINTEXT://:1', 'CONTROLLER://:2').length, 1)
  assert.throws(() => listen('CONTROLLER://:2'), /listeners names none/)
})

test('only listeners that are opened are advertised, by an address that exists', () => {
  const listeners = listen('PLAINTEXT://:1')
  const advertised = parseAdvertised(['PLAINTEXT://kafka.example:9'], listeners)
  assert.deepEqual(advertised.get('PLAINTEXT'), { host: 'kafka.example', port: 9 })
  assert.throws(() => parseAdvertised(['INSIDE://h:1'], listeners), /which listeners does not/)
  assert.throws(() => parseAdvertised(['PLAINTEXT://0.0.0.0:1'], listeners), /no such address/)
  assert.equal(parseAdvertised(null, listeners).size, 0)
})

test('brokers reach each other by PLAINTEXT, or the first listener, or the one named', () => {
  const two = listen('INSIDE://:1', 'PLAINTEXT://:2')
  assert.equal(interBrokerListener(null, two), 'PLAINTEXT')
  assert.equal(interBrokerListener('inside', two), 'INSIDE')
  assert.equal(interBrokerListener(null, listen('INSIDE://:1')), 'INSIDE')
  assert.throws(() => interBrokerListener('OTHER', two), /is OTHER, which listeners does not name/)
})

test('others are not told of a listener on every address unless it is advertised', () => {
  const listeners = listen('PLAINTEXT://h:1', 'INSIDE://0.0.0.0:2')
  assert.throws(() => checkReachable(listeners, new Map()), /INSIDE.*advertised\.listeners/)
  checkReachable(listeners, parseAdvertised(['INSIDE://inside.example:2'], listeners))
})
