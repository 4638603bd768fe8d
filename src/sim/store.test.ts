import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type StoreEvent, StoreUnavailableError } from '../io/io.ts'
import { storeBehaviours } from '../io/store-conformance.ts'
import type { StoreFault } from './store.ts'
import { StoreHistory } from './store-history.ts'
import { simulated } from './world.ts'

const one = new Uint8Array([1])

for (const { name, check } of storeBehaviours) {
  test(`simulated store: ${name}`, async () => {
    for (let seed = 1; seed <= 5; seed++) {
      const world = simulated(seed)
      const history = new StoreHistory(2000)
      world.metadata.history = history
      const underTest = {
        store: world.store('a'),
        another: () => world.store('b'),
        sleep: (ms: number) => world.sleep(ms),
      }
      await world.run(() => check(underTest))
      history.checkDelivered(world.nowMs - 10)
      assert.equal(history.failure, undefined)
    }
  })
}

test('a request of a process that dies may still take effect; its lease runs out', async () => {
  const outcomes = new Set<number>()
  for (let seed = 1; seed <= 20; seed++) {
    await simulated(seed).run(async world => {
      const lease = await world.store('a').grantLease(3000)
      void world.store('a').txn([], [{ put: 'k', value: one, lease }])
      await world.sleep(1)
      world.kill('a')
      await world.sleep(10)
      outcomes.add((await world.store('b').get({ key: 'k' })).entries.length)
      await world.sleep(4000)
      assert.deepEqual((await world.store('b').get({ key: 'k' })).entries, [])
    })
  }
  assert.deepEqual([...outcomes], [1])
})

test('an unanswered transaction has not happened, has happened, or happens later', async () => {
  await simulated().run(async world => {
    const store = world.store()
    const after = async (fault: StoreFault) => {
      world.metadata.fault = kind => (kind === 'txn' ? fault : undefined)
      await assert.rejects(store.txn([], [{ put: fault, value: one }]), StoreUnavailableError)
      const count = async () => (await store.get({ key: fault })).entries.length
      const first = await count()
      await world.sleep(100)
      return [first, await count()]
    }
    assert.deepEqual(await after('lost'), [0, 0])
    assert.deepEqual(await after('answer lost'), [1, 1])
    assert.deepEqual(await after('late'), [0, 1])
  })
})

test('a watch ends as broken on request, and as compacted when history is gone', async () => {
  await simulated().run(async world => {
    const store = world.store()
    const said: string[] = []
    const sink = {
      events: (batch: readonly StoreEvent[]) => void said.push(`${batch.length} events`),
      compacted: (revision: bigint) => void said.push(`compacted ${revision}`),
      broken: (error: Error) => void said.push(error.name),
    }
    store.watch({ prefix: '' }, 2n, sink)
    world.metadata.breakWatches()
    for (let at = 0; at < 5; at++) await store.txn([], [{ put: 'k', value: one }])
    world.metadata.compact(4n)
    store.watch({ prefix: '' }, 2n, sink)
    await world.sleep(50)
    assert.deepEqual(said, ['StoreUnavailableError', 'compacted 4'])
    await store.close()
    await assert.rejects(store.get({ key: 'k' }), StoreUnavailableError)
  })
})

test('a machine that is cut off gets no answers and no events until it is back', async () => {
  await simulated().run(async world => {
    const store = world.store('a')
    const seen: bigint[] = []
    store.watch({ prefix: '' }, 0n, {
      events: (_, revision) => void seen.push(revision),
      compacted() {},
      broken() {},
    })
    world.metadata.cutOff('a')
    const put = { put: 'key', value: new Uint8Array(1) }
    await assert.rejects(store.txn([], [put]), StoreUnavailableError)
    const { revision } = await world.store('b').txn([], [put])
    await world.sleep(1000)
    assert.deepEqual(seen, [])
    world.metadata.rejoin('a')
    await world.sleep(100)
    assert.deepEqual(seen, [revision])
  })
})
