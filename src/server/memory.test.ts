import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Holder, Memory } from './memory.ts'

class TestHolder implements Holder {
  heldByClient: number
  readonly events: string[] = []

  constructor(heldByClient = 0) {
    this.heldByClient = heldByClient
  }

  resume(): void {
    this.events.push('resume')
  }

  shed(): void {
    this.events.push('shed')
    this.heldByClient = 0
  }
}

test('who waits is resumed in order, as far as there is room', () => {
  const memory = new Memory(100)
  const [first, second] = [new TestHolder(), new TestHolder()]
  for (const holder of [first, second]) memory.add(holder)
  memory.take(150)
  assert.equal(memory.isFull, true)
  memory.wait(first)
  memory.wait(second)
  memory.give(20)
  assert.deepEqual([first.events, second.events], [[], []])
  first.resume = () => {
    first.events.push('resume')
    memory.take(80)
  }
  memory.give(60)
  assert.deepEqual([first.events, second.events], [['resume'], []])
  memory.give(80)
  assert.deepEqual(second.events, ['resume'])
})

test('the largest is closed when clients hold so much that waiting would not end', () => {
  const memory = new Memory(100)
  const [small, large, other] = [new TestHolder(40), new TestHolder(70), new TestHolder(0)]
  for (const holder of [small, large, other]) memory.add(holder)
  memory.take(110)
  memory.wait(other)
  assert.deepEqual([small.events, large.events], [[], ['shed']])
})

test('nobody is closed while requests that are being handled hold the memory', () => {
  const memory = new Memory(100)
  const holder = new TestHolder(90)
  memory.add(holder)
  memory.take(200)
  memory.wait(holder)
  assert.deepEqual(holder.events, [])
})

test('an answer is granted what is left, and nothing when nothing is', () => {
  const memory = new Memory(100)
  assert.equal(memory.grant(60), 60)
  assert.equal(memory.grant(60), 40)
  assert.equal(memory.grant(60), 0)
  memory.give(60)
  assert.equal(memory.grant(10), 10)
})

test('who is gone is not resumed', () => {
  const memory = new Memory(10)
  const holder = new TestHolder()
  memory.add(holder)
  memory.take(20)
  memory.wait(holder)
  memory.remove(holder)
  memory.give(20)
  assert.deepEqual(holder.events, [])
})
