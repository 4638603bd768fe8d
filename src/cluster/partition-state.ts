/**
 * The state of one partition, and the one function that writes the next one.
 *
 * Controller, leaders and replicas that remove themselves all change a partition through
 * `nextState` and a compare on the key, so the rules of replication.md §4 live here alone. ISR,
 * ELR and leader name a broker *at one broker epoch*: a restarted broker is in none of them, no
 * matter what the writer had seen. Sets compare by broker id.
 */

/** A broker at one registration. */
export type Member = readonly [brokerId: number, brokerEpoch: bigint]

/** What the store holds of a partition. */
export interface PartitionState {
  /** This broker leads iff it is [its id, its broker epoch]. */
  readonly leader: Member | null
  readonly leaderEpoch: number
  /** +1 at every write. */
  readonly partitionEpoch: number
  /** min(min.insync.replicas, replication factor), kept here so that the HW and ELR rules agree. */
  readonly minIsr: number
  /** In order of preference. */
  readonly replicas: readonly number[]
  readonly isr: readonly Member[]
  /** Eligible to lead although out of the ISR (KIP-966). */
  readonly elr: readonly Member[]
  /** Were complete until they lost records; used only when isr and elr are both empty. */
  readonly lastKnown: readonly number[]
  readonly adding: readonly number[]
  readonly removing: readonly number[]
}

/** What a writer wants; the rules decide what comes of it. */
export interface Change {
  /** The ISR wanted; absent: as it is. */
  readonly isr?: readonly Member[]
  /** Brokers that lost or may have lost records: every entry of theirs goes, at any broker epoch. */
  readonly lossy?: readonly number[]
  /** A restart without loss: its ELR entry moves to the new broker epoch. */
  readonly rewrite?: { readonly from: Member; readonly to: Member }
  readonly minIsr?: number
  readonly replicas?: readonly number[]
  readonly adding?: readonly number[]
  readonly removing?: readonly number[]
  /** A Member is a last-known election: it becomes the only ISR member. */
  readonly elect?: 'preferred' | 'unclean' | Member
}

/** Broker epoch of a broker that is alive, admitted at that epoch and not stopping. */
export type Usable = (brokerId: number) => bigint | undefined

/** The same broker at the same registration. */
export function sameMember(a: Member | null, b: Member | null): boolean {
  return a === b || (a !== null && b !== null && a[0] === b[0] && a[1] === b[1])
}

/** The state after `change`: rules 1–3 of replication.md §4. */
export function nextState(old: PartitionState, change: Change, usable: Usable): PartitionState {
  const replicas = change.replicas ?? old.replicas
  const minIsr = change.minIsr ?? old.minIsr
  const lossy = change.lossy ?? []
  const counts = ([id]: Member) => replicas.includes(id) && !lossy.includes(id)
  const isUsable = ([id, epoch]: Member) => usable(id) === epoch

  let isr = (change.isr ?? old.isr).filter(counts)
  let elr: readonly Member[] = []
  let lastKnown: readonly number[] = []
  if (isr.length < minIsr) {
    elr = without(unionById(old.elr, old.isr), isr)
      .filter(counts)
      .map(member =>
        sameMember(member, change.rewrite?.from ?? null) ? change.rewrite!.to : member,
      )
    const held = [...old.isr, ...old.elr].map(([id]) => id)
    lastKnown = [...new Set([...old.lastKnown, ...lossy.filter(id => held.includes(id))])].filter(
      id => replicas.includes(id),
    )
  }

  let leader = electFromIsr(old, change, replicas, isr, isUsable)
  if (leader === null && isr.length === 0) {
    leader = inOrder(replicas, elr).find(isUsable) ?? electWithLoss(change, replicas, usable)
    if (leader !== null) {
      isr = [leader]
      const isLossless = elr.some(member => sameMember(member, leader))
      elr = isLossless ? without(elr, isr) : []
      if (!isLossless || isr.length >= minIsr) [elr, lastKnown] = [[], []]
    }
  }

  const isNewLeadership =
    !sameMember(leader, old.leader) ||
    lossy.length > 0 ||
    old.replicas.some(id => !replicas.includes(id))
  return {
    leader,
    leaderEpoch: old.leaderEpoch + (isNewLeadership ? 1 : 0),
    partitionEpoch: old.partitionEpoch + 1,
    minIsr,
    replicas,
    isr,
    elr,
    lastKnown,
    adding: (change.adding ?? old.adding).filter(id => replicas.includes(id)),
    removing: (change.removing ?? old.removing).filter(id => replicas.includes(id)),
  }
}

/** Rule 2 as far as the ISR goes: the preferred one if asked, the old member, the first usable. */
function electFromIsr(
  old: PartitionState,
  change: Change,
  replicas: readonly number[],
  isr: readonly Member[],
  isUsable: (member: Member) => boolean,
): Member | null {
  const candidates = inOrder(replicas, isr).filter(isUsable)
  const preferred = candidates.find(([id]) => id === replicas[0])
  if (change.elect === 'preferred' && preferred !== undefined) return preferred
  return candidates.find(member => sameMember(member, old.leader)) ?? candidates[0] ?? null
}

/** Only when nobody complete is left: an operator's (or the topic's) choice of possible loss. */
function electWithLoss(change: Change, replicas: readonly number[], usable: Usable): Member | null {
  if (change.elect === undefined || change.elect === 'preferred') return null
  const ids = change.elect === 'unclean' ? replicas : [change.elect[0]]
  for (const id of ids) {
    const epoch = usable(id)
    const isMeant = change.elect === 'unclean' || change.elect[1] === epoch
    if (epoch !== undefined && isMeant && replicas.includes(id)) return [id, epoch]
  }
  return null
}

function inOrder(replicas: readonly number[], members: readonly Member[]): Member[] {
  return [...members].sort(([a], [b]) => replicas.indexOf(a) - replicas.indexOf(b))
}

function without(members: readonly Member[], gone: readonly Member[]): Member[] {
  return members.filter(([id]) => !gone.some(([other]) => other === id))
}

/** All of `second`, after those of `first` whose broker is not in it. */
function unionById(first: readonly Member[], second: readonly Member[]): Member[] {
  return [...without(first, second), ...second]
}
