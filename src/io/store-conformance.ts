/**
 * What every metadata store does, as one list of behaviours: embedded, simulated, etcd.
 *
 * Facts and figures are those of etcd 3.4 (replication.md §2). Each behaviour starts from an empty
 * store. Times are generous in one direction only: a lease may end late, never early.
 */

import assert from 'node:assert/strict'
import {
  type Compare,
  type Entry,
  type KeyRange,
  type MetadataStore,
  maxTxnBytes,
  maxTxnOperations,
  type Op,
  type StoreEvent,
  StoreRequestError,
} from './io.ts'

/** A store under test, fresh and empty, and a way to let its time pass. */
export interface StoreUnderTest {
  readonly store: MetadataStore
  /** One more handle to the same store, as another process would have it. */
  another(): MetadataStore
  sleep(ms: number): Promise<void>
}

/** One behaviour; `check` throws when the store does not have it. */
export interface StoreBehaviour {
  readonly name: string
  readonly check: (underTest: StoreUnderTest) => Promise<void>
}

const text = (value: Uint8Array) => new TextDecoder().decode(value)
const bytes = (value: string) => new TextEncoder().encode(value)
const put = (key: string, value: string): Op => ({ put: key, value: bytes(value) })
const everything: KeyRange = { prefix: '' }

const summary = (entries: readonly Entry[]) =>
  entries.map(({ key, value }) => `${key}=${text(value)}`).join(' ')

/** What a watch delivered, one string a revision: `revision: key=value -key`. */
function recorder() {
  const lines: string[] = []
  const said = (event: StoreEvent) =>
    event.type === 'put' ? summary([event.entry]) : `-${event.key}`
  return {
    lines,
    events(batch: readonly StoreEvent[], revision: bigint) {
      for (const event of batch) {
        const at = event.type === 'put' ? event.entry.modRevision : event.modRevision
        assert.equal(at, revision)
      }
      lines.push(`${revision}: ${batch.map(said).join(' ')}`)
    },
    compacted: (revision: bigint) => void lines.push(`compacted ${revision}`),
    broken: (error: Error) => void lines.push(`broken ${error.name}`),
  }
}

/** Waits until the watch has said so much. */
async function until({ sleep }: StoreUnderTest, lines: readonly string[], count: number) {
  for (let tries = 0; lines.length < count && tries < 200; tries++) await sleep(20)
  assert.ok(lines.length >= count, `the watch said only: ${lines.join(', ')}`)
}

const revisions: StoreBehaviour[] = [
  {
    name: 'a fresh store is empty and at revision 1',
    async check({ store }) {
      assert.deepEqual(await store.get(everything), { entries: [], revision: 1n })
      assert.deepEqual(await store.get({ key: 'a' }), { entries: [], revision: 1n })
    },
  },
  {
    name: 'a transaction takes one revision for all its keys',
    async check({ store }) {
      const result = await store.txn([], [put('a', '1'), put('b', '2')])
      assert.deepEqual(result, { succeeded: true, revision: 2n, responses: [[], []] })
      for (const entry of (await store.get(everything)).entries) {
        assert.equal(entry.createRevision, 2n)
        assert.equal(entry.modRevision, 2n)
        assert.equal(entry.version, 1n)
        assert.equal(entry.lease, 0n)
      }
    },
  },
  {
    name: 'a put counts the version up and keeps createRevision until the key is deleted',
    async check({ store }) {
      await store.txn([], [put('a', '1')])
      await store.txn([], [put('a', '2')])
      const second = (await store.get({ key: 'a' })).entries[0]!
      assert.deepEqual(
        [second.createRevision, second.modRevision, second.version, text(second.value)],
        [2n, 3n, 2n, '2'],
      )
      await store.txn([], [{ delete: { key: 'a' } }])
      await store.txn([], [put('a', '3')])
      const third = (await store.get({ key: 'a' })).entries[0]!
      assert.deepEqual([third.createRevision, third.modRevision, third.version], [5n, 5n, 1n])
    },
  },
  {
    name: 'a transaction that changes nothing takes no revision',
    async check({ store }) {
      await store.txn([], [put('a', '1')])
      for (const ops of [[], [{ get: everything }], [{ delete: { key: 'absent' } }]] as Op[][]) {
        assert.equal((await store.txn([], ops)).revision, 2n)
      }
      assert.equal((await store.get(everything)).revision, 2n)
    },
  },
  {
    name: 'a prefix gets and deletes its keys in order, no others',
    async check({ store }) {
      await store.txn(
        [],
        ['b/2', 'a', 'b/1', 'b', 'c'].map(key => put(key, 'x')),
      )
      const { entries } = await store.get({ prefix: 'b/' })
      assert.equal(summary(entries), 'b/1=x b/2=x')
      await store.txn([], [{ delete: { prefix: 'b' } }])
      assert.equal(summary((await store.get(everything)).entries), 'a=x c=x')
    },
  },
  {
    name: 'a read in the past sees what was there, one in the future is refused',
    async check({ store }) {
      await store.txn([], [put('a', '1'), put('b', '1')])
      await store.txn([], [put('a', '2'), { delete: { key: 'b' } }])
      await store.txn([], [put('c', '3')])
      assert.equal(summary((await store.get(everything, 2n)).entries), 'a=1 b=1')
      assert.equal(summary((await store.get(everything, 3n)).entries), 'a=2')
      assert.equal(summary((await store.get({ key: 'a' }, 2n)).entries), 'a=1')
      assert.equal((await store.get(everything, 2n)).revision, 4n)
      await assert.rejects(store.get(everything, 99n), StoreRequestError)
    },
  },
  {
    name: 'values of all bytes and keys of all letters come back as they were',
    async check({ store }) {
      const value = Uint8Array.from({ length: 256 }, (_, at) => at)
      await store.txn([], [{ put: 'žába/é', value }])
      const { entries } = await store.get({ prefix: 'žá' })
      assert.deepEqual(Uint8Array.from(entries[0]!.value), value)
      assert.equal(entries[0]!.key, 'žába/é')
    },
  },
]

const transactions: StoreBehaviour[] = [
  {
    name: 'an absent key compares as 0 in every target',
    async check({ store }) {
      const targets = ['createRevision', 'modRevision', 'version', 'lease'] as const
      const compares = targets.map(target => ({ key: 'a', target, equals: 0n }))
      assert.equal((await store.txn(compares, [put('a', '1')])).succeeded, true)
      for (const target of targets.slice(0, 3)) {
        const result = await store.txn([{ key: 'a', target, equals: 0n }], [put('a', '2')])
        assert.equal(result.succeeded, false, target)
      }
    },
  },
  {
    name: 'compares that hold take the first branch, else the other one runs and is answered',
    async check({ store }) {
      await store.txn([], [put('a', '1')])
      const at = (equals: bigint): Compare => ({ key: 'a', target: 'modRevision', equals })
      const failed = await store.txn([at(7n)], [put('a', 'x')], [{ get: { key: 'a' } }])
      assert.equal(failed.succeeded, false)
      assert.equal(summary(failed.responses[0]!), 'a=1')
      assert.equal(failed.revision, 2n)
      const passed = await store.txn([at(2n)], [put('a', '2'), { get: { key: 'a' } }])
      assert.deepEqual([passed.succeeded, passed.revision], [true, 3n])
      assert.equal(summary(passed.responses[1]!), 'a=2', 'a get sees the puts before it')
    },
  },
  {
    name: 'of transactions that compare the same revision one succeeds',
    async check({ store, another }) {
      await store.txn([], [put('a', '0')])
      const other = another()
      const compare: Compare = { key: 'a', target: 'modRevision', equals: 2n }
      const attempts = Array.from({ length: 10 }, (_, at) =>
        (at % 2 === 0 ? store : other).txn([compare], [put('a', `${at}`)]),
      )
      const results = await Promise.all(attempts)
      assert.equal(results.filter(({ succeeded }) => succeeded).length, 1)
      assert.equal((await store.get(everything)).revision, 3n)
    },
  },
  {
    name: 'more than 128 operations, or a key put twice, is refused without effect',
    async check({ store }) {
      const puts = (count: number) => Array.from({ length: count }, (_, at) => put(`k${at}`, ''))
      await assert.rejects(store.txn([], puts(maxTxnOperations + 1)), StoreRequestError)
      await assert.rejects(store.txn([], [], puts(maxTxnOperations + 1)), StoreRequestError)
      await assert.rejects(store.txn([], [put('a', '1'), put('a', '2')]), StoreRequestError)
      const overlapping: Op[] = [{ delete: { prefix: 'a' } }, put('ab', '2')]
      await assert.rejects(store.txn([], overlapping), StoreRequestError)
      assert.equal((await store.get(everything)).revision, 1n)
      assert.equal((await store.txn([], puts(maxTxnOperations))).succeeded, true)
    },
  },
  {
    name: 'a transaction over 1.5 MiB is refused, one of 1 MiB is not',
    async check({ store }) {
      const large = (size: number): Op => ({ put: 'a', value: new Uint8Array(size) })
      await assert.rejects(store.txn([], [large(maxTxnBytes)]), StoreRequestError)
      await store.txn([], [large(1024 * 1024)])
      const { entries } = await store.get({ key: 'a' })
      assert.equal(entries[0]!.value.length, 1024 * 1024)
    },
  },
  {
    name: 'what one process wrote the other reads',
    async check({ store, another }) {
      await store.txn([], [put('a', '1')])
      assert.equal(summary((await another().get(everything)).entries), 'a=1')
    },
  },
]

const watches: StoreBehaviour[] = [
  {
    name: 'a watch delivers whole revisions of its range, in order, none missing',
    async check(underTest) {
      const { store, another } = underTest
      const seen = recorder()
      await store.txn([], [put('a/1', '1'), put('z', 'z')])
      const watch = another().watch({ prefix: 'a/' }, 2n, seen)
      await store.txn([], [put('a/2', '2'), put('a/3', '3')])
      await store.txn([], [put('z', 'y')])
      await Promise.all([
        store.txn([], [put('a/4', '4')]),
        store.txn([], [{ delete: { prefix: 'a/1' } }]),
      ])
      await until(underTest, seen.lines, 4)
      const [first, second, ...rest] = seen.lines
      assert.deepEqual([first, second], ['2: a/1=1', '3: a/2=2 a/3=3'])
      assert.deepEqual(rest.map(line => line.slice(3)).sort(), ['-a/1', 'a/4=4'])
      assert.deepEqual(
        rest.map(line => line.slice(0, 2)),
        ['5:', '6:'],
      )
      watch.close()
    },
  },
  {
    name: 'a watch of one key does not see its neighbours',
    async check(underTest) {
      const seen = recorder()
      underTest.store.watch({ key: 'a' }, 2n, seen)
      await underTest.store.txn([], [put('ab', '1')])
      await underTest.store.txn([], [put('a', '2')])
      await until(underTest, seen.lines, 1)
      assert.deepEqual(seen.lines, ['3: a=2'])
    },
  },
  {
    name: 'a watch from a revision to come waits for it',
    async check(underTest) {
      const seen = recorder()
      underTest.store.watch(everything, 4n, seen)
      for (const value of ['1', '2', '3']) await underTest.store.txn([], [put('a', value)])
      await until(underTest, seen.lines, 1)
      assert.deepEqual(seen.lines, ['4: a=3'])
    },
  },
  {
    name: 'a closed watch is silent, and other watches go on',
    async check(underTest) {
      const closed = recorder()
      const open = recorder()
      const watch = underTest.store.watch(everything, 2n, closed)
      underTest.store.watch(everything, 2n, open)
      watch.close()
      await underTest.store.txn([], [put('a', '1')])
      await until(underTest, open.lines, 1)
      assert.deepEqual(closed.lines, [])
    },
  },
]

const leases: StoreBehaviour[] = [
  {
    name: 'keys go with the end of their lease: not early, and within seconds',
    async check(underTest) {
      const { store, sleep } = underTest
      const seen = recorder()
      const lease = await store.grantLease(2000)
      await store.txn([], [{ put: 'a', value: bytes('1'), lease }, put('b', '2')])
      assert.equal((await store.get({ key: 'a' })).entries[0]!.lease, lease.id)
      store.watch(everything, 3n, seen)
      await sleep(1500)
      assert.equal(summary((await store.get(everything)).entries), 'a=1 b=2')
      await sleep(3500)
      assert.equal(summary((await store.get(everything)).entries), 'b=2')
      await until(underTest, seen.lines, 1)
      assert.deepEqual(seen.lines, ['3: -a'])
    },
  },
  {
    name: 'keepAlive starts the TTL again; of a lease that is over it answers 0',
    async check({ store, sleep }) {
      const lease = await store.grantLease(2000)
      await store.txn([], [{ put: 'a', value: bytes('1'), lease }])
      for (let round = 0; round < 4; round++) {
        await sleep(1000)
        const leftMs = await lease.keepAlive()
        assert.ok(leftMs > 0 && leftMs <= 2000, `${leftMs} ms left`)
      }
      assert.equal((await store.get({ key: 'a' })).entries.length, 1)
      await sleep(5000)
      assert.equal(await lease.keepAlive(), 0)
      assert.equal((await store.get({ key: 'a' })).entries.length, 0)
    },
  },
  {
    name: 'a revoked lease takes its keys in one revision, from any process, and refuses puts',
    async check({ store, another }) {
      const lease = await store.grantLease(60_000)
      await store.txn(
        [],
        ['a', 'b'].map(key => ({ put: key, value: bytes('1'), lease })),
      )
      await another().revokeLease(lease.id)
      assert.deepEqual(await store.get(everything), { entries: [], revision: 3n })
      assert.equal(await lease.keepAlive(), 0)
      const late: Op = { put: 'c', value: bytes('1'), lease }
      await assert.rejects(store.txn([], [put('d', '1'), late]), StoreRequestError)
      assert.deepEqual(await store.get(everything), { entries: [], revision: 3n })
      await store.revokeLease(lease.id)
    },
  },
  {
    name: 'a lease is looked for in the branch that is taken only',
    async check({ store }) {
      const lease = await store.grantLease(60_000)
      await store.revokeLease(lease.id)
      const exists: Compare = { key: 'absent', target: 'version', equals: 1n }
      const late: Op = { put: 'a', value: bytes('1'), lease }
      assert.equal((await store.txn([exists], [late])).succeeded, false)
    },
  },
  {
    name: 'a put without the lease, or a delete, takes a key off its lease',
    async check({ store }) {
      const lease = await store.grantLease(60_000)
      const leased = (key: string): Op => ({ put: key, value: bytes('1'), lease })
      await store.txn([], [leased('a'), leased('b'), leased('c')])
      await store.txn([], [put('a', '2'), { delete: { key: 'b' } }])
      await store.txn([], [put('b', '3')])
      await store.revokeLease(lease.id)
      assert.equal(summary((await store.get(everything)).entries), 'a=2 b=3')
    },
  },
]

/** All behaviours: run each with a fresh store. */
export const storeBehaviours: readonly StoreBehaviour[] = [
  ...revisions,
  ...transactions,
  ...watches,
  ...leases,
]
