import assert from 'node:assert/strict'
import { test } from 'node:test'
import { metadataStoreConfig, parseStoreUrl } from './metadata-store.ts'

test('a URL of etcd names members, a prefix, and whether they are reached over TLS', () => {
  assert.deepEqual(parseStoreUrl('etcd://127.0.0.1'), {
    endpoints: ['127.0.0.1:2379'],
    namespace: '',
    isEncrypted: false,
  })
  assert.deepEqual(parseStoreUrl('etcds://a.example:1, [::1]:2,c/prod/eu/'), {
    endpoints: ['a.example:1', '[::1]:2', 'c:2379'],
    namespace: '/prod/eu',
    isEncrypted: true,
  })
})

test('what is no URL of etcd is refused with what is', () => {
  const wrong = [
    ['', 'http://a', 'zookeeper://a:2181', 'a:2379', 'etcd:a'],
    ['etcd://', 'etcd://a:0', 'etcd://a:65536', 'etcd://a,,b', 'etcd://a b', 'etcd://a:x'],
    ['etcd://a//b', 'etcd://a/x y', 'etcd://a/ž'],
  ]
  for (const url of wrong.flat()) {
    assert.throws(
      () => parseStoreUrl(url),
      { name: 'ConfigError', message: /metadata\.store/ },
      url,
    )
  }
})

test('credentials in the URL are refused, and not repeated', () => {
  assert.throws(
    () => parseStoreUrl('etcd://root:geheim@a:2379'),
    ({ message }: Error) => /metadata\.store\.user/.test(message) && !message.includes('geheim'),
  )
})

test('what belongs together is given together', () => {
  const refused = (url: string | undefined, access: object, message: RegExp) =>
    assert.throws(() => metadataStoreConfig(url, access), { name: 'ConfigError', message })
  refused(undefined, { user: 'u' }, /metadata\.store\.user is of use with metadata\.store alone/)
  refused('etcd://a', { caFile: 'ca.pem' }, /say etcds:\/\//)
  refused('etcds://a', { keyFile: 'k.pem' }, /certificate\.file is not: they go together/)
  refused('etcd://a', { user: 'u' }, /metadata\.store\.password is not: they go together/)
  assert.equal(metadataStoreConfig(undefined, {}), undefined)
  assert.deepEqual(metadataStoreConfig('etcd://a', { user: 'u', password: 'p' })?.credentials, {
    user: 'u',
    password: 'p',
  })
})
