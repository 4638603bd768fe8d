import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { zeroUuid } from '../../protocol/schema.ts'
import { bytes } from './fixture.ts'
import { type GroupRecord, groupRecordCodec } from './group-records.ts'

const { encode, decode } = groupRecordCodec
const text = fc.string({ maxLength: 20, unit: 'binary' })
const stamp = fc.integer({ min: -1, max: 2 ** 50 })
const some = fc.uint8Array({ maxLength: 40 })

const plain = { noNullPrototype: true } as const

const member = fc.record(
  {
    memberId: text,
    groupInstanceId: fc.option(text),
    clientId: text,
    clientHost: text,
    rebalanceTimeoutMs: fc.nat(),
    sessionTimeoutMs: fc.nat(),
    subscription: some,
    assignment: some,
  },
  plain,
)

const group = fc.record(
  {
    protocolType: text,
    generationId: fc.nat(),
    protocolName: fc.option(text),
    leader: fc.option(text),
    stateTimestampMs: stamp,
    members: fc.array(member, { maxLength: 4 }),
  },
  plain,
)

const offset = fc.record(
  {
    offset: stamp,
    leaderEpoch: fc.integer({ min: -1 }),
    metadata: text,
    commitTimestampMs: stamp,
    expireTimestampMs: fc.constant(-1),
    topicId: fc.constantFrom(zeroUuid, 'dGhpcyBpcyBhbiBpZCEhIQ'),
  },
  plain,
)

const record: fc.Arbitrary<GroupRecord> = fc.oneof(
  fc.record({ kind: fc.constant('group' as const), groupId: text, value: fc.option(group) }, plain),
  fc.record(
    {
      kind: fc.constant('offset' as const),
      groupId: text,
      topic: text,
      partition: fc.nat(),
      value: fc.option(offset),
    },
    plain,
  ),
)

test('a record is read as it was written', () => {
  fc.assert(
    fc.property(record, written => {
      const { key, value } = encode(written)
      assert.deepEqual(decode(key, value), written)
    }),
  )
})

test('the bytes are those of Kafka 4.4', () => {
  const value = {
    offset: 258,
    leaderEpoch: 3,
    metadata: 'm',
    commitTimestampMs: 1,
    expireTimestampMs: -1,
    topicId: zeroUuid,
  }
  const commit = encode({ kind: 'offset', groupId: 'g', topic: 't', partition: 7, value })
  assert.equal(hex(commit.key), '0001 0001 67 0001 74 00000007'.replaceAll(' ', ''))
  assert.equal(
    hex(commit.value!),
    '0004 0000000000000102 00000003 02 6d 0000000000000001 00'.replaceAll(' ', ''),
  )
  const empty = encode({
    kind: 'group',
    groupId: 'g',
    value: {
      protocolType: 'consumer',
      generationId: 2,
      protocolName: null,
      leader: null,
      stateTimestampMs: 5,
      members: [],
    },
  })
  assert.equal(hex(empty.key), '0002 0001 67'.replaceAll(' ', ''))
  assert.equal(
    hex(empty.value!),
    `0003 0008 ${hex(bytes('consumer'))} 00000002 ffff ffff 0000000000000005 00000000`.replaceAll(
      ' ',
      '',
    ),
  )
})

test('a time of expiry is written in the one version that has it', () => {
  const value = {
    offset: 1,
    leaderEpoch: 9,
    metadata: '',
    commitTimestampMs: 2,
    expireTimestampMs: 3,
    topicId: zeroUuid,
  }
  const place = { kind: 'offset', groupId: 'g', topic: 't', partition: 0 } as const
  const written = encode({ ...place, value })
  assert.equal(hex(written.value!).slice(0, 4), '0001')
  assert.deepEqual(decode(written.key, written.value), {
    ...place,
    value: { ...value, leaderEpoch: -1 },
  })
})

test('offsets in their first form are read', () => {
  const key = unhex('0000 0001 67 0001 74 00000001')
  const value = unhex('0000 0000000000000005 0001 6d 0000000000000009')
  const place = { kind: 'offset', groupId: 'g', topic: 't', partition: 1 } as const
  assert.deepEqual(decode(key, value), {
    ...place,
    value: {
      offset: 5,
      leaderEpoch: -1,
      metadata: 'm',
      commitTimestampMs: 9,
      expireTimestampMs: -1,
      topicId: zeroUuid,
    },
  })
  assert.deepEqual(decode(key, null), { ...place, value: null })
})

test('a member without a rebalance time-out has its session time-out (v0)', () => {
  const value = unhex(
    `0000 0000 00000001 ffff ffff 00000001 0001 6d 0001 63 0001 68 00001770 00000000 00000000`,
  )
  const read = decode(unhex('0002 0001 67'), value)
  assert.ok(read?.kind === 'group' && read.value !== null)
  assert.equal(read.value.members[0]!.rebalanceTimeoutMs, 6000)
})

test('records of other kinds of groups are unknown', () => {
  for (const kind of ['0003', '0005', '000f', 'ffff']) {
    assert.equal(decode(unhex(`${kind} 0001 67`), unhex('0000')), undefined)
  }
})

test('what does not parse throws', () => {
  assert.throws(() => decode(new Uint8Array(0), null), RangeError)
  assert.throws(() => decode(unhex('0001 0001'), null))
  assert.throws(() => decode(unhex('0002 0001 67'), unhex('00')), RangeError)
  assert.throws(() => decode(unhex('0002 0001 67'), unhex('0009 00')), RangeError)
})

test('what is read does not hold the bytes it was read from', () => {
  const stored = {
    memberId: 'm',
    groupInstanceId: null,
    clientId: 'c',
    clientHost: '/h',
    rebalanceTimeoutMs: 1,
    sessionTimeoutMs: 1,
    subscription: bytes('sub'),
    assignment: bytes('ass'),
  }
  const written = encode({
    kind: 'group',
    groupId: 'g',
    value: {
      protocolType: 'p',
      generationId: 1,
      protocolName: 'p',
      leader: 'm',
      stateTimestampMs: 1,
      members: [stored],
    },
  })
  const lent = Buffer.from(written.value!)
  const read = decode(written.key, lent)
  lent.fill(0xee)
  assert.deepEqual(read?.kind === 'group' && read.value?.members, [stored])
})

function hex(data: Uint8Array): string {
  return Buffer.from(data).toString('hex')
}

function unhex(spaced: string): Uint8Array {
  return new Uint8Array(Buffer.from(spaced.replaceAll(' ', ''), 'hex'))
}
