import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Io } from '../io/io.ts'
import { metadataRequest, metadataResponse } from '../protocol/messages/metadata.ts'
import { type ScriptedRequest, scriptedBroker } from '../sim/scripted-broker.ts'
import { simulated } from '../sim/world.ts'
import type { Address } from './cluster.ts'
import { ConnectionError } from './connection.ts'
import { Peers } from './peers.ts'

const port = 9092
const versions = new Map([[metadataRequest.apiKey!, 8]])

function peersOf(io: Io, addresses: Map<number, Address>): Peers {
  return new Peers(io, { clientId: 'broker-1', addressOf: brokerId => addresses.get(brokerId) })
}

function ask(peers: Peers, io: Io, { brokerId = 2, lane = '', timeoutMs = 5000 } = {}) {
  const deadlineMs = io.clock.monotonicMs() + timeoutMs
  const options = { deadlineMs }
  const body = { topics: [] }
  return peers.request(brokerId, lane, metadataRequest, metadataResponse, body, options)
}

function answering(io: Io, controllerId: number) {
  return scriptedBroker(io, port, versions, request => answer(request, controllerId))
}

function answer(request: ScriptedRequest, controllerId: number): void {
  request.answer(metadataResponse, { brokers: [], topics: [], controllerId })
}

test('what waits in one lane does not hold another', () =>
  simulated().run(async world => {
    let held: ScriptedRequest | undefined
    await scriptedBroker(world.io('b2'), port, versions, request => {
      if (held === undefined) held = request
      else answer(request, 2)
    })
    const io = world.io('b1')
    const peers = peersOf(io, new Map([[2, { host: 'b2', port }]]))
    const waiting = ask(peers, io, { lane: 'fetch-0' })
    while (held === undefined) await world.sleep(1)
    assert.equal((await ask(peers, io, { lane: 'forward' })).controllerId, 2)
    answer(held, 7)
    assert.equal((await waiting).controllerId, 7)
  }))

test('a broker that moved is asked at its new address, and one that is not registered not at all', () =>
  simulated().run(async world => {
    await answering(world.io('b2'), 2)
    await answering(world.io('b3'), 3)
    const io = world.io('b1')
    const addresses = new Map([[2, { host: 'b2', port }]])
    const peers = peersOf(io, addresses)
    assert.equal((await ask(peers, io)).controllerId, 2)
    addresses.set(2, { host: 'b3', port })
    assert.equal((await ask(peers, io)).controllerId, 3)
    addresses.delete(2)
    await assert.rejects(ask(peers, io), /broker 2 is not registered/)
  }))

test('a connection that broke is opened again by the next request', () =>
  simulated().run(async world => {
    await answering(world.io('b2'), 2)
    const io = world.io('b1')
    const peers = peersOf(io, new Map([[2, { host: 'b2', port }]]))
    await ask(peers, io)
    world.kill('b2')
    await assert.rejects(ask(peers, io), ConnectionError)
    await answering(world.io('b2'), 3)
    assert.equal((await ask(peers, io)).controllerId, 3)
  }))

test('a broker that refuses is tried ever more seldom, up to once a second', () =>
  simulated().run(async world => {
    const io = world.io('b1')
    world.io('b2')
    const peers = peersOf(io, new Map([[2, { host: 'b2', port }]]))
    const triedAtMs: number[] = []
    for (let attempt = 0; attempt < 8; attempt++) {
      await assert.rejects(ask(peers, io), { code: 'REFUSED' })
      triedAtMs.push(io.clock.monotonicMs())
    }
    const pausesMs = triedAtMs.slice(1).map((atMs, index) => Math.floor(atMs - triedAtMs[index]!))
    assert.ok(pausesMs[0]! >= 50 && pausesMs[0]! < 500, `${pausesMs}`)
    assert.ok(pausesMs[6]! >= 1000 && pausesMs[6]! < 2000, `${pausesMs}`)
  }))

test('close ends what is under way and what waits for a retry', () =>
  simulated().run(async world => {
    const io = world.io('b1')
    await scriptedBroker(world.io('b2'), port, versions, () => {})
    const peers = peersOf(
      io,
      new Map([
        [2, { host: 'b2', port }],
        [3, { host: 'b3', port }],
      ]),
    )
    const underWay = assert.rejects(ask(peers, io), { code: 'CLOSED' })
    world.io('b3')
    await assert.rejects(ask(peers, io, { brokerId: 3 }), { code: 'REFUSED' })
    const waiting = assert.rejects(ask(peers, io, { brokerId: 3 }), { code: 'CLOSED' })
    peers.close()
    await Promise.all([underWay, waiting])
  }))
