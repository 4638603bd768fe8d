/**
 * Which batch of a partition may be sent, and under which sequence. Pure.
 *
 * A batch gets producer id, epoch and sequence when it is sent for the first time, and keeps them
 * however often it is sent again: the leader takes a sequence that it has as stored (KIP-98), and
 * refuses one that does not follow the last. An *era* is one producer id and epoch of one partition; a new one
 * begins at sequence 0, and a leader that has seen it refuses all that is late of an older one. No other
 * producer has our id, and leaders keep epochs by partition, so each partition raises its own.
 *
 * 1. Outstanding are the batches with a sequence whose fate is open, oldest first. Up to five are on the
 *    wire at a time, as many as leaders remember; only one while none of the era was acknowledged,
 *    for a leader that knows nothing of a producer takes any sequence as the first.
 * 2. After a failed attempt nothing is sent until all are back from the wire; then the oldest goes, alone,
 *    until it is acknowledged.
 * 3. A lost connection, a time-out, and errors that can come after the append leave open whether an
 *    attempt was stored: the batch *may be stored*. Any other refusal is definite.
 * 4. A batch that is given up (its time is over, or it is refused for good) is kept while it is on the
 *    wire, for its answer. When it is certain that it was not stored, the sequence has a gap: what
 *    comes after it was and will be refused, so none of it is stored; what comes before is settled first,
 *    one at a time; then a new era begins with what comes after, from 0.
 *    When it may be stored, the sequence goes on behind it, and the next answer tells.
 * 5. OUT_OF_ORDER_SEQUENCE_NUMBER and the like say nothing of a batch that has outstanding ones before it.
 *    The oldest, when it may be stored, may be so before what the leader remembers: after a restart it
 *    knows a producer's newest batch alone. So the next one is tried, and so on. When none is acknowledged,
 *    or one cannot be stored, the leader has lost what went before: those that were tried fail, for a late
 *    attempt could still be stored under the old era, and their senders are told that they may be
 *    stored; a new era begins behind them.
 * 6. A batch that is acknowledged had all before it of its era in front of it: those that may be stored are,
 *    nobody knows where.
 * 7. A batch that is cut in two is followed by its parts under the sequences it had.
 *
 * Without idempotence there are no sequences, one batch of a partition is on the wire at a time, and
 * only what is sent again can be stored twice.
 */

/** What the state keeps with a batch. */
export interface Sequenced {
  /** Records in it. */
  readonly count: number
  producerId: number
  producerEpoch: number
  /** −1: was never sent. */
  baseSequence: number
  isOnWire: boolean
  mayBeStored: boolean
  /** Its senders were told already. */
  isGivenUp: boolean
}

/** How an attempt failed, for the rules above. */
export type Failure = 'refused' | 'unknown' | 'sequence' | 'fenced'

/** As many batches as leaders remember of a producer. */
const mostOnWire = 5
const lastEpoch = 32_767
const sequences = 2 ** 31
const noGap = Number.POSITIVE_INFINITY

export class SequenceState<B extends Sequenced> {
  readonly #isIdempotent: boolean
  readonly #outstanding: B[] = []
  #onWire = 0
  #producerId = -1
  #producerEpoch = -1
  #nextSequence = 0
  /** Nothing of the era was acknowledged. */
  #isFresh = true
  #isRecovering = false
  /** So many of the oldest got no answer but rule 5's. */
  #tried = 0
  /** So many of the oldest come before a sequence that will never be stored; Infinity: there is none. */
  #gap = noGap
  #wantsId: boolean

  constructor(isIdempotent: boolean) {
    this.#isIdempotent = isIdempotent
    this.#wantsId = isIdempotent
  }

  /** Oldest first. */
  get outstanding(): readonly B[] {
    return this.#outstanding
  }

  get onWire(): number {
    return this.#onWire
  }

  /** Nothing goes before `identify`. */
  get wantsId(): boolean {
    return this.#wantsId && this.#onWire === 0
  }

  /** The id that is used up, −1 when there was none. */
  get producerId(): number {
    return this.#producerId
  }

  get producerEpoch(): number {
    return this.#producerEpoch
  }

  /** A producer id for a new era; what is outstanding goes with it. */
  identify(producerId: number, producerEpoch: number): void {
    this.#wantsId = false
    this.#producerId = producerId
    this.#begin(producerEpoch)
  }

  /** A batch that has to be sent again, 'new': one that was never sent, undefined: nothing may go. */
  next(): B | 'new' | undefined {
    if (this.#gap === 0 && this.#onWire === 0) this.#raiseEpoch()
    if (this.#gap === 0 || this.#wantsId) return undefined
    if (this.#tried >= Math.min(this.#outstanding.length, this.#gap)) this.#tried = 0
    const isSettling = this.#isRecovering || this.#gap !== noGap
    const isOneAtATime = !this.#isIdempotent || this.#isFresh || isSettling
    if (this.#onWire >= (isOneAtATime ? 1 : mostOnWire)) return undefined
    if (isSettling) return this.#outstanding[this.#tried] ?? 'new'
    for (const batch of this.#outstanding) if (!batch.isOnWire) return batch
    return 'new'
  }

  /** `next` goes on the wire: what it gave, or a new batch, which gets its sequence here. */
  sent(batch: B): void {
    if (batch.baseSequence < 0 && !this.#outstanding.includes(batch)) {
      this.#sequence(batch)
      this.#outstanding.push(batch)
    }
    batch.isOnWire = true
    this.#onWire++
  }

  /** It is stored; answers those of before that are so too, though nobody said where (rule 6). */
  acknowledged(batch: B): readonly B[] {
    this.#land(batch)
    this.#isFresh = false
    this.#tried = 0
    const before = this.#outstanding.slice(0, this.#outstanding.indexOf(batch))
    const implied = before.filter(each => each.mayBeStored && !each.isOnWire)
    if (this.#isIdempotent) for (const each of implied) this.#remove(each)
    if (batch === this.#outstanding[0]) this.#isRecovering = false
    this.#remove(batch)
    return this.#isIdempotent ? implied : []
  }

  /** An attempt failed; answers those that are not outstanding any more. The others go again. */
  attemptFailed(batch: B, failure: Failure): readonly B[] {
    this.#land(batch)
    this.#isRecovering = true
    if (failure === 'unknown') batch.mayBeStored = true
    if (batch.isGivenUp) {
      this.#drop(batch)
      return [batch]
    }
    const tells = failure === 'sequence' || failure === 'fenced'
    if (!tells || !this.#isIdempotent || this.#gap === 0) return []
    if (batch !== this.#outstanding[this.#tried]) return []
    if (batch.mayBeStored) this.#tried++
    const hasMore = this.#tried < Math.min(this.#outstanding.length, this.#gap)
    if (batch.mayBeStored && failure === 'sequence' && hasMore) return []
    if (failure === 'sequence') this.#gap = this.#tried
    else if (!batch.mayBeStored) this.#wantsId = true
    return this.#takeTried(this.#tried)
  }

  /** The answer to an attempt is that it will never be stored, or, with `isUnknown`, that nobody can tell. */
  refusedForGood(batch: B, isUnknown: boolean): void {
    this.#land(batch)
    this.#isRecovering = true
    if (isUnknown) batch.mayBeStored = true
    this.#drop(batch)
  }

  /** Its senders were told that it failed; of a batch without a sequence nobody knows here. */
  giveUp(batch: B): void {
    batch.isGivenUp = true
    if (!batch.isOnWire && this.#outstanding.includes(batch)) this.#drop(batch)
  }

  /** The leader finds it too large: its parts take its place. */
  cut(batch: B, parts: readonly B[]): void {
    this.#land(batch)
    this.#isRecovering = true
    let sequence = batch.baseSequence
    for (const part of parts) {
      part.producerId = batch.producerId
      part.producerEpoch = batch.producerEpoch
      part.baseSequence = sequence
      part.mayBeStored = batch.mayBeStored
      if (sequence >= 0) sequence = (sequence + part.count) % sequences
    }
    const index = this.#outstanding.indexOf(batch)
    if (index < this.#gap) this.#gap += parts.length - 1
    this.#outstanding.splice(index, 1, ...parts)
  }

  /** Another leader may remember more. */
  leaderChanged(): void {
    this.#tried = 0
  }

  /** The topic was made anew: its leaders know nothing of what was. */
  restart(): void {
    if (this.#isIdempotent && this.#producerId >= 0 && this.#nextSequence > 0) this.#gap = 0
  }

  #land(batch: B): void {
    batch.isOnWire = false
    this.#onWire--
  }

  #takeTried(count: number): readonly B[] {
    this.#tried = 0
    this.#gap = Math.max(0, this.#gap - count)
    const taken = this.#outstanding.splice(0, count)
    if (this.#outstanding.length === 0) this.#isRecovering = false
    return taken
  }

  #remove(batch: B): void {
    const index = this.#outstanding.indexOf(batch)
    if (index < this.#tried) this.#tried--
    if (index < this.#gap) this.#gap--
    this.#outstanding.splice(index, 1)
    if (this.#outstanding.length === 0) this.#isRecovering = false
  }

  /** Rule 4. */
  #drop(batch: B): void {
    const index = this.#outstanding.indexOf(batch)
    this.#remove(batch)
    if (this.#isIdempotent && !batch.mayBeStored) this.#gap = Math.min(this.#gap, index)
  }

  #raiseEpoch(): void {
    if (this.#producerEpoch < lastEpoch) this.#begin(this.#producerEpoch + 1)
    else this.#wantsId = true
  }

  #begin(producerEpoch: number): void {
    this.#producerEpoch = producerEpoch
    this.#nextSequence = 0
    this.#isFresh = true
    this.#gap = noGap
    this.#tried = 0
    for (const batch of this.#outstanding) {
      batch.mayBeStored = false
      this.#sequence(batch)
    }
  }

  #sequence(batch: B): void {
    if (!this.#isIdempotent) return
    batch.producerId = this.#producerId
    batch.producerEpoch = this.#producerEpoch
    batch.baseSequence = this.#nextSequence
    this.#nextSequence = (this.#nextSequence + batch.count) % sequences
  }
}
