import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Entry, StoreEvent } from '../io/io.ts'
import { StoreHistory } from './store-history.ts'

const key = 'k'
const value = new Uint8Array([1])
const first: Entry = { key, value, createRevision: 2n, modRevision: 2n, version: 1n, lease: 0n }
const second: Entry = { ...first, modRevision: 3n, version: 2n }
const put = (entry: Entry): StoreEvent => ({ type: 'put', entry })

/** A key that was put twice. */
function written(): StoreHistory {
  const history = new StoreHistory(2000)
  for (const revision of [2n, 3n]) {
    const answer = { succeeded: true, revision, responses: [[]] }
    history.txn([], [{ put: key, value }], [], 0, { value: answer })
  }
  return history
}

function failureAfter(act: (history: StoreHistory) => void): string | undefined {
  const history = written()
  act(history)
  return history.failure
}

/** A watch from the first revision on that gets these. */
function delivered(...revisions: readonly (readonly [bigint, readonly StoreEvent[]])[]) {
  return failureAfter(history => {
    const nobody = { events() {}, compacted() {}, broken() {} }
    const sink = history.watched({ key }, 1n, nobody, () => false)
    for (const [revision, events] of revisions) sink.events(events, revision)
    history.checkDelivered(1)
  })
}

test('answers are those of the history: a get now and in the past, compares, the revision', () => {
  const get = (entries: Entry[], at?: bigint) =>
    failureAfter(history => history.get({ key }, at, { value: { entries } }))
  assert.equal(get([second]), undefined)
  assert.equal(get([first], 2n), undefined)
  assert.match(get([first])!, /a get found k@2, not k@3/)
  assert.match(get([second], 2n)!, /StoreModel/)
  assert.match(get([], 4n)!, /known: false/)
  const txn = (succeeded: boolean, revision: bigint) =>
    failureAfter(history =>
      history.txn([{ key, target: 'version', equals: 2n }], [], [], 0, {
        value: { succeeded, revision, responses: [] },
      }),
    )
  assert.equal(txn(true, 3n), undefined)
  assert.match(txn(false, 3n)!, /compares/)
  assert.match(txn(true, 4n)!, /revision 4, not 3/)
})

test('a watch gets every revision once, whole and in order', () => {
  assert.equal(delivered([2n, [put(first)]], [3n, [put(second)]]), undefined)
  assert.match(delivered([3n, [put(second)]])!, /got 3, and not 2/)
  assert.match(delivered([2n, [put(first)]])!, /revision 3 never came/)
  assert.match(delivered([2n, [put(first)]], [2n, [put(first)]])!, /3 was due/)
  assert.match(delivered([2n, []], [3n, [put(second)]])!, /other events of revision 2/)
})

test('a lease never ends early, and its keys go with it', () => {
  const ended = (atMs: number) =>
    failureAfter(history => {
      history.granted(7n, 1000, 0)
      history.keptAlive(7n, 500, 2000)
      history.expired(7n, atMs)
      history.keptAlive(7n, atMs, 0)
    })
  assert.equal(ended(2500), undefined)
  assert.match(ended(2499)!, /lease 7 ends at 2499 ms, not at 2500/)
})
