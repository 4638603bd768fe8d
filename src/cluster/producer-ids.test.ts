import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UnreliableStore } from '../sim/cluster-node.ts'
import { simulated } from '../sim/world.ts'
import { ProducerIds } from './producer-ids.ts'
import { Transactor } from './transact.ts'

test('no producer id is given twice, by any broker, though answers are lost', () =>
  simulated().run(async world => {
    const given: number[] = []
    const brokers = ['a', 'b', 'c'].map(async host => {
      const store = new UnreliableStore(world.store(host))
      store.fates.push('unanswered', 'lost', 'ok', 'unanswered', 'unanswered')
      const transactor = new Transactor(world.io(host).clock, store, host)
      const ids = new ProducerIds(store, transactor)
      for (let i = 0; i < 50; i++) {
        // Many at once across the end of a block: they share the one that is taken.
        const wanted = Array.from({ length: 55 }, () => ids.next())
        given.push(...(await Promise.all(wanted)))
      }
    })
    await Promise.all(brokers)
    assert.equal(given.length, 3 * 50 * 55)
    assert.equal(new Set(given).size, given.length)
    assert.equal(Math.min(...given), 0)
    // Nine blocks would do. One is lost where another broker wrote before ours was known to be there.
    assert.ok(Math.max(...given) < (9 + 9) * 1000, String(Math.max(...given)))
  }))
