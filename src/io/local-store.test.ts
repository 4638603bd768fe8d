import assert from 'node:assert/strict'
import { test } from 'node:test'
import { simulated, type World } from '../sim/world.ts'
import {
  DiskError,
  type MetadataStore,
  type Op,
  type StoreEvent,
  StoreUnavailableError,
} from './io.ts'
import { openLocalStore, StoreDamagedError } from './local-store.ts'
import { storeBehaviours } from './store-conformance.ts'

const logPath = '/data/ottla-metadata.log'
const snapshotPath = '/data/ottla-metadata.snapshot'
const everything = { prefix: '' }
const put = (key: string, value: string): Op => ({
  put: key,
  value: new TextEncoder().encode(value),
})

async function dump(store: MetadataStore): Promise<string> {
  const { entries, revision } = await store.get(everything)
  const said = entries.map(
    ({ key, value, createRevision, modRevision, version }) =>
      `${key}=${new TextDecoder().decode(value)}@${createRevision},${modRevision},${version}`,
  )
  return [`revision ${revision}`, ...said].join(' ')
}

const open = (world: World) => openLocalStore(world.io(), '/data')

for (const { name, check } of storeBehaviours) {
  test(`embedded store: ${name}`, async () => {
    for (let seed = 1; seed <= 3; seed++) {
      await simulated(seed).run(async world => {
        const store = await open(world)
        await check({ store, another: () => store, sleep: ms => world.sleep(ms) })
        await store.close()
      })
    }
  })
}

test('a store opened again has keys, revisions and history as they were', async () => {
  await simulated().run(async world => {
    const first = await open(world)
    await first.txn([], [put('a', '1'), put('b', '1')])
    await first.txn([], [put('a', '2'), { delete: { key: 'b' } }])
    const before = await dump(first)
    await first.close()
    await assert.rejects(first.txn([], []), StoreUnavailableError)
    const second = await open(world)
    assert.equal(await dump(second), before)
    const revisions: bigint[] = []
    second.watch(everything, 2n, {
      events: (_, revision) => void revisions.push(revision),
      compacted: () => assert.fail(),
      broken: () => assert.fail(),
    })
    await second.txn([], [put('c', '3')])
    await world.sleep(1)
    assert.deepEqual(revisions, [2n, 3n, 4n])
  })
})

test('an answered transaction survives kills and power losses, and none is half done', async () => {
  for (let seed = 1; seed <= 60; seed++) {
    await simulated(seed).run(async world => {
      const random = world.random('workload')
      let next = 0
      for (let life = 0; life < 5; life++) {
        const store = await open(world)
        const { entries } = await store.get(everything)
        const values = new Set(entries.map(({ value }) => new TextDecoder().decode(value)))
        // x and y are always written together, with the number of the transaction.
        assert.ok(values.size <= 1, `seed ${seed}: half a transaction: ${await dump(store)}`)
        const known = Number([...values][0] ?? 0)
        assert.ok(known >= next, `seed ${seed}: ${next} was answered, ${known} is there`)
        next = known
        const crashAt = world.sleep(random.between(0, 40))
        const run = async () => {
          for (let number = known + 1; ; number++) {
            const filler = 'f'.repeat(random.below(1500))
            await store.txn([], [put('x', `${number}`), put('y', `${number}`)])
            next = number
            void store.txn([], [put('filler', filler), { delete: { key: 'filler ' } }])
            void store.txn([], [{ delete: { key: 'filler' } }])
          }
        }
        void run()
        await crashAt
        if (random.chance(0.5)) world.kill()
        else world.powerLoss()
      }
    })
  }
})

test('what was read once stays, though the writer died before its sync', async () => {
  let shown = 0
  for (let seed = 1; seed <= 30; seed++) {
    await simulated(seed).run(async world => {
      const first = await open(world)
      void first.txn([], [put('a', '1')])
      await world.sleep(0.4)
      world.kill()
      const second = await open(world)
      const before = await dump(second)
      if (before !== 'revision 1') shown++
      world.powerLoss()
      assert.equal(await dump(await open(world)), before, `seed ${seed}`)
    })
  }
  assert.ok(shown > 0, 'no seed wrote without a sync')
})

test('what a failed sync left in the page cache is written anew before it is shown', async () => {
  await simulated().run(async world => {
    const first = await open(world)
    world.disk().fault = operation => (operation === 'sync' ? 'EIO' : undefined)
    await assert.rejects(first.txn([], [put('a', '1')]), StoreUnavailableError)
    world.disk().fault = undefined
    world.kill()
    assert.match(await dump(await open(world)), /^revision 2 a=1/)
    world.powerLoss()
    assert.match(await dump(await open(world)), /^revision 2 a=1/)
  })
})

test('concurrent transactions share a sync', async () => {
  await simulated().run(async world => {
    const store = await open(world)
    let syncs = 0
    world.disk().fault = operation => {
      if (operation === 'sync') syncs++
      return undefined
    }
    const txns = Array.from({ length: 100 }, (_, at) => store.txn([], [put(`k${at}`, 'v')]))
    const revisions = (await Promise.all(txns)).map(({ revision }) => Number(revision))
    assert.deepEqual(
      revisions,
      Array.from({ length: 100 }, (_, at) => at + 2),
    )
    assert.ok(syncs <= 2, `${syncs} syncs`)
  })
})

test('leases and their keys are there after a restart, for a full TTL or until revoked', async () => {
  await simulated().run(async world => {
    const first = await open(world)
    const value = new Uint8Array(1)
    const short = await first.grantLease(2000)
    const long = await first.grantLease(60_000)
    await first.txn([], [{ put: 'short', value, lease: short }])
    await first.txn([], [{ put: 'long', value, lease: long }])
    await world.sleep(1500)
    world.kill()
    const second = await open(world)
    await world.sleep(1500)
    assert.equal((await second.get({ key: 'short' })).entries[0]?.lease, short.id)
    await world.sleep(1000)
    assert.deepEqual((await second.get({ key: 'short' })).entries, [])
    await second.revokeLease(long.id)
    assert.deepEqual((await second.get(everything)).entries, [])
    world.kill()
    assert.equal(await dump(await open(world)), 'revision 5')
  })
})

test('a long log becomes a snapshot, and a crash at any moment of it loses nothing', async () => {
  for (let seed = 1; seed <= 12; seed++) {
    await simulated(seed).run(async world => {
      const store = await open(world)
      const lease = await store.grantLease(60_000)
      const value = new Uint8Array(1_000_000)
      for (let at = 0; at < 5; at++) await store.txn([], [{ put: `k${at % 2}`, value, lease }])
      assert.equal(world.disk().content(snapshotPath), undefined)
      const answered: number[] = []
      for (let at = 0; at < 4; at++) {
        void store.txn([], [put('n', `${at}`)]).then(() => answered.push(at))
      }
      await world.sleep(seed)
      if (seed % 2 === 0) world.kill()
      else world.powerLoss()
      const again = await open(world)
      const { entries } = await again.get({ key: 'n' })
      const last =
        entries[0] === undefined ? -1 : Number(new TextDecoder().decode(entries[0].value))
      assert.ok(last >= (answered.at(-1) ?? -1), `seed ${seed}`)
      await again.txn([], [put('n', 'after')])
      assert.ok((world.disk().content(snapshotPath)?.length ?? 0) > 2_000_000)
      assert.ok(world.disk().content(logPath)!.length < 1_000_000)
      world.powerLoss()
      const third = await open(world)
      assert.match(await dump(third), /n=after@/)
      assert.equal((await third.get({ key: 'k1' })).entries[0]?.lease, lease.id)
    })
  }
})

test('history before the snapshot answers compacted', async () => {
  await simulated().run(async world => {
    const store = await open(world)
    const value = new Uint8Array(1_400_000)
    for (let at = 0; at < 5; at++) await store.txn([], [{ put: 'k', value }])
    await store.close()
    const again = await open(world)
    const said: string[] = []
    again.watch(everything, 2n, {
      events: (batch: readonly StoreEvent[]) => void said.push(`${batch.length}`),
      compacted: revision => void said.push(`compacted ${revision}`),
      broken: () => assert.fail(),
    })
    await world.sleep(1)
    assert.deepEqual(said, ['compacted 6'])
  })
})

test('damage with whole transactions behind it is refused and nothing is cut', async () => {
  await simulated().run(async world => {
    const store = await open(world)
    for (let at = 0; at < 5; at++) await store.txn([], [put(`k${at}`, 'v'.repeat(100))])
    await store.close()
    const size = world.disk().content(logPath)!.length
    for (const position of [4, 8, 30, 200]) {
      world.disk().flip(logPath, position)
      await assert.rejects(open(world), (error: Error) => {
        assert.ok(error instanceof StoreDamagedError)
        assert.match(error.message, /ottla-metadata\.log is damaged at byte \d+/)
        return true
      })
      world.disk().flip(logPath, position)
    }
    assert.equal(world.disk().content(logPath)!.length, size)
    assert.match(await dump(await open(world)), /k4=/)
  })
})

test('a torn tail is cut, with a warning', async () => {
  await simulated().run(async world => {
    const store = await open(world)
    await store.txn([], [put('a', '1')])
    await store.txn([], [put('b', '2'.repeat(1000))])
    await store.close()
    const file = await world.io().disk.open(logPath)
    await file.truncate((await file.size()) - 1)
    const again = await open(world)
    assert.equal(await dump(again), 'revision 2 a=1@2,2,1')
    await again.txn([], [put('c', '3')])
    await again.close()
    assert.equal(await dump(await open(world)), 'revision 3 a=1@2,2,1 c=3@3,3,1')
    assert.deepEqual(
      world.reported.map(({ level, message }) => `${level}: ${message}`),
      ['warn: cut an unfinished write of the last run'],
    )
  })
})

test('a damaged, lost or older snapshot is refused', async () => {
  await simulated().run(async world => {
    const { disk } = world.io()
    const value = new Uint8Array(1_400_000)
    const rounds = async (count: number) => {
      const store = await open(world)
      for (let at = 0; at < count; at++) await store.txn([], [{ put: 'k', value }])
      await store.close()
    }
    await rounds(5)
    const older = world.disk().content(snapshotPath)!
    await rounds(6)
    world.disk().flip(snapshotPath, 1000)
    await assert.rejects(open(world), StoreDamagedError)
    await disk.remove(snapshotPath)
    await assert.rejects(open(world), /does not belong to/)
    await disk.replaceFile(snapshotPath, older)
    await assert.rejects(open(world), /does not belong to/)
  })
})

test('a disk error ends the store: no answer is given that might be lost', async () => {
  for (const [operation, code] of [
    ['sync', 'EIO'],
    ['sync', 'ENOSPC'],
    ['write', 'EIO'],
  ] as const) {
    await simulated().run(async world => {
      const store = await open(world)
      await store.txn([], [put('a', '1')])
      const said: string[] = []
      store.watch(everything, 0n, {
        events: () => void said.push('events'),
        compacted: () => void said.push('compacted'),
        broken: error => void said.push(error.name),
      })
      world.disk().fault = what => (what === operation ? code : undefined)
      const failing = store.txn([], [put('a', '2')])
      const reading = store.get(everything)
      await assert.rejects(failing, (error: Error) => {
        assert.ok(error instanceof StoreUnavailableError)
        assert.ok(error.cause instanceof DiskError && error.cause.code === code)
        return true
      })
      await assert.rejects(reading, StoreUnavailableError)
      await assert.rejects(store.grantLease(1000), StoreUnavailableError)
      world.disk().fault = undefined
      await assert.rejects(store.get(everything), StoreUnavailableError)
      assert.deepEqual(said, ['StoreUnavailableError'])
      await store.close()
      assert.match(await dump(await open(world)), /^revision [23] a=/)
    })
  }
})

test('on a full disk changes wait for room, and nothing is answered or shown before', async () => {
  await simulated().run(async world => {
    let said = 0
    const store = await openLocalStore(world.io(), '/data', () => assert.fail())
    await store.txn([], [put('a', '1')])
    store.watch(everything, 3n, {
      events: () => void said++,
      compacted: () => assert.fail(),
      broken: () => assert.fail(),
    })
    // Half of the frame fits.
    world.disk().capacityBytes = world.disk().usedBytes + 30
    let answered = 0
    const change = store.txn([], [put('a', '2'.repeat(100))]).then(() => void answered++)
    const reading = store.get(everything).then(() => void answered++)
    await world.sleep(5000)
    assert.deepEqual([answered, said], [0, 0])
    world.disk().capacityBytes = 2 ** 39
    await Promise.all([change, reading])
    await store.txn([], [put('b', '3')])
    const before = await dump(store)
    world.kill()
    world.start()
    assert.equal(await dump(await open(world)), before)
    assert.ok(said > 0)
  })
})

test('a kill while a change waits for room leaves what was answered', async () => {
  await simulated().run(async world => {
    const store = await open(world)
    await store.txn([], [put('a', '1')])
    const before = await dump(store)
    world.disk().capacityBytes = world.disk().usedBytes + 30
    void store.txn([], [put('a', '2'.repeat(100))]).catch(() => {})
    await world.sleep(5000)
    world.kill()
    world.start()
    world.disk().capacityBytes = 2 ** 39
    assert.equal(await dump(await open(world)), before)
  })
})

test('a store that is closed while it waits for room tells those who wait', async () => {
  await simulated().run(async world => {
    const store = await openLocalStore(world.io(), '/data', () => assert.fail())
    await store.txn([], [put('a', '1')])
    world.disk().fault = what => (what === 'write' ? 'ENOSPC' : undefined)
    const change = assert.rejects(store.txn([], [put('a', '2')]), StoreUnavailableError)
    await world.sleep(1500)
    await store.close()
    await change
  })
})
