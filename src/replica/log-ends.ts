/** Tells where logs end whose partitions nobody complete is left of: replication.md §4. */
import type { Image } from '../cluster/image.ts'
import type { LogEnd } from '../cluster/keys.ts'
import type { Membership } from '../cluster/membership.ts'
import type { PartitionState } from '../cluster/partition-state.ts'
import { reportLogEnds } from '../cluster/reports.ts'
import type { Transactor } from '../cluster/transact.ts'
import type { Io } from '../io/io.ts'
import type { Hosted } from './upkeep.ts'

/** What `LogEnds` looks at. */
export interface LogEndsOptions {
  readonly image: Image
  readonly membership: Membership
  readonly transactor: Transactor
  /** All replicas that are open now. */
  all(): Iterable<Hosted>
}

export class LogEnds {
  readonly #io: Io
  readonly #options: LogEndsOptions
  #isAnnouncing = false
  /** More may be lost than what is being announced. */
  #isToAnnounce = false
  #isClosed = false

  constructor(io: Io, options: LogEndsOptions) {
    this.#io = io
    this.#options = options
  }

  close(): void {
    this.#isClosed = true
  }

  /** All of them; changes meanwhile are told too. */
  announceSoon(): void {
    if (this.#isAnnouncing || this.#isClosed) {
      this.#isToAnnounce = true
      return
    }
    this.#isToAnnounce = false
    const { membership, transactor } = this.#options
    const { registration, brokerId } = membership
    if (registration === undefined) return
    const ends = [...this.#lostEnds()]
    if (ends.length === 0) return
    this.#isAnnouncing = true
    void reportLogEnds(transactor, brokerId, registration, ends)
      .catch(error => {
        // Without the registration nobody asks for it; after the next one it is told again.
        this.#io.report.warn({ error }, 'could not tell where logs end')
      })
      .finally(() => {
        this.#isAnnouncing = false
        if (this.#isToAnnounce) this.announceSoon()
      })
  }

  /** Some partition of the topic is one that this broker has to tell of. */
  isLost(topicId: string): boolean {
    const topic = this.#options.image.topicById(topicId)
    return topic?.partitions.some(state => this.isLostHere(state)) ?? false
  }

  /** Nobody complete is left, and this broker was complete last. */
  isLostHere({ isr, elr, lastKnown }: PartitionState): boolean {
    const isNobodys = isr.length === 0 && elr.length === 0
    return isNobodys && lastKnown.includes(this.#options.membership.brokerId)
  }

  *#lostEnds(): Iterable<LogEnd> {
    for (const { log, partition } of this.#options.all()) {
      if (partition.isOffline) continue
      const state = this.#options.image.topicById(log.topicId)?.partitions[log.partition]
      if (state === undefined || !this.isLostHere(state)) continue
      const { topicId, logEndOffset: endOffset } = log
      yield { topicId, index: partition.index, lastEpoch: log.epochs.latest, endOffset }
    }
  }
}
