/**
 * Damage that is met while a replica is in use (replication.md §9): it is noted, so that it is never
 * served, and the run proves nothing any more; then whoever follows leaves the ISR, cuts it and
 * fetches it again. A leader first leaves to another complete replica that can lead; without one it
 * goes on, around the damage.
 */
import { within } from '../cluster/deadline.ts'
import type { Image } from '../cluster/image.ts'
import type { Membership } from '../cluster/membership.ts'
import type { Member } from '../cluster/partition-state.ts'
import { removeSelf } from '../cluster/reports.ts'
import type { Transactor } from '../cluster/transact.ts'
import type { Io } from '../io/io.ts'
import { noteDamage } from '../log/damage.ts'
import type { Log } from '../log/log.ts'
import type { Segment } from '../log/segment.ts'
import type { Partition } from './partition.ts'
import type { Hosted } from './upkeep.ts'

const removalPatienceMs = 10_000

export interface DamageOptions {
  readonly image: Image
  readonly membership: Membership
  readonly transactor: Transactor
  /** The replica in use here. */
  hosted(topicId: string, index: number): Hosted | undefined
  /** It has damage now that it did not have. */
  repair(hosted: Hosted): void
}

/** What is done about the damage in the logs of this broker. */
export class Damage {
  readonly #io: Io
  readonly #options: DamageOptions
  /** In which damage is being looked for. */
  readonly #inspected = new Set<Segment>()

  constructor(io: Io, options: DamageOptions) {
    this.#io = io
    this.#options = options
  }

  /** A read did: one function for all partitions, for each of them costs memory. */
  readonly metAt = ({ topicId, index }: Partition, offset: number): void => {
    const log = this.#options.hosted(topicId, index)?.log
    const segment = log?.segments.findLast(({ baseOffset }) => baseOffset <= offset)
    if (log !== undefined && segment !== undefined) this.met(log, segment)
  }

  /** A read or the scrubber did. */
  met(log: Log, segment: Segment): void {
    if (this.#inspected.has(segment)) return
    this.#inspected.add(segment)
    const { topic, partition } = log
    void this.#inspect(log, segment)
      .catch(error => this.#io.report.error({ topic, partition, error }, 'damage is not noted'))
      .finally(() => this.#inspected.delete(segment))
  }

  async #inspect(log: Log, segment: Segment): Promise<void> {
    if (!(await noteDamage(this.#io, log, segment))) return
    const hosted = this.#options.hosted(log.topicId, log.partition)
    if (hosted?.log !== log) return
    this.#options.membership.noteLoss()
    await hosted.directory.markLossy()
    this.#options.repair(hosted)
  }

  /** Resolves when this replica counts nowhere as complete. */
  async leave({ topicId, index }: Partition): Promise<void> {
    const { transactor, image, membership } = this.#options
    const { clock } = this.#io
    const left = removeSelf(transactor, image, membership.brokerId, topicId, index)
    await within(clock, left, clock.monotonicMs() + removalPatienceMs)
  }

  /** The same for a leader, if another complete replica can lead. */
  async leaveToOthers(partition: Partition): Promise<void> {
    const { image, membership } = this.#options
    const state = image.topicById(partition.topicId)?.partitions[partition.index]
    if (state === undefined) return
    const canLead = ([id, epoch]: Member) =>
      id !== membership.brokerId && image.usable(id) === epoch
    // Nobody of the ELR leads while the ISR has another member.
    const others = state.isr.length === 1 ? state.elr : state.isr
    if (others.some(canLead)) await this.leave(partition)
  }
}
