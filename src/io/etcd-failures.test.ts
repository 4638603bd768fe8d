/** What etcd does when members die, fall silent, forget, or ask who we are. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { makeCertificates, opensslMissing } from '../../test/certificates.ts'
import { etcdMissing, LiveEtcd, type LiveEtcdOptions } from '../../test/live-etcd.ts'
import { EtcdStore } from './etcd.ts'
import type { EtcdOptions } from './etcd-connection.ts'
import {
  type Clock,
  type MetadataStore,
  type Op,
  StoreAccessError,
  StoreRequestError,
  StoreUnavailableError,
} from './io.ts'
import { nodeIo } from './node.ts'

const skip = etcdMissing() ?? false
const { clock } = nodeIo()
const warnings: string[] = []
const report = {
  info() {},
  warn: (_: unknown, message: string) => void warnings.push(message),
  error() {},
}
const everything = { prefix: '' }
const put = (key: string, value: string | Uint8Array): Op => ({
  put: key,
  value: typeof value === 'string' ? new TextEncoder().encode(value) : value,
})

async function start(t: TestContext, options: LiveEtcdOptions = {}): Promise<LiveEtcd> {
  const etcd = await LiveEtcd.start(options)
  t.after(() => etcd.remove())
  return etcd
}

function open(
  t: TestContext,
  { endpoints }: Pick<LiveEtcd, 'endpoints'>,
  options: Partial<EtcdOptions> & { clock?: Clock } = {},
): EtcdStore {
  const store = new EtcdStore(
    { clock: options.clock ?? clock, report },
    { endpoints, namespace: '', sessionTimeoutMs: 6000, ...options },
  )
  t.after(() => store.close())
  return store
}

async function until(isTrue: () => boolean | Promise<boolean>, what: string, withinMs = 20_000) {
  const endMs = performance.now() + withinMs
  while (!(await isTrue())) {
    assert.ok(performance.now() < endMs, `not within ${withinMs} ms: ${what}`)
    await delay(10)
  }
}

/** Puts the key once: sent again until the answer is certain. */
async function putOnce(store: MetadataStore, key: string): Promise<void> {
  for (;;) {
    try {
      await store.txn([{ key, target: 'version', equals: 0n }], [put(key, key)])
      return
    } catch (error) {
      assert.ok(error instanceof StoreUnavailableError, String(error))
      await delay(20)
    }
  }
}

/** Follows everything through broken watches, as an image does. */
function follow(store: MetadataStore, fromRevision: bigint) {
  const seen = { keys: [] as string[], revisions: [] as bigint[], breaks: 0, isClosed: false }
  const watch = (from: bigint) => {
    store.watch(everything, from, {
      events(batch, revision) {
        seen.revisions.push(revision)
        for (const event of batch) seen.keys.push(event.type === 'put' ? event.entry.key : '-')
      },
      compacted: () => assert.fail('nothing was compacted'),
      broken() {
        seen.breaks++
        const next = (seen.revisions.at(-1) ?? fromRevision - 1n) + 1n
        setTimeout(() => seen.isClosed || watch(next), 50)
      },
    })
  }
  watch(fromRevision)
  return seen
}

test('through the loss of any member, each write takes effect once and is seen once', {
  skip,
}, async t => {
  const etcd = await start(t, { members: 3 })
  const store = open(t, etcd)
  const seen = follow(store, 2n)
  const written: string[] = []
  const lease = await store.grantLease(20_000)
  let shortestMs = Number.POSITIVE_INFINITY
  let isOver = false
  const keeping = (async () => {
    while (!isOver) {
      const leftMs = await lease.keepAlive().catch(() => undefined)
      if (leftMs !== undefined) shortestMs = Math.min(shortestMs, leftMs)
      await delay(500)
    }
  })()
  const writing = (async () => {
    while (!isOver) {
      const key = `k/${String(written.length).padStart(6, '0')}`
      await putOnce(store, key)
      written.push(key)
    }
  })()
  const goesOn = async () => {
    const before = written.length
    await until(() => written.length > before + 20, 'writes go on')
  }
  await goesOn()
  for (const fault of ['kill leader', 'kill asked', 'freeze leader', 'freeze asked'] as const) {
    const leader = await etcd.leader()
    const asked = etcd.members.find(({ endpoint }) => endpoint === store.askedMember)!
    const victim = fault.endsWith('leader') ? leader : asked
    if (fault.startsWith('kill')) {
      await victim.kill()
      await goesOn()
      await victim.restart()
    } else {
      victim.pause()
      await goesOn()
      victim.resume()
      await victim.healthy()
    }
    await goesOn()
  }
  isOver = true
  await Promise.all([writing, keeping])
  await until(() => seen.keys.length >= written.length, 'the watch sees all')
  seen.isClosed = true
  assert.deepEqual(seen.keys, written)
  assert.deepEqual(
    seen.revisions,
    [...new Set(seen.revisions)].sort((a, b) => (a < b ? -1 : 1)),
  )
  assert.ok(seen.breaks > 0, 'no watch broke')
  assert.ok(shortestMs > 0, 'the lease ended though it was kept')
  const { entries } = await store.get(everything)
  assert.deepEqual(
    entries.map(({ key, version }) => [key, version]),
    written.map(key => [key, 1n]),
  )
})

// Each has an etcd of its own, and most of the time waits.
describe('etcd', { concurrency: 4 }, () => {
  test('revisions come whole though an answer comes in fragments', { skip }, async t => {
    const store = open(t, await start(t))
    const value = new Uint8Array(100_000).fill(7)
    for (let round = 0; round < 10; round++) {
      await store.txn(
        [],
        Array.from({ length: 10 }, (_, at) => put(`${round}/${at}`, value)),
      )
    }
    const sizes: number[] = []
    const revisions: bigint[] = []
    const watch = store.watch(everything, 2n, {
      events(batch, revision) {
        sizes.push(batch.length)
        revisions.push(revision)
      },
      compacted: () => assert.fail(),
      broken: error => assert.fail(error),
    })
    await until(() => sizes.length === 10, 'ten revisions')
    watch.close()
    assert.deepEqual(sizes, Array(10).fill(10))
    assert.deepEqual(revisions, [2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n, 10n, 11n])
  })

  test('more keys than fit a page are read as of one revision', { skip }, async t => {
    const store = open(t, await start(t))
    for (let round = 0; round < 25; round++) {
      await store.txn(
        [],
        Array.from({ length: 100 }, (_, at) => put(`k/${round}/${at}`, '1')),
      )
    }
    const reading = store.get({ prefix: 'k/' })
    await store.txn([], [put('k/0/0', '2'), put('k/9/99', '2')])
    const { entries, revision } = await reading
    assert.equal(entries.length, 2500)
    const mixed = entries.filter(({ modRevision }) => modRevision > revision)
    assert.deepEqual(mixed, [])
  })

  test('a watch of history that is gone says so', { skip }, async t => {
    const etcd = await start(t)
    const store = open(t, etcd)
    for (let round = 0; round < 5; round++) await store.txn([], [put('a', `${round}`)])
    assert.equal(etcd.members[0]!.etcdctl('compact', '5').status, 0)
    const compacted = await new Promise<bigint>((resolve, reject) => {
      store.watch(everything, 2n, {
        events: () => reject(new Error('it delivers events')),
        compacted: resolve,
        broken: reject,
      })
    })
    assert.equal(compacted, 5n)
    await assert.rejects(store.get(everything, 2n), StoreRequestError)
  })

  test('history is compacted that is older than an hour, no other', { skip }, async t => {
    const etcd = await start(t)
    let passedMs = 0
    let compact = () => {}
    const store = open(t, etcd, {
      clock: {
        ...clock,
        monotonicMs: () => clock.monotonicMs() + passedMs,
        timer(delayMs, run) {
          if (delayMs < 60_000) return clock.timer(delayMs, run)
          compact = run
          return { cancel() {} }
        },
      },
    })
    const isThere = (revision: bigint) =>
      store.get(everything, revision).then(
        () => true,
        () => false,
      )
    for (let round = 0; round < 14; round++) {
      await store.txn([], [put('a', `${round}`)])
      passedMs += 5 * 60_000
      compact()
    }
    await until(async () => !(await isThere(2n)), 'the first revision is gone')
    assert.equal(await isThere(5n), true)
  })

  test('a watch of a member that fell silent breaks', { skip }, async t => {
    const etcd = await start(t)
    const store = open(t, etcd, { sessionTimeoutMs: 3000 })
    const seen = follow(store, 2n)
    await store.txn([], [put('a', '1')])
    await until(() => seen.keys.length === 1, 'the watch is open')
    await delay(4000)
    assert.equal(seen.breaks, 0, 'a quiet watch is no dead one')
    etcd.members[0]!.pause()
    await until(() => seen.breaks > 0, 'the watch breaks', 10_000)
    etcd.members[0]!.resume()
    await store.txn([], [put('b', '1')]).catch(() => {})
    await until(() => seen.keys.includes('b'), 'the watch is open again')
    seen.isClosed = true
  })

  test('without an answer the error names each member and why', { skip }, async t => {
    const store = open(t, { endpoints: ['127.0.0.1:1', '127.0.0.1:2'] })
    await assert.rejects(store.txn([], [put('a', '1')]), {
      name: 'StoreUnavailableError',
      message: /127\.0\.0\.1:1: .*ECONNREFUSED.*; 127\.0\.0\.1:2: .*ECONNREFUSED/,
    })
    await store.close()
    await assert.rejects(store.get(everything), /closed/)
  })

  test('a server that is no etcd is told, whatever it answers', async t => {
    const http = createServer((_, answer) => answer.end('hello')).listen(0, '127.0.0.1')
    t.after(() => http.close())
    await once(http, 'listening')
    const { port } = http.address() as AddressInfo
    const endpoints = [`127.0.0.1:${port}`]
    for (const options of [{}, { tls: {} }]) {
      await assert.rejects(open(t, { endpoints }, options).get(everything), /is it etcd/)
    }
  })

  test('a transaction whose answer is lost is not sent again, a read is', async t => {
    const etcd = await start(t)
    const target = Number(etcd.endpoints[0]!.split(':')[1])
    let isHeld = false
    const clients = new Set<Socket>()
    // While it holds, nothing that etcd says arrives. What it says may be no answer: cutting at the first
    // bytes could be before the request is there.
    const proxy = createTcpServer(client => {
      clients.add(client)
      const server = connect(target, '127.0.0.1')
      client.on('data', chunk => server.write(chunk)).on('error', () => {})
      server.on('data', chunk => isHeld || client.write(chunk)).on('error', () => {})
      client.on('close', () => server.destroy())
    }).listen(0, '127.0.0.1')
    t.after(() => proxy.close())
    await once(proxy, 'listening')
    const endpoints = [`127.0.0.1:${(proxy.address() as AddressInfo).port}`, ...etcd.endpoints]
    const cut = () => {
      for (const client of clients) client.destroy()
      clients.clear()
    }

    const direct = open(t, etcd)
    const written = async () =>
      (await direct.get(everything)).entries.map(({ key, version }) => [key, version])
    const store = open(t, { endpoints })
    await store.get(everything)
    isHeld = true
    const lost = assert.rejects(store.txn([], [put('a', '1')]), StoreUnavailableError)
    await until(async () => (await written()).length > 0, 'etcd has the transaction')
    cut()
    await lost
    await store.get(everything)
    assert.deepEqual(await written(), [['a', 1n]])
    isHeld = false
    const reader = open(t, { endpoints })
    await reader.get(everything)
    isHeld = true
    const read = reader.get(everything)
    cut()
    assert.equal((await read).entries.length, 1)
    assert.equal(reader.askedMember, etcd.endpoints[0])
  })

  test('another etcd, or one with less history, is not taken for the one that was', async t => {
    const [first, second] = await Promise.all([start(t, { members: 3 }), start(t)])
    const both = [first.endpoints[0]!, second.endpoints[0]!]
    const store = open(t, { endpoints: both })
    await store.txn([], [put('a', '1')])
    await first.members[0]!.kill()
    // The first calls may end with the member that died.
    const refuses = async (from: EtcdStore) =>
      /not the etcd that it was/.test(String(await from.get(everything).catch(error => error)))
    await until(() => refuses(store), 'another etcd is refused')

    const other = open(t, second)
    await other.txn([], [put('a', '1')])
    await other.txn([], [put('a', '2')])
    await second.members[0]!.kill()
    rmSync(join(second.directory, 'm0'), { recursive: true })
    await second.members[0]!.restart()
    await until(() => refuses(other), 'an etcd with less history is refused')
  })

  test('what a member tells of itself is known', { skip }, async t => {
    const etcd = await start(t)
    const { versions, memberCount } = await open(t, etcd).version()
    assert.equal(memberCount, 1)
    assert.match(versions.join(), /^3\.\d+\.\d+/)
  })

  test('over TLS both sides are sure of each other', {
    skip: skip || (opensslMissing() ?? false),
  }, async t => {
    const directory = mkdtempSync(join(tmpdir(), 'ottla-tls-'))
    t.after(() => rmSync(directory, { recursive: true }))
    const files = makeCertificates(directory)
    const stranger = makeCertificates(directory, 'stranger')
    const etcd = await start(t, { tls: files })
    const read = (file: string) => readFileSync(file, 'utf8')
    const ca = read(files.ca)
    const tls = { ca, certificate: read(files.cert), key: read(files.key) }
    const store = open(t, etcd, { tls })
    await store.txn([], [put('a', '1')])
    assert.equal((await store.get(everything)).entries.length, 1)
    const refused: [EtcdOptions['tls'] | undefined, RegExp][] = [
      [{ ...tls, ca: read(stranger.ca) }, /ssl\.ca\.file says who vouches/],
      [{ ca, certificate: read(stranger.cert), key: read(stranger.key) }, /wants another one/],
      [{ ...tls, key: read(stranger.key) }, /do not belong together/],
      [{ ca }, /ssl\.certificate\.file/],
      [undefined, /say etcds:/],
    ]
    for (const [other, message] of refused) {
      const options = other === undefined ? {} : { tls: other }
      await assert.rejects(open(t, etcd, options).get(everything), {
        name: 'StoreUnavailableError',
        message,
      })
    }
  })

  test('a token that has ended is renewed; a wrong password is told', { skip }, async t => {
    const etcd = await start(t, { flags: ['--auth-token-ttl', '1', '--bcrypt-cost', '4'] })
    const member = etcd.members[0]!
    const done = (...parameters: string[]) => assert.equal(member.etcdctl(...parameters).status, 0)
    done('user', 'add', 'root:geheim')
    done('user', 'add', 'ottla:streng')
    done('role', 'add', 'ottla')
    done('role', 'grant-permission', 'ottla', '--prefix=true', 'readwrite', '/mine/')
    done('user', 'grant-role', 'ottla', 'ottla')
    done('auth', 'enable')
    const credentials = { user: 'ottla', password: 'streng' }
    const store = open(t, etcd, { credentials, namespace: '/mine/', sessionTimeoutMs: 1500 })
    const seen = follow(store, 2n)
    await store.txn([], [put('a', '1')])
    await until(() => seen.keys.length === 1, 'the watch is open')
    for (let round = 0; round < 3; round++) {
      await delay(2500)
      await store.txn([], [put(`b${round}`, '1')])
    }
    await until(() => seen.keys.length === 4, 'the watch goes on')
    // A watch that begins with a token that has ended.
    await delay(2500)
    const late = follow(store, 2n)
    await until(() => late.keys.length === 4, 'a late watch')
    const lease = await store.grantLease(60_000)
    await store.txn([], [{ put: 'c', value: new Uint8Array(1), lease }])
    await store.revokeLease(lease.id)
    seen.isClosed = late.isClosed = true

    const refusal = async (options: Partial<EtcdOptions>) => {
      const error = await open(t, etcd, options)
        .get({ prefix: 'x' })
        .catch(cause => cause)
      assert.ok(error instanceof StoreAccessError, String(error))
      assert.ok(!/streng|falsch/.test(error.message), error.message)
      return error.message
    }
    const wrong = { user: 'ottla', password: 'falsch' }
    assert.match(
      await refusal({ credentials: wrong, namespace: '/mine/' }),
      /authentication failed/,
    )
    assert.match(await refusal({ credentials, namespace: '/other/' }), /permission denied/)
    assert.match(await refusal({ namespace: '/mine/' }), /user name is empty/)
  })

  test('credentials that nobody asks for are told', { skip }, async t => {
    const credentials = { user: 'ottla', password: 'streng' }
    const store = open(t, await start(t), { credentials })
    await store.txn([], [put('a', '1')])
    assert.ok(warnings.some(line => line.includes('does not ask for credentials')))
  })
})
