/**
 * Brings the ISR changes that leaders propose to the store: replication.md §7.
 *
 * Each is one transaction, sent until its outcome is definite (`transact.ts`): while it is not, the
 * proposal stays pending and its members count. The compares are on the partition's revision, on this
 * broker's own registration, and for each member that joins on its registration and on its not having
 * begun to stop: an added broker that died, restarted or begun to stop meanwhile cannot enter, whatever
 * this broker's image said. A broker that comes back joins hundreds at once: few are under way at the
 * same time, for what it takes to send them is taken from those who read and write. One timer looks for members that lag, for all partitions; while none has
 * followers there is none.
 */
import { electable } from '../cluster/handover-state.ts'
import type { Image } from '../cluster/image.ts'
import { codecs, keys } from '../cluster/keys.ts'
import { nextState } from '../cluster/partition-state.ts'
import type { Transactor } from '../cluster/transact.ts'
import type { Compare, Io, Timer } from '../io/io.ts'
import { Gate } from './gate.ts'
import type { IsrProposal, KnownState } from './leader-state.ts'
import type { LeaderDriver, Partition } from './partition.ts'

const concurrentProposals = 8

/** What `IsrChanges` works on. */
export interface IsrChangesOptions {
  readonly image: Image
  readonly transactor: Transactor
  readonly brokerId: number
  /** replica.lag.time.max.ms, as it is now. */
  lagTimeMs(): number
}

/** What `IsrChanges` needs of a partition. */
type Proposer = Pick<Partition, 'topic' | 'topicId' | 'index' | 'onIsrOutcome'>

/** Of which it looks for members that lag. */
type Watched = Pick<Partition, 'hasFollowers' | 'checkLag'>

/** The driver of all leaderships of this broker, as far as their ISR goes. */
export class IsrChanges implements LeaderDriver {
  /** Members that left, since the start. */
  shrinks = 0
  /** Members that joined, since the start. */
  expands = 0
  /** Proposals that the store refused. */
  failures = 0
  readonly #io: Io
  readonly #options: IsrChangesOptions
  readonly #gate = new Gate(concurrentProposals)
  /** Led here, with followers. */
  readonly #watched = new Set<Watched>()
  #timer: Timer | undefined
  #isClosed = false

  constructor(io: Io, options: IsrChangesOptions) {
    this.#io = io
    this.#options = options
  }

  readonly usable = (brokerId: number): bigint | undefined => this.#options.image.usable(brokerId)

  broker(brokerId: number): { readonly brokerEpoch: bigint } | undefined {
    return this.#options.image.broker(brokerId)
  }

  lagTimeMs(): number {
    return this.#options.lagTimeMs()
  }

  /** To be called when the partition began or ceased to lead, or its state changed. */
  follow(partition: Watched): void {
    if (partition.hasFollowers && !this.#isClosed) this.#watched.add(partition)
    else this.#watched.delete(partition)
    if (this.#watched.size === 0) this.#stopTimer()
    else if (this.#timer === undefined) this.#setTimer()
  }

  propose(partition: Proposer, proposal: IsrProposal): void {
    if (this.#isClosed) return
    const sent = this.#gate.run(() => this.#send(partition, proposal))
    void sent.catch(error => {
      // Without a definite answer the proposal stays pending: its members go on to count.
      if (!this.#isClosed) {
        const { topic, index } = partition
        this.#io.report.error({ topic, partition: index, error }, 'could not change the ISR')
      }
    })
  }

  /**
   * This broker leads and cannot, for want of room: the rest of the ISR is to, if one of it can. It
   * leaves complete as it is, and comes back as any follower.
   */
  makeWay(of: Pick<Partition, 'topic' | 'topicId' | 'index'>, known: KnownState): void {
    const { image, brokerId } = this.#options
    const isr = known.value.isr.filter(([id]) => id !== brokerId)
    if (!isr.some(([id, epoch]) => image.usable(id) === epoch)) return
    this.propose({ ...of, onIsrOutcome() {} }, { from: known, isr, added: [] })
  }

  /** Proposals under way stay as they are. */
  close(): void {
    this.#isClosed = true
    this.#watched.clear()
    this.#stopTimer()
  }

  async #send(partition: Proposer, proposal: IsrProposal): Promise<void> {
    if (this.#isClosed) return
    const { transactor, image } = this.#options
    const { from, isr } = proposal
    const key = keys.partition(partition.topicId, partition.index)
    const by = transactor.nextBy()
    // Stopping, this leader hands over to who joins; alone it goes on, and nobody is without a leader.
    const value = { ...from.value, ...nextState(from.value, { isr }, electable(isr, image)), by }
    const outcome = await transactor.run(
      {
        compares: this.#compares(key, proposal),
        ops: [{ put: key, value: codecs.partition.encode(value) }],
        proofKey: key,
      },
      by,
    )
    const { applied } = outcome
    const known = applied ? { value, modRevision: outcome.revision } : decoded(outcome.found)
    this.#count(proposal, applied)
    const { topic, index } = partition
    const members = isr.map(([id]) => id)
    if (applied) this.#io.report.info({ topic, partition: index, isr: members }, 'the ISR changed')
    partition.onIsrOutcome(proposal, known)
  }

  #compares(key: string, { from, added }: IsrProposal): Compare[] {
    const { leader } = from.value
    const [brokerId, brokerEpoch] = leader!
    const alive = (id: number, epoch: bigint): Compare => ({
      key: keys.alive(id),
      target: 'createRevision',
      equals: epoch,
    })
    return [
      { key, target: 'modRevision', equals: from.modRevision },
      alive(brokerId, brokerEpoch),
      ...added.flatMap(([id, epoch]): Compare[] => [
        alive(id, epoch),
        { key: keys.stopping(id), target: 'version', equals: 0n },
      ]),
    ]
  }

  #count({ from, isr, added }: IsrProposal, applied: boolean): void {
    if (!applied) {
      this.failures++
      return
    }
    this.expands += added.length
    this.shrinks += from.value.isr.length + added.length - isr.length
  }

  #setTimer(): void {
    // As Kafka does it: a member leaves at most one and a half times the limit after it lagged.
    const delayMs = Math.max(1, this.lagTimeMs() / 2)
    this.#timer = this.#io.clock.timer(delayMs, () => {
      this.#timer = undefined
      for (const partition of [...this.#watched]) partition.checkLag()
      if (this.#watched.size > 0) this.#setTimer()
    })
  }

  #stopTimer(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }
}

function decoded(
  found: { readonly value: Uint8Array; readonly modRevision: bigint } | undefined,
): KnownState | undefined {
  if (found === undefined) return undefined
  return { value: codecs.partition.decode(found.value), modRevision: found.modRevision }
}
