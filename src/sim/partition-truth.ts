/**
 * What is true of one partition of a simulated cluster, kept by nobody but the simulator: the records
 * that ever lay below a leader's high watermark, and how far each disk holds them.
 *
 * Nothing is deleted nor compacted in these runs, so the n-th batch of a log is the n-th of the
 * partition everywhere, and a prefix that was compared once is compared again only after a cut.
 */

import type { PartitionState } from '../cluster/partition-state.ts'
import { type Member, sameMember } from '../cluster/partition-state.ts'
import { type DiskLog, type StoredBatch, sameBatch } from './disk-logs.ts'

/** What a broker said of its log at one registration: it holds everything below. */
interface Report {
  readonly brokerEpoch: bigint
  readonly leaderEpoch: number
  readonly endOffset: number
}

/** One partition. */
export class PartitionTruth {
  readonly name: string
  /** A topic that is made again has another. */
  readonly topicId: string
  /** In the store. */
  state: PartitionState
  /** The highest watermark that any leader ever had. */
  highWatermark = 0
  /** All batches below it. */
  readonly committed: StoredBatch[] = []
  /** By leader epoch: the process that appended in it. */
  readonly #writers = new Map<number, string>()
  /** By offset and epoch: what was ever written there. */
  readonly #written = new Map<string, StoredBatch>()
  /** By host: how many committed batches its disk was seen to hold. */
  readonly #verified = new Map<string, number>()
  /** By broker id: its last report that the watermark counted. */
  readonly #reports = new Map<number, Report>()

  constructor(name: string, topicId: string, state: PartitionState) {
    this.name = name
    this.topicId = topicId
    this.state = state
  }

  /** 1 EpochUnique: why this append breaks it. */
  appended(leaderEpoch: number, process: string): string | undefined {
    const known = this.#writers.get(leaderEpoch)
    this.#writers.set(leaderEpoch, process)
    if (known === undefined || known === process) return undefined
    return `EpochUnique: ${known} and ${process} both appended in epoch ${leaderEpoch}`
  }

  /** 2, 3: what a batch that a disk got breaks. `before` is the one that precedes it in that log. */
  stored(batch: StoredBatch, before: StoredBatch | undefined): string | undefined {
    if (before !== undefined && before.leaderEpoch > batch.leaderEpoch) {
      return `EpochsGrow: ${shown(batch)} follows ${shown(before)}`
    }
    const key = `${batch.baseOffset}/${batch.leaderEpoch}`
    const known = this.#written.get(key)
    this.#written.set(key, batch)
    if (known === undefined || sameBatch(known, batch)) return undefined
    return `LogMatching: ${shown(batch)} is ${shown(known)} elsewhere`
  }

  /** What is in none of these logs from `offset` on was never told to anybody: a full disk took it back. */
  forget(offset: number, logs: readonly DiskLog[]): void {
    for (const [key, batch] of this.#written) {
      const isThere = () => logs.some(log => log.batches.some(each => sameBatch(each, batch)))
      if (batch.baseOffset >= offset && !isThere()) this.#written.delete(key)
    }
  }

  /** Part of the log of a host is gone from `offset` on. */
  cut(log: DiskLog, offset: number): void {
    const known = this.#verified.get(log.host) ?? 0
    let count = Math.min(known, log.batches.length)
    while (count > 0 && this.committed[count - 1]!.endOffset > offset) count--
    this.#verified.set(log.host, count)
  }

  /** A leader whose log is `log` has this watermark. Answers what that breaks. */
  raise(highWatermark: number, log: DiskLog | undefined): string | undefined {
    if (log === undefined || log.endOffset < highWatermark) {
      return `HwMonotonic: the leader's watermark is ${highWatermark}, its log ends at ${log?.endOffset}`
    }
    const wrong = this.missing(log, this.highWatermark)
    if (wrong !== undefined) return `LeaderComplete: ${wrong}`
    for (;;) {
      const next = log.batches[this.committed.length]
      if (next === undefined || next.endOffset > highWatermark) break
      this.committed.push(next)
    }
    this.#verified.set(log.host, this.committed.length)
    this.highWatermark = highWatermark
    return undefined
  }

  /** What a log lacks of the committed records below `end`; undefined when nothing. */
  missing(log: DiskLog | undefined, end: number): string | undefined {
    if (log === undefined) return end === 0 ? undefined : 'the folder is not there'
    let count = this.#verified.get(log.host) ?? 0
    for (; count < this.committed.length; count++) {
      const due = this.committed[count]!
      if (due.baseOffset >= end) break
      const found = log.batches[count]
      if (found === undefined || !sameBatch(due, found)) {
        this.#verified.set(log.host, count)
        return `${log.host} holds ${found ? shown(found) : 'nothing'} where ${shown(due)} is committed`
      }
    }
    this.#verified.set(log.host, count)
    return undefined
  }

  /** The watermark of a leader counted these members: they hold everything below it. */
  counted(members: readonly Member[], leaderEpoch: number, endOffset: number): void {
    for (const [brokerId, brokerEpoch] of members) {
      this.#reports.set(brokerId, { brokerEpoch, leaderEpoch, endOffset })
    }
  }

  /** What the broker said last, and the watermark counted. */
  report(brokerId: number): Report | undefined {
    return this.#reports.get(brokerId)
  }

  /** Members of the ISR and the ELR in the store. */
  get candidates(): readonly Member[] {
    return [...this.state.isr, ...this.state.elr]
  }

  /**
   * 9 UncleanExclusion: who may have come back with less is in the ISR again when a leader found it
   * complete, or when nobody complete was left; and in the ELR only after that.
   */
  wrongEntry(before: PartitionState, mayLack: (member: Member) => boolean): string | undefined {
    const known = [...before.isr, ...before.elr]
    const isNew = (member: Member) => !known.some(other => sameMember(other, member))
    const entered = this.candidates.filter(member => mayLack(member) && isNew(member))
    const isFound = before.leader !== null || known.length === 0
    const wrong = entered.find(
      member => !isFound || this.state.elr.some(other => sameMember(other, member)),
    )
    return wrong && `UncleanExclusion: ${wrong} may lack records, and is in ISR or ELR`
  }

  /** 7 IsrShape, and 2 EpochsGrow from `before`: what the state in the store breaks. */
  wrongState(before: PartitionState | undefined): string | undefined {
    const { isr, elr, replicas, minIsr, leader, lastKnown, leaderEpoch, partitionEpoch } =
      this.state
    const both = isr.filter(([id]) => elr.some(([other]) => other === id))
    const strange = this.candidates.filter(([id]) => !replicas.includes(id))
    if (both.length > 0) return 'IsrShape: a broker is in the ISR and in the ELR'
    if (strange.length > 0) return `IsrShape: ${strange} has no replica`
    if (isr.length >= minIsr && elr.length > 0) return 'IsrShape: an ELR beside a large enough ISR'
    if (leader !== null && !isr.some(member => sameMember(member, leader))) {
      return `IsrShape: the leader ${leader} is not in the ISR`
    }
    if (isr.length + elr.length + lastKnown.length === 0) return 'IsrShape: nobody is left'
    if (before === undefined) return undefined
    if (leaderEpoch < before.leaderEpoch) return 'EpochsGrow: the leader epoch falls'
    if (partitionEpoch !== before.partitionEpoch + 1) return 'EpochsGrow: partition epoch skipped'
    return undefined
  }
}

function shown({ baseOffset, endOffset, leaderEpoch, crc }: StoredBatch): string {
  return `[${baseOffset}, ${endOffset}) of epoch ${leaderEpoch} (crc ${crc.toString(16)})`
}
