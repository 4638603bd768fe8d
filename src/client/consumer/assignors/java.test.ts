/**
 * The assignors beside those of the Java client 4.4.0, in the lives of random groups: members come
 * and go, topics grow, some members speak of what they had long ago. test/assignors/java.ndjson was made
 * with the jars of test/clients/java/setup:
 *
 *     javac -d DIR -cp '.cache/java/jars/*' test/assignors/Assignments.java
 *     java -cp 'DIR:.cache/java/jars/*' Assignments > test/assignors/java.ndjson
 *
 * range and roundrobin decide the same. The sticky ones are free in what they give to whom: ours
 * keep as much with its owner as Java's, level as well, and read what Java's members say.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { TopicPartition } from '../options.ts'
import { type AssignableMember, type Assignment, type Assignor, compare } from './assignor.ts'
import { range } from './range.ts'
import { roundRobin } from './round-robin.ts'
import { cooperativeSticky, sticky } from './sticky.ts'

interface Step {
  readonly members: readonly AssignableMember[]
  readonly counts: ReadonlyMap<string, number>
  readonly java: Assignment
}

interface WrittenStep {
  readonly topics: Readonly<Record<string, number>>
  readonly members: readonly (Omit<AssignableMember, 'owned' | 'userData'> & {
    readonly owned: string
    readonly userData: string | null
  })[]
  readonly assigned: Readonly<Record<string, string>>
}

const file = new URL('../../../../test/assignors/java.ndjson', import.meta.url)
const lives: readonly { assignor: string; steps: WrittenStep[] }[] = readFileSync(file, 'utf8')
  .trim()
  .split('\n')
  .map(line => JSON.parse(line))

/** One life after the other, each step by step: generation 1, 2 and so on. */
function livesOf(assignor: Assignor): Step[][] {
  const found = lives.filter(life => life.assignor === assignor.name)
  assert.ok(found.length > 10)
  return found.map(({ steps }) => steps.map(stepOf))
}

function stepOf({ topics, members, assigned }: WrittenStep): Step {
  return {
    members: members.map(member => ({
      ...member,
      owned: places(member.owned),
      userData: member.userData === null ? null : Buffer.from(member.userData, 'hex'),
    })),
    counts: new Map(Object.entries(topics)),
    java: new Map(Object.entries(assigned).map(([id, each]) => [id, places(each)])),
  }
}

function places(text: string): TopicPartition[] {
  const words = text === '' ? [] : text.split(' ')
  return words.map(word => {
    const [topic, partition] = word.split('/')
    return { topic: topic!, partition: Number(partition) }
  })
}

const keysOf = (partitions: readonly TopicPartition[]) =>
  partitions.map(({ topic, partition }) => `${topic}/${partition}`).toSorted()

const sorted = (assignment: Assignment) =>
  Object.fromEntries([...assignment].map(([id, mine]) => [id, keysOf(mine)]))

/** How many partitions stay with a member that says it has them. */
function kept(members: readonly AssignableMember[], assignment: Assignment): number {
  let count = 0
  for (const { memberId, owned } of members) {
    const has = new Set(keysOf(assignment.get(memberId)!))
    count += keysOf(owned).filter(key => has.has(key)).length
  }
  return count
}

/** The less, the more level. */
const unevenness = (assignment: Assignment) =>
  [...assignment.values()].reduce((sum, { length }) => sum + length ** 2, 0)

for (const assignor of [range, roundRobin]) {
  test(`${assignor.name} decides as Java's does`, () => {
    for (const { members, counts, java } of livesOf(assignor).flat()) {
      assert.deepEqual(sorted(assignor.assign(members, counts)), sorted(java))
    }
  })
}

test("sticky levels as Java's does, by what Java's members say of themselves", () => {
  for (const { members, counts, java } of livesOf(sticky).flat()) {
    const ours = sticky.assign(members, counts)
    assert.ok(unevenness(ours) <= unevenness(java), JSON.stringify({ members, ours: sorted(ours) }))
  }
})

test("cooperative-sticky keeps as much with its owners as Java's, and takes nothing from one that has it", () => {
  for (const { members, counts, java } of livesOf(cooperativeSticky).flat()) {
    const ours = cooperativeSticky.assign(members, counts)
    assert.ok(
      kept(members, ours) >= kept(members, java),
      JSON.stringify({ members, ours: sorted(ours), java: sorted(java) }),
    )
    const newest = Math.max(...members.map(({ generation }) => generation))
    for (const { memberId, owned, generation } of members) {
      if (generation < newest) continue
      const theirs = new Set(keysOf(owned))
      for (const [other, partitions] of ours) {
        if (other !== memberId) assert.ok(keysOf(partitions).every(key => !theirs.has(key)))
      }
    }
  }
})

test('what sticky tells a leader is, byte by byte, what Java tells it', () => {
  let compared = 0
  for (const life of livesOf(sticky)) {
    for (const { members } of life) {
      for (const { memberId, userData } of members) {
        if (userData === null) continue
        const generation = Buffer.from(userData).readInt32BE(userData.length - 4)
        const had = life[generation - 1]!.java.get(memberId)!
        const inOrder = had.toSorted((a, b) => compare(a.topic, b.topic))
        assert.deepEqual(sticky.userData!(inOrder, generation), userData)
        compared++
      }
    }
  }
  assert.ok(compared > 100)
})

test('what cooperative-sticky tells a leader is the generation, as in Java', () => {
  for (const { members } of livesOf(cooperativeSticky).flat()) {
    for (const { userData } of members) {
      const generation = Buffer.from(userData!).readInt32BE(0)
      assert.deepEqual(cooperativeSticky.userData!([], generation), userData)
    }
  }
})
