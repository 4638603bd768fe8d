/**
 * Consumer groups, question by question (group-cases.ts), and what Apache Kafka 4.4.0 answered:
 * kafka-group-answers.json holds what a running Kafka said. Where we differ on purpose, it is here.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { askAll, groupCases } from './group-cases.ts'
import answers from './kafka-group-answers.json' with { type: 'json' }
import { withBroker } from './wire-client.ts'

const recorded: Readonly<Record<string, Readonly<Record<string, unknown>>>> = answers

interface Ours {
  readonly because: string
  readonly answer: unknown
}

const refused = [42, -1, '', false]

/** By API and question: why we answer otherwise, and what. */
const ours: Readonly<Record<string, Readonly<Record<string, Ours>>>> = {
  FindCoordinator: {
    'a share partition': {
      because: 'share groups are not here yet',
      answer: [['g:q:0', ...refused]],
    },
    'a transactional id': { because: 'transactions are not here yet', answer: refused },
    'a transactional id in v2': {
      because: 'transactions are not here yet, and librdkafka gives up on no other code',
      answer: [53, -1, '', false],
    },
    'several transactional ids': {
      because: 'transactions are not here yet',
      answer: ['tx', 'ty'].map(key => [key, ...refused]),
    },
  },
  JoinGroup: {
    'a static member that comes back with another subscription': {
      because: 'Kafka leaves partitions of the new topics without a reader',
      answer: {
        error: 0,
        generation: 2,
        type: 'consumer',
        protocol: 'range',
        leader: 'i-member-1',
        skip: false,
        member: 'i-member-1',
        members: ['i-member-1 i 20'],
      },
    },
  },
  LeaveGroup: {
    'a member that waits to join': {
      because: 'every refusal of a join tells the id that it came with',
      answer: {
        error: 25,
        generation: -1,
        type: null,
        protocol: null,
        leader: '',
        skip: false,
        member: 'test-member-1',
        members: [],
      },
    },
  },
  DescribeGroups: {
    'a group of offsets whose only offset was deleted': {
      because: 'a group that holds nothing is gone at once, not at the next check',
      answer: {
        error: 69,
        message: 'Group g not found.',
        id: 'g',
        state: 'Dead',
        type: '',
        protocol: '',
        operations: -2147483648,
        members: [],
      },
    },
  },
}

for (const api of Object.keys(groupCases)) {
  test(`${api} answers as Kafka does`, async () => {
    await withBroker({ 'node.id': '1' }, async ({ connect, world }) => {
      const given = await askAll(api, connect)
      for (const [what, answer] of Object.entries(given)) {
        const expected = ours[api]?.[what]?.answer ?? recorded[api]![what]
        assert.deepEqual(answer, expected, `${api}: ${what}`)
      }
      assert.deepEqual(
        world.reported.filter(({ level }) => level === 'error'),
        [],
      )
    })
  })
}
