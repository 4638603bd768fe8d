/** The checker of test/cluster finds what it is there for. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ledger } from './cluster/ledger.ts'

const good = {
  lost: 0,
  duplicates: 0,
  outOfOrder: 0,
  shownThenGone: 0,
  skipped: 0,
  elsewhere: 0,
}

/** Two producers have written two messages each; a reader was shown all of them. */
function filled(): Ledger {
  const ledger = new Ledger(1)
  ledger.acknowledge('a', 0, 0, 0)
  ledger.acknowledge('b', 0, 0, 1)
  ledger.acknowledge('a', 0, 1, 2)
  ledger.acknowledge('b', 0, 1, 3)
  for (const [offset, value] of ['a:0', 'b:0', 'a:1', 'b:1'].entries()) {
    ledger.show('reader', 0, offset, value)
  }
  return ledger
}

test('a log with every message where it was acknowledged is good, and more in it does no harm', () => {
  assert.deepEqual(filled().judge([['a:0', 'b:0', 'a:1', 'b:1', 'b:2']]), good)
})

test('an acknowledged message that is not there is lost, and gone for who was shown it', () => {
  const verdict = filled().judge([['a:0', 'b:0', 'a:1']])
  assert.deepEqual(verdict, { ...good, lost: 1, shownThenGone: 1 })
})

test('a message that is there twice is a duplicate', () => {
  assert.deepEqual(filled().judge([['a:0', 'b:0', 'a:1', 'b:1', 'a:1']]), {
    ...good,
    duplicates: 1,
  })
})

test('messages of one producer that changed places are out of order and elsewhere', () => {
  const verdict = filled().judge([['a:1', 'b:0', 'a:0', 'b:1']])
  assert.deepEqual(verdict, { ...good, outOfOrder: 1, elsewhere: 2, shownThenGone: 2 })
})

test('what was shown to a reader and never acknowledged must stay, too', () => {
  const ledger = filled()
  ledger.show('reader', 0, 4, 'a:2')
  const verdict = ledger.judge([['a:0', 'b:0', 'a:1', 'b:1', 'b:2', 'a:2']])
  assert.deepEqual(verdict, { ...good, shownThenGone: 1 })
})

test('an offset that a reader was not shown is told of, and that it has not reached the end', () => {
  const ledger = filled()
  assert.equal(ledger.hasReached([4]), true)
  assert.equal(ledger.hasReached([5]), false)
  ledger.show('reader', 0, 5, 'b:2')
  const verdict = ledger.judge([['a:0', 'b:0', 'a:1', 'b:1', 'a:2', 'b:2']])
  assert.deepEqual(verdict, { ...good, skipped: 1 })
  assert.match(ledger.breaches[0]!, /shown 0\/5 where 4 is next/)
})
