/**
 * Controlled shutdown, as one partition sees it (replication.md §5.7). Pure.
 *
 * A broker that is stopping leads nothing that another ISR member can lead, and leaves an ISR that
 * has `minIsr` members without it. Until others have caught up it stays where it is: it still has the
 * records and still serves, and without it nobody could write. That is never long: it waits for those
 * others half a minute at most.
 */
import { type Member, type PartitionState, sameMember, type Usable } from './partition-state.ts'

/** What is known of brokers; an image is one of these. */
export interface KnownBrokers {
  readonly usable: Usable
  /** As `usable`, of one that is stopping too. */
  readonly running: Usable
}

/** The ISR without those that are gone, and without those that are stopping as far as can be. */
export function remainingIsr(
  { isr }: PartitionState,
  minIsr: number,
  { usable, running }: KnownBrokers,
): readonly Member[] {
  const staying = isr.filter(([id, epoch]) => usable(id) === epoch)
  return staying.length >= minIsr ? staying : isr.filter(([id, epoch]) => running(id) === epoch)
}

/** Who may lead: one that is stopping only when there is nobody else in this ISR. */
export function electable(isr: readonly Member[], { usable, running }: KnownBrokers): Usable {
  return isr.some(([id, epoch]) => usable(id) === epoch) ? usable : running
}

/** Whether this stopping member has a place in the partition that another will take soon. */
export function isAwaitingOthers(state: PartitionState, member: Member, usable: Usable): boolean {
  const { leader, isr, minIsr, replicas } = state
  const others = replicas.filter(id => id !== member[0] && usable(id) !== undefined)
  if (sameMember(leader, member)) return others.length > 0
  if (!isr.some(entry => sameMember(entry, member))) return false
  return isr.length - 1 < minIsr && others.length >= minIsr
}
