/**
 * Random events against a model that knows nothing but what was said last: the watermark and every
 * proposal must be what replication.md §6 and §7 say of it, computed from the beginning each time.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Member, PartitionState } from '../cluster/partition-state.ts'
import { Prng } from '../sim/random.ts'
import { type KnownState, type LeaderEffects, LeaderState } from './leader-state.ts'

const self: Member = [1, 10n]
const others = [2, 3, 4]
const replicas = [1, ...others]
const lagTimeMs = 100
const epochStartOffset = 20

interface Fetched {
  readonly brokerEpoch: bigint
  readonly end: number
  readonly atMs: number
  readonly leaderEnd: number
  readonly caughtUpMs: number
}

/** A leadership of epoch 4, as a list of facts. */
class Model {
  readonly leader: LeaderState
  readonly fetched = new Map<number, Fetched>()
  readonly epochs = new Map<number, bigint>([[1, 10n], ...others.map(id => [id, 20n] as const)])
  readonly stopping = new Set<number>()
  readonly prng: Prng
  committed: KnownState
  pending: readonly Member[] | undefined
  ownEnd = epochStartOffset
  watermark = 5
  nowMs = 0

  constructor(seed: number) {
    this.prng = new Prng(seed)
    const isr: Member[] = [self, ...others.slice(0, this.below(4)).map(id => this.memberOf(id))]
    this.committed = this.state(isr, 1 + this.below(3), 1n)
    this.leader = new LeaderState({
      ...{ self, known: this.committed, epochStartOffset, highWatermark: 5, nowMs: 0 },
      cluster: {
        usable: id => this.usable(id),
        broker: id => ({ brokerEpoch: this.epochs.get(id)! }),
        lagTimeMs: () => lagTimeMs,
      },
    })
  }

  below(bound: number): number {
    return this.prng.below(bound)
  }

  memberOf(id: number): Member {
    return [id, this.epochs.get(id)!]
  }

  usable(id: number): bigint | undefined {
    return this.stopping.has(id) ? undefined : this.epochs.get(id)
  }

  state(isr: readonly Member[], minIsr: number, modRevision: bigint): KnownState {
    const value: PartitionState = {
      ...{ leader: self, leaderEpoch: 4, partitionEpoch: 0, minIsr, replicas, isr },
      ...{ elr: [], lastKnown: [], adding: [], removing: [] },
    }
    return { value, modRevision }
  }

  /** What member has said in this epoch, at the broker epoch of its entry. */
  saidBy([id, epoch]: Member): Fetched | undefined {
    const fetched = this.fetched.get(id)
    return fetched?.brokerEpoch === epoch ? fetched : undefined
  }

  caughtUpMs(member: Member): number {
    const isMember = this.committed.value.isr.some(([id, epoch]) => {
      return id === member[0] && epoch === member[1]
    })
    return this.saidBy(member)?.caughtUpMs ?? (isMember ? 0 : Number.NEGATIVE_INFINITY)
  }

  keepsUp(member: Member): boolean {
    const isAtEnd = this.saidBy(member)?.end === this.ownEnd
    return isAtEnd || this.nowMs - this.caughtUpMs(member) <= lagTimeMs
  }

  isIn(isr: readonly Member[], id: number): boolean {
    return isr.some(([other]) => other === id)
  }

  mayJoin(id: number): boolean {
    const fetched = this.fetched.get(id)
    if (fetched === undefined || this.isIn(this.committed.value.isr, id)) return false
    const holdsEnough = fetched.end >= this.watermark && fetched.end >= epochStartOffset
    return holdsEnough && this.usable(id) === fetched.brokerEpoch
  }

  /** H1–H3. */
  expectedWatermark(): number {
    const { isr, minIsr } = this.committed.value
    if (isr.length < minIsr) return this.watermark
    const ends = [this.ownEnd]
    const counted = [...isr, ...(this.pending ?? []).filter(([id]) => !this.isIn(isr, id))]
    for (const member of counted) {
      if (member[0] !== 1) ends.push(this.saidBy(member)?.end ?? 0)
    }
    for (const id of others) {
      const fetched = this.fetched.get(id)
      if (this.mayJoin(id) && this.keepsUp([id, fetched!.brokerEpoch])) ends.push(fetched!.end)
    }
    return Math.max(this.watermark, Math.min(...ends))
  }

  /** The effects are those that the model expects; `canMove`: the watermark is looked at. */
  check(effects: LeaderEffects, proposal: readonly Member[] | undefined, canMove = true): void {
    assert.deepEqual(effects.propose?.isr, proposal)
    if (proposal !== undefined) this.pending = proposal
    if (!canMove) return
    const expected = this.expectedWatermark()
    assert.equal(effects.highWatermark, expected > this.watermark ? expected : undefined)
    assert.equal(this.leader.highWatermark, expected)
    this.watermark = expected
  }

  fetch(): void {
    const id = others[this.below(3)]!
    const [, epoch] = this.memberOf(id)
    const before = this.saidBy([id, epoch])
    const end = Math.min(this.ownEnd, (before?.end ?? this.below(this.ownEnd)) + this.below(6))
    const isInEpoch = this.below(10) > 0
    const member: Member = [id, epoch]
    const leaderEpoch = isInEpoch ? 4 : 3
    const hasMoved = end !== before?.end
    let caughtUpMs = this.caughtUpMs(member)
    if (isInEpoch) {
      if (end >= this.ownEnd) caughtUpMs = this.nowMs
      else if (before !== undefined && end >= before.leaderEnd) {
        caughtUpMs = Math.max(caughtUpMs, before.atMs)
      }
      const { nowMs: atMs, ownEnd: leaderEnd } = this
      this.fetched.set(id, { brokerEpoch: epoch, end, atMs, leaderEnd, caughtUpMs })
    }
    const isProposed = isInEpoch && this.pending === undefined && this.mayJoin(id)
    const proposal = isProposed ? [...this.committed.value.isr, member] : undefined
    const effects = this.leader.onFollowerEnd(member, leaderEpoch, end, this.nowMs)
    this.check(effects, proposal, isInEpoch && (hasMoved || this.watermark < this.ownEnd))
  }

  lagCheck(): void {
    const { isr } = this.committed.value
    const keeping = isr.filter(member => member[0] === 1 || this.keepsUp(member))
    const isProposed = this.pending === undefined && keeping.length < isr.length
    this.check(this.leader.onLagCheck(this.nowMs), isProposed ? keeping : undefined, false)
  }

  /** The outcome of the proposal, or what another writer did. */
  storeChange(): void {
    const { isr, minIsr } = this.committed.value
    const isOutcome = this.pending !== undefined && this.below(2) === 0
    const gone = others[this.below(3)]!
    const next = isOutcome ? this.pending! : isr.filter(([id]) => id !== gone)
    const wanted = this.below(5) === 0 ? 1 + this.below(3) : minIsr
    this.committed = this.state(next, wanted, this.committed.modRevision + 1n)
    this.pending = undefined
    this.check(this.leader.onCommitted(this.committed, this.nowMs), undefined)
  }

  refuse(): void {
    const { pending } = this.leader
    if (pending === undefined) return
    this.pending = undefined
    this.check(this.leader.onRefused(pending, this.nowMs), undefined)
  }

  restart(): void {
    const id = others[this.below(3)]!
    this.epochs.set(id, this.epochs.get(id)! + 1n)
    if (this.below(4) === 0) this.stopping.add(id)
    else this.stopping.delete(id)
  }

  append(): void {
    this.ownEnd += this.below(4)
    this.check(this.leader.onOwnEnd(this.ownEnd, this.nowMs), undefined)
  }

  step(): void {
    this.nowMs += this.below(15)
    const which = this.below(100)
    if (which < 50) this.fetch()
    else if (which < 75) this.append()
    else if (which < 85) this.lagCheck()
    else if (which < 93) this.storeChange()
    else if (which < 97) this.refuse()
    else this.restart()
  }
}

test('the watermark and the proposals are what the rules say, whatever happens', () => {
  for (let seed = 1; seed <= 300; seed++) {
    const model = new Model(seed)
    try {
      model.leader.onOwnEnd(epochStartOffset, 0)
      model.watermark = model.leader.highWatermark
      for (let step = 0; step < 300; step++) model.step()
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error })
    }
  }
})
