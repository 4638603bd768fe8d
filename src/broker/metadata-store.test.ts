import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { inspect } from 'node:util'
import { etcdMissing, LiveEtcd } from '../../test/live-etcd.ts'
import { metadataStoreConfig, type StoreAccess } from '../config/metadata-store.ts'
import type { Report } from '../io/io.ts'
import { nodeIo } from '../io/node.ts'
import { Broker } from './broker.ts'
import { openEtcd } from './metadata-store.ts'

const skip = etcdMissing() ?? false
const directory = mkdtempSync(join(tmpdir(), 'ottla-store-'))
after(() => rmSync(directory, { recursive: true }))

function reported() {
  const lines: string[] = []
  const note = (fields: object, message: string) =>
    void lines.push(`${message} ${inspect(fields, { breakLength: Number.POSITIVE_INFINITY })}`)
  const report: Report = { info: note, warn: note, error: note }
  return { lines, io: nodeIo({ report }) }
}

const open = (
  { io }: ReturnType<typeof reported>,
  url: string,
  access: StoreAccess = {},
  waitMs = 60_000,
) => openEtcd(io, metadataStoreConfig(url, access)!, 9000, { waitMs })

test('a start says that it waits for etcd, and in the end what to do', async () => {
  const world = reported()
  await assert.rejects(open(world, 'etcd://127.0.0.1:1', {}, 500), {
    name: 'StoreUnavailableError',
    message: /127\.0\.0\.1:1: .*ECONNREFUSED.* Tried for 1 s: start etcd, or correct metadata/,
  })
  assert.match(world.lines[0]!, /^waiting for the metadata store .*ECONNREFUSED/)
})

test('a file that is no certificate is refused before anything is asked', async () => {
  const file = join(directory, 'ca.pem')
  writeFileSync(file, 'hello')
  const refused = (caFile: string, message: RegExp) =>
    assert.rejects(open(reported(), 'etcds://a', { caFile }), { name: 'ConfigError', message })
  await refused(file, /is no PEM file/)
  await refused(join(directory, 'absent'), /there is no such file/)
})

test('etcd that comes later is waited for; a wrong password is not', { skip }, async t => {
  const etcd = await LiveEtcd.start({ flags: ['--bcrypt-cost', '4'] })
  t.after(() => etcd.remove())
  const [member] = etcd.members
  await member!.kill()
  const world = reported()
  const opening = open(world, etcd.url)
  while (world.lines.length === 0) await delay(10)
  await member!.restart()
  await (await opening).close()

  member!.etcdctl('user', 'add', 'root:geheim')
  assert.equal(member!.etcdctl('auth', 'enable').status, 0)
  const startedMs = performance.now()
  await assert.rejects(open(world, etcd.url, { user: 'root', password: 'falsch' }), {
    message: /refuses: .*authentication failed.* metadata\.store\.user/,
  })
  assert.ok(performance.now() - startedMs < 10_000)
  assert.ok(!world.lines.join().includes('falsch'))
})

test('more than one member of an old etcd is warned of', { skip }, async t => {
  const etcd = await LiveEtcd.start({ members: 3 })
  t.after(() => etcd.remove())
  const world = reported()
  const store = await open(world, etcd.url)
  const { versions } = await (
    store as unknown as { version(): Promise<{ versions: string[] }> }
  ).version()
  await store.close()
  const isOld = versions.some(version => /^3\.4\.([0-9]|[12][0-9]|3[01])$/.test(version))
  assert.equal(
    world.lines.some(line => line.startsWith('members of this etcd')),
    isOld,
  )
})

test('brokers find each other by etcd; a prefix is a cluster of its own', { skip }, async t => {
  const etcd = await LiveEtcd.start()
  t.after(() => etcd.remove())
  const start = (id: number, url: string, name = String(id)) =>
    Broker.start({
      dataDirectory: join(directory, name),
      port: 0,
      io: reported().io,
      properties: { 'node.id': String(id), 'metadata.store': url },
    })
  const [one, two] = await Promise.all([start(1, etcd.url), start(2, etcd.url)])
  assert.equal(one.clusterId, two.clusterId)
  const other = await start(1, `${etcd.url}/other`, 'other')
  assert.notEqual(other.clusterId, one.clusterId)
  await Promise.all([one, two, other].map(broker => broker.close()))
  await assert.rejects(start(1, `${etcd.url}/other`), { message: /belong to cluster .* store to/ })
  await assert.rejects(start(1, `${etcd.url}/empty`), { message: /metadata store is empty/ })
  const again = await start(1, etcd.url)
  assert.equal(again.clusterId, one.clusterId)
  await again.close()
})

test('without etcd a broker stops all the same, and says little', { skip }, async t => {
  const etcd = await LiveEtcd.start()
  t.after(() => etcd.remove())
  const world = reported()
  const broker = await Broker.start({
    dataDirectory: join(directory, 'left'),
    port: 0,
    io: world.io,
    properties: { 'metadata.store': etcd.url, 'broker.session.timeout.ms': '2000' },
  })
  await etcd.members[0]!.kill()
  while (!world.lines.some(line => line.startsWith('the watch of'))) await delay(10)
  await delay(1500)
  assert.equal(world.lines.filter(line => line.startsWith('the watch of')).length, 1)
  await broker.close()
  assert.ok(existsSync(join(directory, 'left', '.kafka_cleanshutdown')))
  assert.match(world.lines.join('\n'), /the registration stays until it runs out/)
})
