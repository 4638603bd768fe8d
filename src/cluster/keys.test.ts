import assert from 'node:assert/strict'
import { test } from 'node:test'
import { codecs, keys, parseKey, StoredValueError } from './keys.ts'

const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))

test('a key is parsed into what it was made of', () => {
  const made: [string, object][] = [
    [keys.cluster, { kind: 'cluster' }],
    [keys.controllerSeq, { kind: 'controllerSeq' }],
    [keys.producerIds, { kind: 'producerIds' }],
    [keys.alive(7), { kind: 'alive', brokerId: 7 }],
    [keys.logEnds(7, 2), { kind: 'logEnds', brokerId: 7, chunk: 2 }],
    [keys.byName('a.b_c-d'), { kind: 'byName', name: 'a.b_c-d' }],
    [keys.info('tid'), { kind: 'info', topicId: 'tid' }],
    [keys.partition('tid', 12), { kind: 'partition', topicId: 'tid', index: 12 }],
    [keys.configs('topic', 'default'), { kind: 'configs', scope: 'topic', name: 'default' }],
    [keys.configs('broker', ''), { kind: 'configs', scope: 'broker', name: '' }],
    [keys.deleted('tid'), { kind: 'deleted', topicId: 'tid' }],
    [keys.reassignment('tid', 3), { kind: 'reassignment', topicId: 'tid', index: 3 }],
  ]
  for (const [key, meaning] of made) assert.deepEqual(parseKey(key), meaning, key)
  for (const key of ['/other', `${keys.alive(1)}/more`, '/ottla/v1/new-thing', '/ottla/v1/']) {
    assert.equal(parseKey(key), undefined, key)
  }
})

test('a value keeps the fields that this release does not know, but not who wrote it', () => {
  const written = json({ version: 2, topicId: 't', colour: 'blue', by: ['i', 3] })
  const value = codecs.byName.decode(written)
  assert.equal(value.topicId, 't')
  assert.equal(value.by, undefined)
  const rewritten = JSON.parse(new TextDecoder().decode(codecs.byName.encode(value)))
  assert.deepEqual(rewritten, { version: 1, topicId: 't', colour: 'blue' })
})

test('a value of a release before there were features says that there are none', () => {
  const cluster = codecs.cluster.decode(json({ version: 1, clusterId: 'c', formatVersion: 1 }))
  assert.deepEqual([...cluster.features], [])
  const features = new Map([['ottla.version', { level: 2, release: '0.3.0' }]])
  const raised = codecs.cluster.decode(codecs.cluster.encode({ ...cluster, features }))
  assert.deepEqual(raised.features, features)
  const place = { listeners: [], rack: 'a' }
  const speaks = new Map([['f', { min: 1, max: 3 }]])
  const admitted = { brokerEpoch: 1n, features: speaks, release: '1', ...place }
  assert.deepEqual(codecs.admitted.decode(codecs.admitted.encode(admitted)), admitted)
})

test('broker epochs pass through JSON whole', () => {
  const brokerEpoch = 2n ** 63n - 1n
  const rest = { features: new Map(), release: '0', listeners: [], rack: null }
  const bytes = codecs.admitted.encode({ brokerEpoch, ...rest })
  assert.equal(codecs.admitted.decode(bytes).brokerEpoch, brokerEpoch)
  // Of a release that did not keep where a broker was.
  const before = codecs.admitted.decode(json({ version: 1, brokerEpoch: '7' }))
  assert.deepEqual([before.listeners, before.rack], [[], null])
})

test('a value of the wrong shape is refused', () => {
  const wrong = [new Uint8Array([1, 2]), json(null), json([]), json({}), json({ topicId: 5 })]
  for (const bytes of wrong) assert.throws(() => codecs.byName.decode(bytes), StoredValueError)
})
