import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Prng } from '../sim/random.ts'
import { type Op, StoreRequestError } from './io.ts'
import { type Step, StoreModel } from './store-model.ts'

const everything = { prefix: '' }
const one = new Uint8Array([1])
const lease = (id: bigint) => ({ id, keepAlive: async () => 0 })

/** The model in words that compare. */
function state(model: StoreModel) {
  return { ...model.get(everything), leases: model.content().leases, expiry: model.nextExpiryMs }
}

test('history keeps at least the revisions asked for, and not many more', () => {
  const model = new StoreModel({ historyRevisions: 10 })
  for (let at = 0; at < 5000; at++) {
    model.txn([], [{ put: `k${at % 3}`, value: one }])
    const kept = model.revision - model.oldestRevision + 1n
    assert.ok(kept >= BigInt(Math.min(at + 1, 10)) && kept <= 1010n, `${kept} after ${at}`)
  }
  assert.equal(model.eventsAt(model.oldestRevision - 1n, everything), undefined)
  assert.equal(model.eventsAt(model.oldestRevision, everything)?.length, 1)
  assert.equal(model.eventsAt(model.revision, everything)?.length, 1)
  assert.equal(model.eventsAt(model.revision + 1n, everything), undefined)
  assert.throws(() => model.get(everything, 5n), StoreRequestError)
  assert.equal(model.get(everything, model.oldestRevision - 1n).entries.length, 3)
})

test('a lease shorter than the smallest is granted as that one', () => {
  const model = new StoreModel({ minTtlMs: 2000 })
  model.grant(5n, 1000, 0)
  assert.equal(model.keepAlive(5n, 100), 2000)
  assert.deepEqual(model.expired(2099), [])
  assert.deepEqual(model.expired(2100), [5n])
  assert.throws(() => model.grant(5n, 1000, 0), /taken/)
})

test('steps replayed, and a snapshot with later steps, give the same store', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = new Prng(seed)
    const model = new StoreModel()
    const steps: Step[] = []
    let snapshot = { content: model.content(), steps: 0 }
    const key = () => `k${random.below(6)}`
    for (let round = 0; round < 60; round++) {
      const leases = model.content().leases.map(({ id }) => id)
      const some = leases[random.below(leases.length)]
      const choice = random.below(8)
      if (choice === 0) steps.push(model.grant(BigInt(round + 1), 1000 * round, 0))
      else if (choice === 1 && some !== undefined) steps.push(model.revoke(some))
      else if (choice === 2) snapshot = { content: model.content(), steps: steps.length }
      else {
        const put: Op = {
          put: key(),
          value: random.bytes(3),
          ...(some !== undefined && random.chance(0.5) && { lease: lease(some) }),
        }
        const taken: Op = { delete: random.chance(0.2) ? { prefix: 'z' } : { key: `z${key()}` } }
        steps.push(model.txn([], [put, taken, { delete: { key: `${put.put}x` } }]).step)
        if (random.chance(0.2)) steps.push(model.txn([], [{ delete: { key: key() } }]).step)
      }
    }
    const replayed = new StoreModel()
    for (const step of steps) replayed.replay(step, 0)
    assert.deepEqual(state(replayed), state(model), `seed ${seed}`)
    const restored = new StoreModel()
    restored.restore(snapshot.content, 0)
    for (const step of steps.slice(snapshot.steps)) restored.replay(step, 0)
    assert.deepEqual(state(restored), state(model), `seed ${seed}`)
    for (const { id } of model.content().leases) {
      assert.deepEqual(restored.revoke(id), model.revoke(id), `seed ${seed}`)
    }
  }
})
