import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  array,
  bytes,
  type Incoming,
  includes,
  int16,
  int32,
  int64,
  message,
  type Outgoing,
  range,
  string,
  struct,
} from './schema.ts'

test('a range of versions is parsed, and a wrong one is refused', () => {
  assert.deepEqual(range('5'), { first: 5, last: 5 })
  assert.deepEqual(range('0-12'), { first: 0, last: 12 })
  assert.ok(includes(range('3+'), 3) && includes(range('3+'), 999) && !includes(range('3+'), 2))
  assert.ok(!includes(range('none'), 0) && !includes(range('none'), 1))
  for (const wrong of ['', '+', '3-', '-1', 'all', '1,2']) assert.throws(() => range(wrong))
})

const order = message(
  'OrderRequest',
  { apiKey: 7, versions: '0-3', flexible: '2+' },
  {
    id: int32(),
    total: int64(),
    hash: int64({ exact: true }),
    comment: string({ nullable: '1+', default: null }),
    lines: array({ price: int16(), code: bytes(), tax: int16({ versions: '2+' }) }),
    buyer: struct({ name: string() }, { versions: '3+', tag: 0 }),
  },
)

/** Compiles only when both types are the same. */
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false
const same = <A, B>(_yes: Same<A, B>): void => {}

test('what decoding gives has all fields, what encoding takes may leave some out', () => {
  same<
    Incoming<typeof order>,
    {
      readonly id: number
      readonly total: number
      readonly hash: bigint
      readonly comment: string | null
      readonly lines: readonly {
        readonly price: number
        readonly code: Uint8Array
        readonly tax: number
      }[]
      readonly buyer: { readonly name: string }
    }
  >(true)
  const least: Outgoing<typeof order> = { id: 1, total: 2n, hash: 3, lines: [] }
  const pieces = [new Uint8Array(1), new Uint8Array(2)]
  const more: Outgoing<typeof order> = { ...least, lines: [{ price: 1, code: pieces }] }
  // @ts-expect-error: a line has no default price
  const less: Outgoing<typeof order> = { ...least, lines: [{ code: pieces }] }
  // @ts-expect-error: id has no default
  const without: Outgoing<typeof order> = { total: 2n, hash: 3, lines: [] }
  // @ts-expect-error: only the comment can be null
  const nothing: Outgoing<typeof order> = { ...least, lines: null }
  assert.ok(more && less && without && nothing)
})

test('the type of a message follows from its name unless it is given', () => {
  assert.equal(order.type, 'request')
  assert.equal(message('XResponse', { versions: '0', flexible: 'none' }, {}).type, 'response')
  assert.equal(message('Marker', { versions: '0', flexible: 'none' }, {}).type, 'data')
})
