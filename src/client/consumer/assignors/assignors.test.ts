import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { TopicPartition } from '../options.ts'
import type { AssignableMember, Assignment, Assignor } from './assignor.ts'
import { range } from './range.ts'
import { roundRobin } from './round-robin.ts'
import { cooperativeSticky, sticky } from './sticky.ts'

function member(memberId: string, more: Partial<AssignableMember> = {}): AssignableMember {
  const nothing = { instanceId: null, owned: [], generation: -1, userData: null }
  return { memberId, topics: ['a', 'b'], ...nothing, ...more }
}

function shown(assignment: Assignment): Record<string, string> {
  return Object.fromEntries(
    [...assignment].map(([id, mine]) => [id, mine.map(p => `${p.topic}${p.partition}`).join(' ')]),
  )
}

const places = (text: string): TopicPartition[] =>
  text
    .split(' ')
    .filter(word => word !== '')
    .map(word => ({ topic: word[0]!, partition: Number(word.slice(1)) }))

const counts = new Map([
  ['a', 3],
  ['b', 3],
])

test('range gives each subscriber of a topic neighbours, and the first ones one more', () => {
  const found = range.assign([member('y'), member('x')], counts)
  assert.deepEqual(shown(found), { y: 'a2 b2', x: 'a0 a1 b0 b1' })
})

test('static members come first, by instance id, whatever their member id is', () => {
  const members = [member('a'), member('z', { instanceId: '2' }), member('y', { instanceId: '1' })]
  const found = range.assign(members, new Map([['a', 3]]))
  assert.deepEqual(shown(found), { a: 'a2', z: 'a1', y: 'a0' })
})

test('roundrobin deals all topics out in one turn, past those who do not subscribe', () => {
  assert.deepEqual(shown(roundRobin.assign([member('x'), member('y')], counts)), {
    x: 'a0 a2 b1',
    y: 'a1 b0 b2',
  })
  const onlyA = member('y', { topics: ['a'] })
  assert.deepEqual(shown(roundRobin.assign([member('x'), onlyA], counts)), {
    x: 'a0 a2 b0 b1 b2',
    y: 'a1',
  })
})

test('a topic that does not exist is given to nobody', () => {
  for (const assignor of [range, roundRobin, sticky, cooperativeSticky]) {
    assert.deepEqual(shown(assignor.assign([member('x', { topics: ['none'] })], counts)), { x: '' })
  }
})

test('sticky gives back what eager members had, and levels the rest', () => {
  const userData = sticky.userData!(places('a0 a1 a2 b0'), 3)
  const others = sticky.userData!(places('b1 b2'), 3)
  const found = sticky.assign(
    [member('x', { userData }), member('y', { userData: others })],
    counts,
  )
  assert.deepEqual(shown(found), { x: 'a0 a1 a2', y: 'b0 b1 b2' })
})

test('the word of an older generation does not count against a newer one', () => {
  const old = member('x', { owned: places('a0 a1 a2'), generation: 3 })
  const now = member('y', { owned: places('a0 a1'), generation: 4 })
  const found = cooperativeSticky.assign([old, now], new Map([['a', 3]]))
  assert.deepEqual(shown(found), { x: 'a2', y: 'a0 a1' })
})

test('what moves is given to nobody in the first step, and to its new member in the second', () => {
  const first = [member('x', { owned: places('a0 a1 a2 b0 b1 b2'), generation: 1 }), member('y')]
  const step = cooperativeSticky.assign(first, counts)
  assert.deepEqual(shown(step), { x: 'a0 a1 a2', y: '' })
  const second = first.map(each => ({ ...each, owned: step.get(each.memberId)!, generation: 2 }))
  const settled = cooperativeSticky.assign(second, counts)
  assert.deepEqual(shown(settled), { x: 'a0 a1 a2', y: 'b0 b1 b2' })
})

test('no more moves than must: a third member takes two of each of two that have seven', () => {
  const members = [
    member('x', { topics: ['a'], owned: places('a0 a1 a2 a3 a4 a5 a6'), generation: 1 }),
    member('y', { topics: ['a'], owned: places('a7 a8 a9 a10 a11 a12 a13'), generation: 1 }),
    member('z', { topics: ['a'] }),
  ]
  assert.deepEqual(shown(cooperativeSticky.assign(members, new Map([['a', 14]]))), {
    x: 'a0 a1 a2 a3 a4',
    y: 'a7 a8 a9 a10 a11',
    z: '',
  })
})

test('what two say they have in one generation is given to nobody before both gave it up', () => {
  const members = ['x', 'y'].map(id => member(id, { owned: places('a0'), generation: 2 }))
  const step = cooperativeSticky.assign([...members, member('z')], new Map([['a', 2]]))
  assert.deepEqual(
    [...step.values()].flat().map(({ partition }) => partition),
    [1],
  )
})

test('what a member has of a topic that it left is given on after it gave it up', () => {
  const x = member('x', { topics: ['b'], owned: places('a0'), generation: 2 })
  const y = member('y', { topics: ['a'] })
  const step = cooperativeSticky.assign([x, y], new Map([['a', 1]]))
  assert.deepEqual(shown(step), { x: '', y: '' })
  const settled = cooperativeSticky.assign([{ ...x, owned: [] }, y], new Map([['a', 1]]))
  assert.deepEqual(shown(settled), { x: '', y: 'a0' })
})

test('ten thousand partitions are dealt out to five hundred members within seconds', () => {
  const sizes = new Map([['a', 10_000]])
  const half = Array.from({ length: 250 }, (_, index) => member(`x${index}`, { topics: ['a'] }))
  const dealt = cooperativeSticky.assign(half, sizes)
  const rest = Array.from({ length: 250 }, (_, index) => member(`y${index}`, { topics: ['a'] }))
  const had = half.map(each => ({ ...each, owned: dealt.get(each.memberId)!, generation: 1 }))
  const step = cooperativeSticky.assign([...had, ...rest], sizes)
  assert.ok(half.every(({ memberId }) => step.get(memberId)!.length === 20))
})

test('foreign bytes where sticky looks for its own are passed over', () => {
  const userData = Uint8Array.of(9, 9, 9)
  const found = sticky.assign([member('x', { userData }), member('y', { userData })], counts)
  assert.deepEqual(
    [...found.values()].map(mine => mine.length),
    [3, 3],
  )
})

// ── Random groups ────────────────────────────────────────────────────────────

const topics = ['a', 'b', 'c']
const groups = fc.record({
  counts: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 3, maxLength: 3 }),
  subscriptions: fc.array(fc.subarray(topics, { minLength: 1 }), { minLength: 1, maxLength: 8 }),
  claims: fc.array(
    fc.tuple(fc.nat(8), fc.constantFrom(...topics), fc.nat(14), fc.integer({ min: -1, max: 3 })),
  ),
})

function made({
  counts: numbers,
  subscriptions,
  claims,
}: typeof groups extends fc.Arbitrary<infer G> ? G : never) {
  const members = subscriptions.map((subscribed, index) =>
    member(`m${index}`, {
      topics: subscribed,
      generation: claims.find(([who]) => who === index)?.[3] ?? -1,
      owned: claims
        .filter(([who]) => who === index)
        .map(([, topic, partition]) => ({ topic, partition })),
    }),
  )
  return { members, all: new Map(topics.map((topic, index) => [topic, numbers[index]!])) }
}

function owners(assignment: Assignment): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const [memberId, mine] of assignment) {
    for (const { topic, partition } of mine) {
      const key = `${topic}${partition}`
      found.set(key, [...(found.get(key) ?? []), memberId])
    }
  }
  return found
}

/** Every partition that somebody subscribes to has one owner, who does. */
function assertWhole(
  assignment: Assignment,
  members: readonly AssignableMember[],
  all: Map<string, number>,
) {
  const found = owners(assignment)
  for (const [topic, count] of all) {
    const subscribers = members.filter(each => each.topics.includes(topic)).map(m => m.memberId)
    for (let partition = 0; partition < count; partition++) {
      const mine = found.get(`${topic}${partition}`) ?? []
      assert.equal(mine.length, subscribers.length > 0 ? 1 : 0, `${topic}${partition}: ${mine}`)
      for (const each of mine) assert.ok(subscribers.includes(each))
    }
  }
}

for (const assignor of [range, roundRobin, sticky] as readonly Assignor[]) {
  test(`${assignor.name} gives every partition to one subscriber`, () => {
    fc.assert(
      fc.property(groups, group => {
        const { members, all } = made(group)
        assertWhole(assignor.assign(members, all), members, all)
      }),
    )
  })
}

test('cooperative-sticky gives on what is given up, settles in a few steps, and levels what can be', () => {
  fc.assert(
    fc.property(groups, group => {
      const { members, all } = made(group)
      let now = members
      let given = cooperativeSticky.assign(now, all)
      // Two as a rule; what a member had of a topic that it left can unsettle what was planned.
      for (let steps = 1; !isSettled(now, given); steps++) {
        assert.ok(steps < 6, 'it does not settle')
        now = now.map(each => ({
          ...each,
          owned: given.get(each.memberId)!,
          generation: 3 + steps,
        }))
        given = cooperativeSticky.assign(now, all)
        for (const [key, [memberId]] of owners(given)) {
          const had = now.filter(({ owned }) => owned.some(p => `${p.topic}${p.partition}` === key))
          assert.ok(
            had.every(each => each.memberId === memberId),
            `${key} is given on too early`,
          )
        }
      }
      assertWhole(given, members, all)
      for (const a of members) {
        for (const b of members) {
          const more = given.get(a.memberId)!
          const isMovable = more.some(({ topic }) => b.topics.includes(topic))
          assert.ok(!isMovable || more.length <= given.get(b.memberId)!.length + 1)
        }
      }
    }),
    { numRuns: 300 },
  )
})

/** Everybody is given what he has. */
function isSettled(members: readonly AssignableMember[], given: Assignment): boolean {
  const keys = (mine: readonly TopicPartition[]) =>
    mine.map(({ topic, partition }) => `${topic}${partition}`).sort()
  return members.every(({ memberId, owned }) => {
    const [had, has] = [keys(owned), keys(given.get(memberId)!)]
    return had.length === has.length && had.every((key, index) => key === has[index])
  })
}
