/**
 * The invariants of replication.md §12 that hold at every moment, checked after every event over what
 * it touched: the store, the disks, the brokers whose code ran.
 *
 * What the clients saw is checked as they see it (`onShown`, `onAcknowledged`), and once more at the
 * end by `checker.ts`. The first breach ends the run.
 */
import { inspect } from 'node:util'
import { codecs, parseKey } from '../cluster/keys.ts'
import type { Member } from '../cluster/partition-state.ts'
import type { StoreEvent } from '../io/io.ts'
import type { Partition } from '../replica/partition.ts'
import type { BrokerMachine } from './broker-machine.ts'
import { sectorBytes } from './disk-files.ts'
import { type DiskLog, type DiskLogListener, DiskLogs, type StoredBatch } from './disk-logs.ts'
import { PartitionTruth } from './partition-truth.ts'
import { StoreHistory } from './store-history.ts'
import type { World } from './world.ts'

/** A promise was broken. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError'
}

/** What was last seen of a partition on a broker. */
interface Glimpse {
  generation: number
  /** The newest that its broker had heard of. */
  knownEpoch: number
  leaderEpoch: number
  highWatermark: number
  committed: unknown
  pending: unknown
}

const everything = { prefix: '' }
const etcdMinTtlMs = 2_000
/** Longer than any watch lags. */
const watchPatienceMs = 7_000
const rememberedNotes = 200
/** A socket takes a little more than what a connection holds back (see server/memory.ts). */
const mostSocketBytes = 64 * 1024 * 1024

/** Watches over one cluster; `check` is for World.afterEvent. */
export class Invariants implements DiskLogListener {
  /** Checked in all. */
  checks = 0
  readonly #world: World
  readonly #isSynced: boolean
  readonly #machines = new Map<string, BrokerMachine>()
  readonly #history = new StoreHistory(etcdMinTtlMs)
  readonly #disks = new Map<string, DiskLogs>()
  readonly #truths = new Map<string, PartitionTruth>()
  readonly #topicNames = new Map<string, string>()
  /** By broker id: the registration in the store. */
  readonly #registered = new Map<number, bigint>()
  /** Broker epochs at which a broker came without a proof that it lost nothing. */
  readonly #unproven = new Set<bigint>()
  readonly #glimpses = new Map<Partition, Glimpse>()
  readonly #dirty = new Set<PartitionTruth>()
  readonly #shown = new Map<string, string[]>()
  readonly #notes: { readonly atMs: number; readonly text: () => string }[] = []
  #sequence: { readonly epoch: bigint; readonly request: number } | undefined
  #revision = 1n
  /** What a broker's own call broke: thrown once the call is over, for a broker catches what it can. */
  #failure: string | undefined

  /** `isSynced`: nothing counts that is not synced (flush.messages=1). */
  constructor(world: World, machines: readonly BrokerMachine[], isSynced: boolean) {
    this.#world = world
    this.#isSynced = isSynced
    world.metadata.history = this.#history
    for (const machine of machines) this.add(machine)
  }

  /** One more machine to look at. */
  add(machine: BrokerMachine): void {
    const { host } = machine
    this.#machines.set(host, machine)
    this.#disks.set(host, new DiskLogs(host, this.#world.disk(host), this))
  }

  /** The last things that happened, oldest first, with what brokers reported. */
  get notes(): string[] {
    const notes = this.#notes.slice(-rememberedNotes)
    const fromMs = notes[0]?.atMs ?? 0
    for (const { atMs, host, level, message, fields } of this.#world.reported) {
      if (atMs < fromMs || level === 'info') continue
      notes.push({ atMs, text: () => `${host} ${level}: ${message} ${shown(fields)}` })
    }
    return notes
      .sort((a, b) => a.atMs - b.atMs)
      .map(({ atMs, text }) => `${atMs.toFixed(3).padStart(11)} ${text()}`)
  }

  /** Of a partition by `<topic>-<n>`. */
  truth(name: string): PartitionTruth | undefined {
    return this.#truths.get(name)
  }

  truths(): Iterable<PartitionTruth> {
    return this.#truths.values()
  }

  /** All partition folders of a machine. */
  diskLogs(host: string): Iterable<DiskLog> {
    return this.#disks.get(host)?.all() ?? []
  }

  diskLog(host: string, name: string): DiskLog | undefined {
    return this.#disks.get(host)?.get(name)
  }

  /** Something worth telling when a promise is broken later. */
  note(text: () => string): void {
    this.#notes.push({ atMs: this.#world.nowMs, text })
    if (this.#notes.length > 2 * rememberedNotes) this.#notes.splice(0, rememberedNotes)
  }

  /** After every event; throws InvariantError. */
  check(hosts: ReadonlySet<string>): void {
    const failure = this.#failure ?? this.#history.failure
    if (failure !== undefined) this.#fail(failure)
    this.#followStore()
    for (const disk of this.#disks.values()) disk.refresh()
    for (const host of hosts) this.#look(host)
    for (const truth of this.#dirty) this.#checkCandidates(truth)
    this.#dirty.clear()
  }

  /** At the end: 17 StoreModel, 19 Bounded. */
  checkEnd(): void {
    this.#history.checkDelivered(this.#world.nowMs - watchPatienceMs)
    if (this.#history.failure !== undefined) this.#fail(this.#history.failure)
    const bytes = this.#world.network.mostBufferedBytes
    if (bytes > mostSocketBytes) this.#fail(`Bounded: a socket holds ${bytes} bytes`)
  }

  /** 8, 11: a consumer was shown a record. */
  onShown(partition: string, offset: number, value: string): void {
    const end = this.#truths.get(partition)?.highWatermark ?? 0
    if (offset >= end) {
      this.#failure ??= `HwMonotonic: ${partition}@${offset} was shown, ${end} is the highest watermark`
    }
    let shown = this.#shown.get(partition)
    if (shown === undefined) this.#shown.set(partition, (shown = []))
    const before = shown[offset]
    shown[offset] = value
    if (before !== undefined && before !== value) {
      this.#failure ??= `StableOffsets: ${partition}@${offset} was ${before}, now ${value}`
    }
  }

  /** 10: a producer with acks=all was told that its records are at `offset` and after. */
  onAcknowledged(partition: string, offset: number, count: number): void {
    const end = this.#truths.get(partition)?.highWatermark ?? 0
    if (offset + count > end) {
      this.#failure ??= `NoCommittedLoss: ${partition}@${offset} acknowledged, the watermark is ${end}`
    }
  }

  /** Of a disk: 2, 3. */
  onBatch(log: DiskLog, batch: StoredBatch): void {
    const truth = this.#truths.get(log.name)
    if (truth === undefined) return
    const at = log.batches.at(-1) === batch ? log.batches.length - 1 : log.batches.indexOf(batch)
    const wrong = truth.stored(batch, log.batches[at - 1])
    if (wrong !== undefined) this.#fail(`${wrong} (${log.name} on ${log.host})`)
  }

  /** Of a disk: 9 RemovedFirst, 10 NoCommittedLoss. */
  onCut(log: DiskLog, offset: number): void {
    this.note(() => `${log.host} cuts ${log.name} at ${offset}`)
    const truth = this.#truths.get(log.name)
    if (truth === undefined) return
    truth.cut(log, offset)
    const logs = [...this.#disks.values()].flatMap(disk => disk.get(log.name) ?? [])
    truth.forget(offset, logs)
    this.#dirty.add(truth)
    const machine = this.#machines.get(log.host)!
    const report = truth.report(machine.brokerId)
    const isIn = truth.candidates.some(([id]) => id === machine.brokerId)
    const isOwn =
      machine.isRunning && this.#registered.get(machine.brokerId) === report?.brokerEpoch
    if (report !== undefined && offset < report.endOffset && isOwn && isIn) {
      this.#fail(
        `RemovedFirst: ${log.host} cuts ${log.name} at ${offset}, it counted up to ${report.endOffset}`,
      )
    }
    this.#checkKept(truth)
  }

  #fail(what: string): never {
    throw new InvariantError(what)
  }

  #followStore(): void {
    const { model } = this.#world.metadata
    while (this.#revision < model.revision) {
      this.#revision++
      const events = model.eventsAt(this.#revision, everything)
      if (events === undefined) this.#fail(`StoreModel: revision ${this.#revision} is gone`)
      for (const event of events) this.#onStore(event)
    }
  }

  #onStore(event: StoreEvent): void {
    const key = event.type === 'put' ? event.entry.key : event.key
    const meaning = parseKey(key)
    if (event.type === 'delete') {
      if (meaning?.kind === 'partition') {
        this.#truths.delete(`${this.#topicNames.get(meaning.topicId)}-${meaning.index}`)
      }
      if (meaning?.kind === 'alive') {
        this.#registered.delete(meaning.brokerId)
        this.note(() => `broker ${meaning.brokerId} is not registered any more`)
      }
      return
    }
    const { value, createRevision } = event.entry
    switch (meaning?.kind) {
      case 'info':
        this.#topicNames.set(meaning.topicId, codecs.info.decode(value).name)
        break
      case 'alive':
        this.#onRegistered(meaning.brokerId, createRevision, value)
        break
      case 'controllerSeq':
        this.#onSequence(value, event.entry.modRevision)
        break
      case 'partition': {
        const topic = this.#topicNames.get(meaning.topicId)
        if (topic !== undefined) {
          this.#onState(`${topic}-${meaning.index}`, meaning.topicId, value)
        }
      }
    }
  }

  /** 9 LosslessTrue; for UncleanExclusion. */
  #onRegistered(brokerId: number, brokerEpoch: bigint, value: Uint8Array): void {
    const { lossless, previousEpoch } = codecs.alive.decode(value)
    this.#registered.set(brokerId, brokerEpoch)
    this.note(
      () =>
        `broker ${brokerId} registers: epoch ${brokerEpoch}, before ${previousEpoch}${lossless ? ', lossless' : ''}`,
    )
    if (!lossless) {
      this.#unproven.add(brokerEpoch)
      return
    }
    for (const truth of this.#truths.values()) {
      const report = truth.report(brokerId)
      if (report === undefined || report.brokerEpoch !== previousEpoch) continue
      if (!truth.candidates.some(([id]) => id === brokerId)) continue
      const log = this.#disks.get(`broker${brokerId}`)!.get(truth.name)
      if ((log?.endOffset ?? 0) < report.endOffset) {
        this.#fail(
          `LosslessTrue: broker ${brokerId} says so, ${truth.name} ends at ${log?.endOffset}, it counted up to ${report.endOffset}`,
        )
      }
    }
  }

  /** 17 ControllerOnce. A term begins with request 0; its epoch is the revision of that. */
  #onSequence(value: Uint8Array, revision: bigint): void {
    const { controllerEpoch, request } = codecs.controllerSeq.decode(value)
    const before = this.#sequence
    this.#sequence = { epoch: request === 0 ? revision : controllerEpoch, request }
    if (before === undefined || request === 0) return
    if (controllerEpoch !== before.epoch || request !== before.request + 1) {
      this.#fail(
        `ControllerOnce: ${controllerEpoch}/${request} after ${before.epoch}/${before.request}`,
      )
    }
  }

  #onState(name: string, topicId: string, value: Uint8Array): void {
    const state = codecs.partition.decode(value)
    const { leader, leaderEpoch, isr, elr, lastKnown } = state
    this.note(
      () =>
        `${name}: leader ${leader ?? 'none'} epoch ${leaderEpoch} isr ${isr.join(' ')} elr ${elr.join(' ')} last known ${lastKnown}`,
    )
    let truth = this.#truths.get(name)
    const before = truth?.state
    if (truth === undefined)
      this.#truths.set(name, (truth = new PartitionTruth(name, topicId, state)))
    truth.state = state
    const mayLack = ([, brokerEpoch]: Member) => this.#unproven.has(brokerEpoch)
    const wrong = truth.wrongState(before) ?? (before && truth.wrongEntry(before, mayLack))
    if (wrong !== undefined) this.#fail(`${wrong} (${name})`)
    this.#dirty.add(truth)
  }

  /** What the code of one machine did in this event. */
  #look(host: string): void {
    const machine = this.#machines.get(host)
    const { parts } = machine ?? {}
    if (machine === undefined || parts === undefined) return
    for (const partition of parts.replicas.all()) {
      const truth = this.#truths.get(`${partition.topic}-${partition.index}`)
      if (truth?.topicId === partition.topicId) this.#lookAt(machine, partition, truth)
    }
  }

  #lookAt(machine: BrokerMachine, partition: Partition, truth: PartitionTruth): void {
    const { leadership, highWatermark, leaderEpoch } = partition
    const { generation } = machine
    let seen = this.#glimpses.get(partition)
    if (seen === undefined) {
      seen = {
        generation,
        knownEpoch: -1,
        leaderEpoch: -2,
        highWatermark: 0,
        committed: {},
        pending: {},
      }
      this.#glimpses.set(partition, seen)
      this.#tap(machine, partition, truth, seen)
    }
    const { topicId, index } = partition
    const known = machine.parts?.image.topicById(topicId)?.partitions[index]
    seen.knownEpoch = known?.leaderEpoch ?? seen.knownEpoch
    const isNewer = seen.leaderEpoch !== leaderEpoch
    if (isNewer || seen.highWatermark !== highWatermark) {
      this.checks++
      const isLeader = leadership !== undefined
      if (isLeader && !isNewer && highWatermark < seen.highWatermark) {
        this.#fail(
          `HwMonotonic: ${truth.name} on ${machine.host} from ${seen.highWatermark} to ${highWatermark} in epoch ${leaderEpoch}`,
        )
      }
      this.#onWatermark(machine, partition, truth, isNewer)
      seen.leaderEpoch = leaderEpoch
      seen.highWatermark = highWatermark
    }
    if (leadership === undefined) return
    const { committed, pending } = leadership
    if (seen.committed !== committed || seen.pending !== pending) {
      seen.committed = committed
      seen.pending = pending
      this.#dirty.add(truth)
    }
  }

  /** 3, 5, 8: a broker's watermark moved. */
  #onWatermark(
    machine: BrokerMachine,
    partition: Partition,
    truth: PartitionTruth,
    isNewEpoch: boolean,
  ): void {
    const { leadership, highWatermark, leaderEpoch } = partition
    const log = this.diskLog(machine.host, truth.name)
    if (leadership !== undefined && highWatermark > truth.highWatermark) {
      const wrong = truth.raise(highWatermark, log)
      if (wrong !== undefined) this.#fail(`${wrong} (${truth.name})`)
      const counted = leadership.maximalIsr()
      if (this.#isSynced) this.#checkSynced(truth.name, counted, highWatermark)
      truth.counted(counted, leaderEpoch, highWatermark)
      if (isNewEpoch) {
        this.note(
          () => `${truth.name}: ${machine.host} leads epoch ${leaderEpoch} at ${highWatermark}`,
        )
      }
      this.#dirty.add(truth)
      return
    }
    if (highWatermark > truth.highWatermark) {
      this.#fail(
        `HwMonotonic: follower ${machine.host} has watermark ${highWatermark} of ${truth.name}, no leader had more than ${truth.highWatermark}`,
      )
    }
    // A folder goes when its broker has left the replicas, the object a moment later.
    if (!truth.state.replicas.includes(machine.brokerId)) return
    const wrong = truth.missing(log, highWatermark)
    if (wrong !== undefined) this.#fail(`LogMatching: below its watermark ${wrong} (${truth.name})`)
  }

  /** H3: a power loss takes nothing of what a leader counts. To a sector: later writes share the last one. */
  #checkSynced(name: string, counted: readonly Member[], end: number): void {
    // A start writes once more what is synced already: a process that is gone is not looked at.
    for (const member of counted.filter(each => this.#isHere(each))) {
      const host = `broker${member[0]}`
      for (const segment of this.diskLog(host, name)?.segments.values() ?? []) {
        const { path, positions, batches } = segment
        const last = batches.findLastIndex(({ endOffset }) => endOffset <= end)
        const position = positions[last] ?? 0
        const lastSector = Math.floor((position - 1) / sectorBytes) * sectorBytes
        if (this.#world.disk(host).unsyncedFrom(path) < lastSector) {
          this.#fail(`NoCommittedLoss: ${path} on ${host} counts to ${end}, and is not synced`)
        }
      }
    }
  }

  /** The process that registered so runs, and is registered. */
  #isHere([brokerId, brokerEpoch]: Member): boolean {
    const { isRunning, startedRevision } = this.#machines.get(`broker${brokerId}`)!
    const isRegistered = this.#registered.get(brokerId) === brokerEpoch
    return isRunning && isRegistered && startedRevision < brokerEpoch
  }

  /** 4 CandidateComplete, 6 QuorumSuperset. */
  #checkCandidates(truth: PartitionTruth): void {
    this.checks++
    for (const [brokerId, brokerEpoch] of truth.candidates) {
      if (!this.#isHere([brokerId, brokerEpoch])) continue
      const host = `broker${brokerId}`
      const wrong = truth.missing(this.diskLog(host, truth.name), truth.highWatermark)
      if (wrong === undefined) continue
      const isLeader = truth.state.leader?.[0] === brokerId
      this.#fail(`${isLeader ? 'LeaderComplete' : 'CandidateComplete'}: ${wrong} (${truth.name})`)
    }
    for (const { parts } of this.#machines.values()) {
      const [topic, index] = splitName(truth.name)
      const partition = parts?.replicas.get(topic, index)
      const leadership = partition?.topicId === truth.topicId ? partition.leadership : undefined
      if (leadership?.leaderEpoch !== truth.state.leaderEpoch) continue
      if (!leadership.hasEnoughReplicas) continue
      const counted = leadership.maximalIsr()
      const left = truth.candidates.filter(([id]) => !counted.some(([other]) => other === id))
      if (left.length > 0) this.#fail(`QuorumSuperset: ${left} is not waited for (${truth.name})`)
    }
  }

  /** 10: each committed record is on some disk. */
  #checkKept(truth: PartitionTruth): void {
    const logs = [...this.#disks.values()].flatMap(disk => disk.get(truth.name) ?? [])
    const isHeldBy = (log: DiskLog) => truth.missing(log, truth.highWatermark) === undefined
    if (truth.highWatermark === 0 || logs.some(isHeldBy)) return
    const held = new Set(
      logs.flatMap(log => log.batches.map(batch => `${batch.baseOffset}/${batch.crc}`)),
    )
    const lost = truth.committed.find(batch => !held.has(`${batch.baseOffset}/${batch.crc}`))
    if (lost !== undefined) {
      this.#fail(`NoCommittedLoss: ${truth.name}@${lost.baseOffset} is on no disk any more`)
    }
  }

  /** 1 EpochUnique, 18 AckInEpoch: what a broker does within one event is seen by its calls. */
  #tap(machine: BrokerMachine, partition: Partition, truth: PartitionTruth, seen: Glimpse): void {
    const process = `${machine.host}#${machine.generation}`
    const { membership } = machine.parts!
    const append = partition.append.bind(partition)
    partition.append = (records, acks) => {
      const appended = append(records, acks)
      const writer = `${process} at ${membership.brokerEpoch}`
      const wrong = truth.appended(appended.leaderEpoch, writer)
      if (wrong !== undefined) this.#failure ??= `${wrong} (${truth.name})`
      return appended
    }
    // A watermark may move, and the leadership end, in one event.
    const resign = partition.resign.bind(partition)
    partition.resign = () => {
      try {
        if (partition.isLeader) this.#onWatermark(machine, partition, truth, false)
      } catch (error) {
        this.#failure ??= (error as Error).message
      }
      resign()
    }
    const acknowledged = partition.acknowledged.bind(partition)
    partition.acknowledged = async (appended, acks, deadlineMs) => {
      await acknowledged(appended, acks, deadlineMs)
      // What it hears of in the very event that moves the watermark may come a moment later.
      if (acks === -1 && seen.knownEpoch > appended.leaderEpoch) {
        this.#failure ??= `AckInEpoch: ${process} acknowledges ${truth.name} to ${appended.endOffset} of epoch ${appended.leaderEpoch}, known is ${seen.knownEpoch}`
      }
    }
  }
}

function shown(fields: Readonly<Record<string, unknown>>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name} ${value instanceof Error ? value.message : inspect(value)}`)
    .join(', ')
}

function splitName(name: string): [topic: string, index: number] {
  const at = name.lastIndexOf('-')
  return [name.slice(0, at), Number(name.slice(at + 1))]
}
