import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type AppendedRange, ReplicatedLog } from './fixture.ts'
import { type Sequenced, SequenceState } from './sequence-state.ts'

class TestBatch implements Sequenced {
  readonly id: number
  readonly count: number
  producerId = -1
  producerEpoch = -1
  baseSequence = -1
  isOnWire = false
  mayBeStored = false
  isGivenUp = false
  fate: 'open' | 'stored' | 'maybe' | 'not' = 'open'

  constructor(id: number, count: number) {
    this.id = id
    this.count = count
  }
}

interface Attempt extends AppendedRange {
  readonly batch: TestBatch
  readonly records: readonly number[]
}

type Answer = 'ok' | 'sequence' | 'fenced' | 'refused' | 'unknown' | 'fatal' | 'too large'

/** One partition, its leader, and a connection between them that breaks. */
class Scene {
  readonly state = new SequenceState<TestBatch>(true)
  readonly leader = new ReplicatedLog()
  readonly batches: TestBatch[] = []
  readonly records = new Map<TestBatch, readonly number[]>()
  #wire: Attempt[] = []
  #answers: [Attempt, Answer][] = []
  /** Sent over connections that the client has lost: still to arrive, in order of each. */
  readonly #ghosts: Attempt[][] = []
  #record = 0
  #producerId = 1000

  /** One thing happens, if it can; `choice` is any whole number. */
  step(choice: number): void {
    const kind = choice % 20
    const rest = Math.floor(choice / 20)
    if (kind < 7) this.#send(rest)
    else if (kind < 11) this.#arrive(undefined, rest)
    else if (kind < 15) this.#answer()
    else if (kind === 15) this.#lose()
    else if (kind === 16) this.#haunt(rest)
    else if (kind === 17) this.leader.restart()
    else if (kind === 18) this.#arrive(refusals[rest % refusals.length], rest >> 3)
    else this.#giveUp(rest)
  }

  /** Nothing fails any more: all has to be settled. */
  finish(): void {
    for (let step = 0; step < 500; step++) {
      this.#send(undefined)
      this.#arrive(undefined, 0)
      this.#answer()
      this.#haunt(step)
    }
  }

  check(): void {
    const log = this.leader.values.map(Number)
    for (const batch of this.batches) {
      const places = this.records.get(batch)!.map(each => log.indexOf(each))
      const isStored = places.every(place => place >= 0)
      assert.notEqual(batch.fate, 'open', `batch ${batch.id} is settled`)
      if (batch.fate === 'stored') assert.ok(isStored, `batch ${batch.id} was acknowledged`)
      if (batch.fate === 'not') assert.ok(!isStored, `batch ${batch.id} was refused for certain`)
    }
    for (let at = 1; at < log.length; at++) {
      assert.ok(log[at]! > log[at - 1]!, `records ${log.slice(at - 1, at + 1)} are out of order`)
    }
  }

  /** `choice` undefined: only what has to be sent again. */
  #send(choice: number | undefined): void {
    if (this.state.wantsId) this.state.identify(this.#producerId++, 0)
    const next = this.state.next()
    if (next === undefined || (next === 'new' && choice === undefined)) return
    const batch = next === 'new' ? this.#make(1 + (choice! % 3)) : next
    this.state.sent(batch)
    this.#wire.push({
      batch,
      producerId: batch.producerId,
      epoch: batch.producerEpoch,
      first: batch.baseSequence,
      last: batch.baseSequence + batch.count - 1,
      records: this.records.get(batch)!,
    })
  }

  #make(count: number, records?: readonly number[]): TestBatch {
    const batch = new TestBatch(this.batches.length, count)
    this.batches.push(batch)
    this.records.set(batch, records ?? Array.from({ length: count }, () => this.#record++))
    return batch
  }

  #arrive(refusal: Answer | undefined, choice: number): void {
    const attempt = this.#wire.shift()
    if (attempt === undefined) return
    // What is not known to be stored may be stored all the same.
    if (refusal === 'unknown' && choice % 2 === 0) this.#append(attempt)
    this.#answers.push([attempt, refusal ?? this.#append(attempt)])
  }

  #haunt(choice: number): void {
    const attempt = this.#ghosts[choice % this.#ghosts.length]?.shift()
    if (attempt !== undefined) this.#append(attempt)
  }

  #append(attempt: Attempt): Answer {
    const result = this.leader.append(attempt, attempt.records.map(String))
    if (typeof result === 'object') return 'ok'
    return result === 'INVALID_PRODUCER_EPOCH' ? 'fenced' : 'sequence'
  }

  #lose(): void {
    const lost = [...this.#answers.map(([attempt]) => attempt), ...this.#wire]
    if (this.#wire.length > 0) this.#ghosts.push(this.#wire)
    this.#wire = []
    this.#answers = []
    for (const { batch } of lost) this.#failed(batch, 'unknown')
  }

  #answer(): void {
    const next = this.#answers.shift()
    if (next === undefined) return
    const [{ batch }, answer] = next
    if (answer === 'ok') {
      for (const each of [...this.state.acknowledged(batch), batch]) tell(each, 'stored')
    } else if (answer === 'fatal') {
      this.state.refusedForGood(batch, false)
      tell(batch, batch.mayBeStored ? 'maybe' : 'not')
    } else if (answer === 'too large') this.#cut(batch)
    else this.#failed(batch, answer)
  }

  #failed(batch: TestBatch, failure: Exclude<Answer, 'ok' | 'fatal' | 'too large'>): void {
    for (const each of this.state.attemptFailed(batch, failure)) {
      tell(each, each.mayBeStored ? 'maybe' : 'not')
    }
  }

  #cut(batch: TestBatch): void {
    if (batch.count === 1 || batch.isGivenUp) {
      this.#failed(batch, 'refused')
      return
    }
    const records = this.records.get(batch)!
    const parts = [
      this.#make(1, records.slice(0, 1)),
      this.#make(batch.count - 1, records.slice(1)),
    ]
    this.state.cut(batch, parts)
    this.batches.splice(this.batches.indexOf(batch), 1)
  }

  /** The oldest have the least time. */
  #giveUp(choice: number): void {
    for (const batch of this.state.outstanding.slice(0, 1 + (choice % 2))) {
      if (batch.isGivenUp) continue
      tell(batch, batch.mayBeStored || batch.isOnWire ? 'maybe' : 'not')
      this.state.giveUp(batch)
    }
  }
}

const refusals: readonly Answer[] = ['refused', 'refused', 'unknown', 'fatal', 'too large']

/** The first word counts: later answers find nobody who waits. */
function tell(batch: TestBatch, fate: TestBatch['fate']): void {
  if (batch.fate === 'open') batch.fate = fate
}

test('whatever is lost, refused or given up: what is acknowledged is stored once and in order', () => {
  const choices = fc.array(fc.nat({ max: 1_000_000 }), { minLength: 20, maxLength: 400 })
  fc.assert(
    fc.property(choices, steps => {
      const scene = new Scene()
      for (const each of steps) scene.step(each)
      scene.finish()
      scene.check()
    }),
    { numRuns: Number(process.env['RUNS'] ?? 2000) },
  )
})

/** A batch that was sent. */
function sent(state: SequenceState<TestBatch>, count = 1): TestBatch {
  const next = state.next()
  assert.ok(next !== undefined, 'something may be sent')
  const batch = next === 'new' ? new TestBatch(0, count) : next
  state.sent(batch)
  return batch
}

function begun(): SequenceState<TestBatch> {
  const state = new SequenceState<TestBatch>(true)
  assert.ok(state.wantsId)
  state.identify(7, 0)
  return state
}

test('one batch is on the wire until something is acknowledged, then five', () => {
  const state = begun()
  const first = sent(state, 3)
  assert.equal(state.next(), undefined)
  state.acknowledged(first)
  const five = [2, 2, 2, 2, 2].map(count => sent(state, count))
  assert.deepEqual(
    five.map(({ baseSequence }) => baseSequence),
    [3, 5, 7, 9, 11],
  )
  assert.equal(state.next(), undefined)
})

test('after a restart of the leader a later batch tells that those before it are stored', () => {
  const state = begun()
  state.acknowledged(sent(state))
  const lost = [sent(state), sent(state), sent(state)]
  for (const each of lost) assert.deepEqual(state.attemptFailed(each, 'unknown'), [])
  // The leader has all three, and remembers the last.
  assert.deepEqual(state.attemptFailed(sent(state), 'sequence'), [])
  assert.deepEqual(state.attemptFailed(sent(state), 'sequence'), [])
  assert.equal(sent(state), lost[2])
  assert.deepEqual(state.acknowledged(lost[2]!), [lost[0], lost[1]])
  assert.deepEqual(state.outstanding, [])
  assert.equal(sent(state).baseSequence, 4)
})

test('a batch that is refused for good begins a new era with those behind it', () => {
  const state = begun()
  state.acknowledged(sent(state))
  const [first, second, third] = [sent(state), sent(state), sent(state)]
  state.attemptFailed(first, 'unknown')
  state.refusedForGood(second, false)
  state.attemptFailed(third, 'sequence')
  assert.equal(sent(state), first)
  assert.equal(first.baseSequence, 1, 'what was before the gap keeps its sequence')
  state.acknowledged(first)
  assert.equal(sent(state), third)
  assert.deepEqual([third.producerId, third.producerEpoch, third.baseSequence], [7, 1, 0])
})

test('who is fenced, or has no epoch left, takes another producer id', () => {
  const state = begun()
  state.acknowledged(sent(state))
  const fenced = sent(state)
  assert.deepEqual(state.attemptFailed(fenced, 'fenced'), [])
  assert.ok(state.wantsId)
  assert.equal(state.next(), undefined)
  state.identify(8, 32_767)
  assert.equal(sent(state), fenced)
  assert.deepEqual([fenced.producerId, fenced.baseSequence], [8, 0])
  state.refusedForGood(fenced, false)
  assert.equal(state.next(), undefined)
  assert.ok(state.wantsId)
})

test('the topic that was made anew gets a new era', () => {
  const state = begun()
  state.acknowledged(sent(state))
  const batch = sent(state)
  state.restart()
  state.attemptFailed(batch, 'refused')
  assert.equal(sent(state), batch)
  assert.deepEqual([batch.producerEpoch, batch.baseSequence], [1, 0])
})

test('without idempotence one batch at a time is on the wire, without a sequence', () => {
  const state = new SequenceState<TestBatch>(false)
  assert.ok(!state.wantsId)
  const batch = sent(state)
  assert.equal(state.next(), undefined)
  state.attemptFailed(batch, 'unknown')
  assert.equal(sent(state), batch)
  assert.equal(batch.baseSequence, -1)
})

test('sequences go on from 0 after 2³¹ − 1', () => {
  const state = begun()
  state.acknowledged(sent(state, 2 ** 31 - 1))
  assert.equal(sent(state, 2).baseSequence, 2 ** 31 - 1)
  assert.equal(sent(state).baseSequence, 1)
})
