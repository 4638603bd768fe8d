/**
 * The partitions of this broker, following the image.
 *
 * What must not wait is done when the image changes: a leadership that ended fails its waiters, an
 * ISR change moves the watermark, a topic that is gone is not found. What touches the disk — open,
 * begin to lead, delete — happens in turns, one at a time for each folder: a turn looks at the image
 * again when it comes, so turns that are late or superfluous do the right thing or nothing.
 *
 * A folder is deleted only for a topic that is marked as deleted, or when this running broker leaves
 * the replicas; a folder found at start that nobody expects is set aside.
 */

import type { Peers } from '../client/peers.ts'
import { within } from '../cluster/deadline.ts'
import type { Image, ImageChange, Topic } from '../cluster/image.ts'
import type { ConfigScope } from '../cluster/keys.ts'
import type { Membership } from '../cluster/membership.ts'
import { type Member, type PartitionState, sameMember } from '../cluster/partition-state.ts'
import { removeSelf, reportFoldersGone } from '../cluster/reports.ts'
import type { Transactor } from '../cluster/transact.ts'
import type { CleanerConfig } from '../config/cleaner-config.ts'
import type { FetcherConfig } from '../config/fetcher-config.ts'
import type { LogConfig } from '../config/log-config.ts'
import type { ScrubberConfig } from '../config/scrubber-config.ts'
import type { ThrottleConfig } from '../config/throttle-config.ts'
import type { Io } from '../io/io.ts'
import { NoRoomError } from '../log/disk-room.ts'
import { folderName, forgetMissingName } from '../log/file-names.ts'
import type { LogFolder } from '../log/found-directory.ts'
import type { Log } from '../log/log.ts'
import { type LogDirectory, SwapUnknownError } from '../log/log-directory.ts'
import { KafkaError } from '../protocol/errors.ts'
import { Damage } from './damage.ts'
import { Fetchers } from './fetchers.ts'
import { Gate } from './gate.ts'
import { IsrChanges } from './isr-changes.ts'
import { LogEnds } from './log-ends.ts'
import { type FutureReplica, type LogMove, LogMoves } from './log-moves.ts'
import { Partition } from './partition.ts'
import { type RoomWait, RoomWaits } from './room-waits.ts'
import { SharedClock } from './shared-clock.ts'
import { type Throttles, throttles } from './throttle.ts'
import { type Hosted, Upkeep, watermarksIn } from './upkeep.ts'

const concurrentTurns = 16
const leadingPollMs = 10
const removalPatienceMs = 10_000

/** Where the logs lie, and what they obey. */
export interface ReplicasOptions {
  readonly directories: readonly LogDirectory[]
  /** Directories that could not be opened: folders that are missing may lie there. */
  readonly unusable?: readonly UnusableDirectory[]
  /** A directory of an earlier run is not here, or that cannot be known: the same. */
  readonly isLackingOne?: boolean
  /** What a log obeys whose topic has these overrides. */
  logConfig(overrides: ReadonlyMap<string, string>): LogConfig
  /** log.retention.check.interval.ms */
  readonly retentionCheckMs: number
  /** As it is now. */
  cleaner(): CleanerConfig
  /** As it is now. */
  scrubber(): ScrubberConfig
  /** How other brokers are reached. */
  readonly peers: Peers
  /** As it is now. */
  fetcher(): FetcherConfig
  /** As it is now. */
  throttle(): ThrottleConfig
  /** replica.lag.time.max.ms, as it is now. */
  readonly lagTimeMs: () => number
  /** No log directory is left, and the partitions were left as far as that could be said. */
  onLastOffline(error: Error): void
}

/** A data directory that a start could not open. */
export interface UnusableDirectory {
  readonly path: string
  readonly error: Error
}

/** A data directory, as it is now, and what it holds. */
export interface LogDir {
  readonly path: string
  /** Why nothing in it is in use. */
  readonly offline: Error | undefined
  readonly partitions: readonly Partition[]
  /** Copies that are on their way here. */
  readonly futures: readonly FutureReplica[]
}

/** All replicas of this broker. */
export class Replicas {
  readonly isrChanges: IsrChanges
  readonly throttles: Throttles
  readonly #io: Io
  readonly #image: Image
  readonly #membership: Membership
  readonly #transactor: Transactor
  readonly #options: ReplicasOptions
  /** For the deadlines of all that wait in partitions. */
  readonly #clock: SharedClock
  readonly #gate = new Gate(concurrentTurns)
  /** By topic id, then by index. */
  readonly #hosted = new Map<string, (Hosted | undefined)[]>()
  /** What requests ask for: by topic name, then by index. */
  readonly #byName = new Map<string, (Partition | undefined)[]>()
  /** The last turn of each folder. */
  readonly #turns = new Map<string, Promise<void>>()
  /** Partitions of each topic id that have a turn which has not begun. */
  readonly #toSettle = new Map<string, Set<number>>()
  /** Turns of each topic id that are not over. */
  readonly #unsettled = new Map<string, Set<Promise<void>>>()
  /** Where folders are that are not open, by name: found at start, or moved. */
  readonly #found = new Map<string, LogDirectory>()
  /** Partitions in each directory. */
  readonly #counts = new Map<LogDirectory, number>()
  /** Of topics with overrides: one for all their partitions, until something changes. */
  readonly #configs = new Map<string, LogConfig>()
  /** Folders that could not be opened. */
  readonly #failed = new Set<string>()
  /** `<topic id>/<n>` of those whose folder a later start has to find. */
  readonly #absent = new Set<string>()
  readonly #cancels: (() => void)[] = []
  readonly #followers = new Set<(partition: Partition) => void>()
  readonly #moves: LogMoves
  readonly #fetchers: Fetchers
  readonly #logEnds: LogEnds
  readonly #damage: Damage
  readonly #roomWaits: RoomWaits
  #upkeep: Upkeep | undefined
  /** What all leaderships here are held as. */
  #member: Member | undefined
  #isClosed = false

  constructor(
    io: Io,
    image: Image,
    membership: Membership,
    transactor: Transactor,
    options: ReplicasOptions,
  ) {
    this.#io = io
    this.#clock = new SharedClock(io.clock)
    this.#image = image
    this.#membership = membership
    this.#transactor = transactor
    this.#options = options
    const { brokerId } = membership
    const { lagTimeMs } = options
    this.isrChanges = new IsrChanges(io, { image, transactor, brokerId, lagTimeMs })
    const config = () => options.throttle()
    this.throttles = throttles(io.clock, { image, brokerId, config })
    this.#moves = new LogMoves(
      io,
      () => options.throttle().moveRate,
      move => this.#swapInTurn(move),
    )
    const all = () => this.#all()
    this.#logEnds = new LogEnds(io, { image, membership, transactor, all })
    this.#damage = new Damage(io, {
      image,
      membership,
      transactor,
      hosted: (topicId, index) => this.#hosted.get(topicId)?.[index],
      repair: hosted => this.#repairInTurn(hosted),
    })
    this.#roomWaits = new RoomWaits(io, (wait, isLong) => this.#openAgain(wait, isLong))
    this.#fetchers = new Fetchers(io, {
      peers: options.peers,
      config: () => options.fetcher(),
      throttle: this.throttles.follower,
      // Self-fenced, it follows nobody.
      self: () => (io.clock.monotonicMs() < membership.validUntilMs ? this.#self() : undefined),
    })
  }

  /** Resolves when all that the image gives this broker is open. After the registration. */
  async start(): Promise<void> {
    for (const directory of this.#options.directories) {
      directory.onOffline = error => this.#onOffline(directory, error)
      for (const folder of directory.folders()) this.#sort(directory, folder)
    }
    this.#noteAbsent()
    this.#cancels.push(this.#image.subscribe(change => this.#onChange(change)))
    this.#cancels.push(
      this.#membership.subscribe(() => {
        this.#followAll()
        this.#fetchers.wake()
      }),
    )
    this.#followAll()
    for (const [topicId] of this.#image.deletedTopics()) this.#follow(topicId)
    const { directories, retentionCheckMs } = this.#options
    this.#upkeep = new Upkeep(this.#io, {
      directories,
      retentionCheckMs,
      cleaner: () => this.#options.cleaner(),
      scrubber: () => this.#options.scrubber(),
      onDamage: (log, segment) => this.#damage.met(log, segment),
      all: () => this.#all(),
    })
    await Promise.all(this.#turns.values())
  }

  /**
   * Resolves when this broker leads all that nobody else can lead, or after `patienceMs`: a broker
   * that serves before that sends its first clients away.
   */
  async leading(patienceMs: number): Promise<void> {
    const { clock } = this.#io
    const deadlineMs = clock.monotonicMs() + patienceMs
    while (clock.monotonicMs() < deadlineMs && this.#isLacking() && !this.#isClosed) {
      await new Promise<void>(resolve => void clock.timer(leadingPollMs, resolve))
    }
  }

  /** There is a partition that only this broker can lead and does not, though its log is well. */
  #isLacking(): boolean {
    for (const { name, partitions } of this.#image.topics()) {
      for (const [index, { replicas }] of partitions.entries()) {
        if (replicas.length > 1 || replicas[0] !== this.#membership.brokerId) continue
        const partition = this.get(name, index)
        if (partition?.isLeader || partition?.isOffline) continue
        if (!this.#failed.has(folderName(name, index))) return true
      }
    }
    return false
  }

  /**
   * Throws UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, KAFKA_STORAGE_ERROR. Whether the
   * leadership still holds, the partition itself says.
   */
  leader(topic: string, index: number): Partition {
    const partition = this.#byName.get(topic)?.[index]
    if (partition?.isLeader) return partition
    if (this.#image.topicByName(topic)?.partitions[index] === undefined) {
      throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION')
    }
    const isBroken = partition?.isOffline || this.#failed.has(folderName(topic, index))
    throw new KafkaError(isBroken ? 'KAFKA_STORAGE_ERROR' : 'NOT_LEADER_OR_FOLLOWER')
  }

  /** The same, for consumers: a follower that copies from its leader will do (KIP-392). */
  readable(topic: string, index: number): Partition {
    const partition = this.get(topic, index)
    return partition !== undefined && partition.readableEpoch !== -1
      ? partition
      : this.leader(topic, index)
  }

  get(topic: string, index: number): Partition | undefined {
    return this.#byName.get(topic)?.[index]
  }

  /**
   * Calls `follow` whenever this broker begins or ceases to lead a partition, synchronously: it must
   * not throw. Answers how to end that.
   */
  onLeadership(follow: (partition: Partition) => void): () => void {
    this.#followers.add(follow)
    return () => this.#followers.delete(follow)
  }

  readonly #tellFollowers = (partition: Partition): void => {
    this.isrChanges.follow(partition)
    for (const follow of this.#followers) follow(partition)
  };

  *all(): Iterable<Partition> {
    for (const { partition } of this.#all()) yield partition
  }

  /** Those that could not be opened come last. */
  logDirs(): LogDir[] {
    const { directories, unusable = [] } = this.#options
    const open = directories.map(directory => ({
      path: directory.path,
      offline: directory.offline,
      partitions: [...this.#all()]
        .filter(hosted => hosted.directory === directory)
        .map(({ partition }) => partition),
      futures: this.#moves.into(directory),
    }))
    const others = unusable.map(({ path, error }) => ({
      path,
      offline: error,
      partitions: [],
      futures: [],
    }))
    return [...open, ...others]
  }

  /**
   * Begins to move a replica to another directory of this broker; to the one where it lies: ends a
   * move under way. Throws LOG_DIR_NOT_FOUND, KAFKA_STORAGE_ERROR when that directory or the replica is
   * offline, UNKNOWN_TOPIC_OR_PARTITION, REPLICA_NOT_AVAILABLE.
   */
  move(topic: string, index: number, path: string): void {
    const { directories, unusable = [] } = this.#options
    const to = directories.find(directory => directory.path === path)
    const isUnusable = unusable.some(directory => directory.path === path)
    if (to === undefined && !isUnusable) throw new KafkaError('LOG_DIR_NOT_FOUND')
    const known = this.#image.topicByName(topic)
    if (known?.partitions[index] === undefined) throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION')
    const hosted = this.#hosted.get(known.topicId)?.[index]
    const isOffline = hosted?.partition.isOffline || this.#failed.has(folderName(topic, index))
    if (to === undefined || to.offline !== undefined || isOffline) {
      throw new KafkaError('KAFKA_STORAGE_ERROR')
    }
    if (hosted === undefined || this.#isClosed) throw new KafkaError('REPLICA_NOT_AVAILABLE')
    this.#moves.begin(hosted.log, hosted.directory, to)
  }

  /** Resolves when the image's topic is open, and led, here; or its folders are renamed away. */
  async settled(topicId: string): Promise<void> {
    await Promise.all(this.#unsettled.get(topicId) ?? [])
  }

  /** No leadership is left; the directories are closed, which says that all was well. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const cancel of this.#cancels) cancel()
    this.#upkeep?.end()
    this.#logEnds.close()
    this.#roomWaits.close()
    for (const { partition } of this.#all()) partition.resign()
    this.#clock.close()
    await this.#moves.close()
    await this.#fetchers.close()
    await this.#upkeep?.closed()
    await Promise.all(this.#turns.values())
    for (const directory of this.#options.directories) {
      await directory.close(watermarksIn(directory, this.#all()))
    }
  }

  *#all(): Iterable<Hosted> {
    for (const partitions of this.#hosted.values()) {
      for (const hosted of partitions) if (hosted !== undefined) yield hosted
    }
  }

  #self(): Member | undefined {
    const { brokerId, brokerEpoch } = this.#membership
    if (brokerEpoch === undefined) return undefined
    if (this.#member?.[1] !== brokerEpoch) this.#member = [brokerId, brokerEpoch]
    return this.#member
  }

  /** A folder found at start: one that is expected, one of a deleted topic, or a stray. */
  #sort(directory: LogDirectory, folder: LogFolder): void {
    const { topic, partition, topicId } = folder
    const name = folderName(topic, partition)
    if (folder.isBlank && this.#isReplica(this.#image.topicByName(topic)?.partitions[partition])) {
      return // It is made again.
    }
    if (topicId !== undefined && !this.#found.has(name)) {
      const known = this.#image.topicById(topicId)
      if (known?.name === topic && this.#isReplica(known.partitions[partition])) {
        this.#found.set(name, directory)
        return
      }
      if (this.#image.deletedTopic(topicId) !== undefined) {
        const config = this.#options.logConfig(new Map())
        this.#inTurn(name, topicId, async () => {
          await directory.deleteLog(await directory.openLog({ topic, partition, topicId, config }))
        })
        return
      }
    }
    this.#inTurn(name, topicId ?? '', async () => {
      await directory.setAside(folder)
    })
  }

  /** A partition that should be here and is not must not begin anew, empty: it is somewhere. */
  #noteAbsent(): void {
    const { unusable = [], isLackingOne = false, directories } = this.#options
    if (unusable.length === 0 && !isLackingOne) return
    let count = 0
    for (const { topicId, name, partitions } of this.#image.topics()) {
      for (const [index, state] of partitions.entries()) {
        const folder = folderName(name, index)
        if (!this.#isReplica(state) || this.#found.has(folder)) continue
        this.#absent.add(`${topicId}/${index}`)
        this.#failed.add(folder)
        count++
      }
    }
    if (count === 0 && unusable.length === 0) return
    const paths = unusable.map(({ path }) => path).join(', ')
    const what =
      paths === ''
        ? `a data directory is missing: ${count} partitions that lay there`
        : `${paths} cannot be used: ${count} partitions that lie there`
    const word = isLackingOne
      ? `; is its disk mounted, and in log.dirs? If it is lost for good, 'touch ${directories[0]!.path}/${forgetMissingName}' lets them begin anew, empty`
      : ''
    this.#io.report.error(
      { partitions: count },
      `${what} are offline until a start that finds them${word}`,
    )
  }

  #onChange({ topics, configs }: ImageChange): void {
    // A topic that came anew takes the folders of the one that went, which the image names first.
    for (const topicId of topics) this.#follow(topicId)
    for (const name of configs) {
      const [scope, resource] = name.split('/') as [ConfigScope, string]
      if (scope === 'topic') {
        this.#configs.delete(resource)
        this.#configure(this.#image.topicByName(resource))
      } else {
        this.#configs.clear()
        for (const topic of this.#image.topics()) this.#configure(topic)
      }
    }
    if ([...topics].some(topicId => this.#logEnds.isLost(topicId))) this.#logEnds.announceSoon()
  }

  #followAll(): void {
    for (const { topicId } of this.#image.topics()) this.#follow(topicId)
    this.#logEnds.announceSoon()
  }

  #configOf(topic: string): LogConfig {
    const overrides = this.#image.configs('topic', topic)
    let config = this.#configs.get(topic)
    if (config === undefined) {
      config = this.#options.logConfig(overrides)
      if (overrides.size > 0) this.#configs.set(topic, config)
    }
    return config
  }

  #configure(topic: Topic | undefined): void {
    if (topic === undefined) return
    const config = this.#configOf(topic.name)
    for (const hosted of this.#hosted.get(topic.topicId) ?? []) hosted?.partition.configure(config)
  }

  #follow(topicId: string): void {
    const topic = this.#image.topicById(topicId)
    const hosted = this.#hosted.get(topicId) ?? []
    const self = this.#self()
    const count = Math.max(topic?.partitions.length ?? 0, hosted.length)
    for (let index = 0; index < count; index++) {
      if (this.#absent.size > 0 && this.#absent.has(`${topicId}/${index}`)) continue
      const here = hosted[index]
      const state = topic?.partitions[index]
      const isWanted = this.#isReplica(state)
      if (here !== undefined) {
        if (isWanted) here.partition.update(this.#image.partition(topicId, index)!, self)
        else this.#hide(here.partition)
        this.isrChanges.follow(here.partition)
        this.#followOnly(here.log, isWanted ? state : undefined)
        if (here.partition.isLeader && here.log.isDamaged) this.#repairInTurn(here)
      }
      const leads = isWanted && this.#isLeader(state!)
      const isToLead = leads && here?.partition.leaderEpoch !== state!.leaderEpoch
      const isToFollow = here !== undefined && isWanted && this.#isToFollow(here, state!)
      if (isWanted !== (here !== undefined) || isToLead || isToFollow) {
        this.#settleInTurn(topic?.name ?? here!.log.topic, topicId, index)
      }
    }
    if (this.#image.deletedTopic(topicId)?.value.waiting.includes(this.#membership.brokerId)) {
      void this.settled(topicId).then(() => this.#reportGone(topicId))
    }
  }

  /** Whom another leadership was followed in, is not followed from now on. */
  #followOnly(log: Log, state: PartitionState | undefined): void {
    if (this.#fetchers.epochOf(log) === -1) return
    const isSame = state !== undefined && this.#fetchers.epochOf(log) === state.leaderEpoch
    if (!isSame || state.leader === null) void this.#fetchers.unfollow(log)
  }

  /** Another broker leads, and it is not followed in this epoch yet. */
  #isToFollow({ log, partition }: Hosted, { leader, leaderEpoch }: PartitionState): boolean {
    if (leader === null || partition.isOffline || this.#self() === undefined) return false
    const isOther = leader[0] !== this.#membership.brokerId
    return isOther && this.#fetchers.epochOf(log) !== leaderEpoch
  }

  /** One turn that has not begun is enough: it will look at all that happened until then. */
  #settleInTurn(topic: string, topicId: string, index: number): void {
    const toSettle = this.#toSettle.get(topicId) ?? new Set()
    if (toSettle.has(index)) return
    this.#toSettle.set(topicId, toSettle.add(index))
    this.#inTurn(folderName(topic, index), topicId, () => {
      toSettle.delete(index)
      if (toSettle.size === 0) this.#toSettle.delete(topicId)
      return this.#settle(topicId, index)
    })
  }

  /** Requests do not find it any more. */
  #hide(partition: Partition): void {
    partition.resign()
    const shown = this.#byName.get(partition.topic)
    if (shown?.[partition.index] !== partition) return
    shown[partition.index] = undefined
    if (shown.every(other => other === undefined)) this.#byName.delete(partition.topic)
  }

  #isReplica(state: PartitionState | undefined): boolean {
    return state?.replicas.includes(this.#membership.brokerId) ?? false
  }

  #isLeader(state: PartitionState): boolean {
    const self = this.#self()
    return self !== undefined && sameMember(state.leader, self)
  }

  /** Work on one folder, after what was to be done with it before. */
  #inTurn(name: string, topicId: string, work: () => Promise<void>): void {
    const before = this.#turns.get(name) ?? Promise.resolve()
    const turn = before
      .then(() => this.#gate.run(work))
      .catch(error => {
        this.#failed.add(name)
        this.#io.report.error({ folder: name, error }, 'a partition is out of use')
      })
      .finally(() => {
        if (this.#turns.get(name) === turn) this.#turns.delete(name)
        unsettled.delete(turn)
        if (unsettled.size === 0 && this.#unsettled.get(topicId) === unsettled) {
          this.#unsettled.delete(topicId)
        }
      })
    const unsettled = this.#unsettled.get(topicId) ?? new Set()
    this.#unsettled.set(topicId, unsettled.add(turn))
    this.#turns.set(name, turn)
  }

  /** Brings one partition to what the image says now. */
  async #settle(topicId: string, index: number): Promise<void> {
    if (this.#isClosed) return
    const topic = this.#image.topicById(topicId)
    const here = this.#hosted.get(topicId)?.[index]
    if (!this.#isReplica(topic?.partitions[index])) {
      if (here !== undefined) await this.#drop(here, topic !== undefined)
      return
    }
    const hosted = here ?? (await this.#openIfRoom(topic!, index))
    if (hosted === undefined) return
    await this.#lead(hosted)
    await this.#followLeader(hosted)
  }

  async #lead(hosted: Hosted): Promise<void> {
    const { topicId, index } = hosted.partition
    const state = this.#image.topicById(topicId)?.partitions[index]
    const self = this.#self()
    if (state === undefined || self === undefined || hosted.partition.isOffline) return
    if (!this.#isLeader(state) || hosted.partition.leaderEpoch === state.leaderEpoch) return
    // What an earlier leader sent is written before this epoch begins.
    await this.#fetchers.unfollow(hosted.log)
    await hosted.log.becomeLeader(state.leaderEpoch)
    const now = this.#image.partition(topicId, index)
    const isStill = now?.value.leaderEpoch === state.leaderEpoch && this.#isLeader(now.value)
    if (isStill && !this.#isClosed) hosted.partition.lead(now, self, this.isrChanges)
  }

  /** The log is kept as it is: what has to go, the new leader says. */
  async #followLeader(hosted: Hosted): Promise<void> {
    const { log, partition } = hosted
    const stateNow = () => this.#image.topicById(log.topicId)?.partitions[log.partition]
    const isToFollow = (state: PartitionState | undefined) =>
      state !== undefined && this.#isReplica(state) && this.#isToFollow(hosted, state)
    if (!isToFollow(stateNow())) return
    await this.#fetchers.unfollow(log)
    if (log.isDamaged) await this.#repair(hosted)
    const state = stateNow()
    if (this.#isClosed || !isToFollow(state)) return
    const { leader, leaderEpoch } = state!
    partition.follow(leaderEpoch)
    this.#fetchers.follow(partition, log, leader![0], leaderEpoch, this.#isAwaited(state!))
  }

  /** Nobody can write with acks=all while this replica does not fetch. */
  #isAwaited({ isr, minIsr }: PartitionState): boolean {
    const self = this.#self() ?? null
    return isr.length < minIsr || isr.some(entry => sameMember(entry, self))
  }

  /** Whoever follows fetches again what is damaged: once it counts nowhere as complete (§9). */
  async #repair({ log, partition }: Hosted): Promise<void> {
    await this.#damage.leave(partition)
    await log.cutDamage()
    partition.onCut()
  }

  /** Without room it is opened later. */
  async #openIfRoom(topic: Topic, index: number): Promise<Hosted | undefined> {
    const wait = { topic: topic.name, topicId: topic.topicId, index }
    try {
      const hosted = await this.#open(topic, index)
      this.#roomWaits.end(wait, true)
      return hosted
    } catch (error) {
      if (!(error instanceof NoRoomError)) {
        this.#roomWaits.end(wait, false)
        throw error
      }
      this.#failed.add(folderName(topic.name, index))
      this.#roomWaits.add(wait, error)
      return undefined
    }
  }

  #openAgain(wait: RoomWait, isLong: boolean): void {
    const { topic, topicId, index } = wait
    const known = this.#image.partition(topicId, index)
    if (known === undefined || !this.#isReplica(known.value)) {
      this.#roomWaits.end(wait, false)
      return
    }
    if (isLong && this.#isLeader(known.value)) this.isrChanges.makeWay(wait, known)
    this.#settleInTurn(topic, topicId, index)
  }

  /** A leader does so once another complete replica can lead: it follows, then, as any other. */
  #repairInTurn(hosted: Hosted): void {
    const { log, partition } = hosted
    const { topic, topicId, index } = partition
    this.#inTurn(folderName(topic, index), topicId, async () => {
      if (this.#hosted.get(topicId)?.[index] !== hosted || this.#isClosed) return
      if (!log.isDamaged || partition.isOffline) return
      if (partition.isLeader) await this.#damage.leaveToOthers(partition)
      else await this.#fetchers.unfollow(log)
      await this.#settle(topicId, index)
    })
  }

  async #open(topic: Topic, index: number): Promise<Hosted> {
    const { name, topicId } = topic
    const directory = this.#found.get(folderName(name, index)) ?? this.#roomiest()
    const config = this.#configOf(name)
    this.#count(directory, 1)
    const log = await directory
      .openLog({ topic: name, partition: index, topicId, config })
      .catch(error => {
        this.#count(directory, -1)
        // What came into being there must not be in two directories.
        if (error instanceof NoRoomError) this.#found.set(folderName(name, index), directory)
        throw error
      })
    const watermark = directory.highWatermark(name, index)
    const partition = new Partition(this.#clock, this.#membership, log, config, watermark)
    partition.onLeadership = this.#tellFollowers
    partition.reportDamage = this.#damage.metAt
    const hosted = { partition, log, directory }
    slot(this.#hosted, topicId)[index] = hosted
    if (this.#image.topicByName(name)?.topicId === topicId) {
      slot(this.#byName, name)[index] = partition
    }
    this.#failed.delete(folderName(name, index))
    this.#found.delete(folderName(name, index))
    // Both may have changed while it was opened.
    partition.configure(this.#configOf(name))
    const state = this.#image.topicById(topicId)?.partitions[index]
    if (state !== undefined && this.#logEnds.isLostHere(state)) this.#logEnds.announceSoon()
    return hosted
  }

  /** A new folder goes where the fewest are. */
  #roomiest(): LogDirectory {
    const online = this.#options.directories.filter(({ offline }) => offline === undefined)
    const [first, ...others] = online
    if (first === undefined) {
      throw new KafkaError('KAFKA_STORAGE_ERROR', 'no log directory is online')
    }
    const countIn = (directory: LogDirectory) => this.#counts.get(directory) ?? 0
    return others.reduce((best, next) => (countIn(next) < countIn(best) ? next : best), first)
  }

  #count(directory: LogDirectory, change: 1 | -1): void {
    this.#counts.set(directory, (this.#counts.get(directory) ?? 0) + change)
  }

  async #drop({ partition, log, directory }: Hosted, isReassigned: boolean): Promise<void> {
    const { topicId, topic, index } = partition
    await this.#fetchers.unfollow(log)
    const isToDelete = isReassigned || this.#image.deletedTopic(topicId) !== undefined
    if (isToDelete) await directory.deleteLog(log)
    else await log.close()
    this.#unhost(topicId, index, directory)
    this.#found.delete(folderName(topic, index))
  }

  #unhost(topicId: string, index: number, directory: LogDirectory): void {
    const partitions = this.#hosted.get(topicId)!
    partitions[index] = undefined
    if (partitions.every(other => other === undefined)) this.#hosted.delete(topicId)
    this.#count(directory, -1)
  }

  /** The end of a move. Rejects when the log stays where it is. */
  #swapInTurn(move: LogMove): Promise<void> {
    const { topic, partition, topicId } = move.log
    return new Promise((resolve, reject) => {
      this.#inTurn(folderName(topic, partition), topicId, async () => {
        const hosted = this.#hosted.get(topicId)?.[partition]
        const isHere = hosted?.log === move.log && !hosted.partition.isOffline && !this.#isClosed
        if (!isHere) return reject(new Error('the replica is not in use any more'))
        this.#upkeep!.swapped = move.log
        try {
          await this.#swap(hosted, move)
          resolve()
        } catch (error) {
          reject(error)
          // Only a start can tell in which directory it is: none of both may be used.
          if (error instanceof SwapUnknownError) {
            this.#absent.add(`${topicId}/${partition}`)
            throw error
          }
        } finally {
          this.#upkeep!.swapped = undefined
        }
        await this.#settle(topicId, partition)
      })
    })
  }

  async #swap({ partition, log, directory }: Hosted, { to, copy }: LogMove): Promise<void> {
    const { topic, topicId, index } = partition
    const name = folderName(topic, index)
    await this.#fetchers.unfollow(log)
    await partition.leave()
    await this.#upkeep?.retained()
    await directory.closeLog(log, partition.highWatermark)
    this.#unhost(topicId, index, directory)
    // Where it is opened again, if what follows fails.
    this.#found.set(name, directory)
    await copy.finish()
    await to.takeOver(copy.folder, log, directory)
    this.#found.set(name, to)
    try {
      await directory.deleteLog(log)
      await to.forgetMove(name)
    } catch (error) {
      this.#io.report.warn(
        { folder: name, error },
        'the moved replica is left in its old place, too',
      )
    }
  }

  async #reportGone(topicId: string): Promise<void> {
    if (this.#isClosed || this.#hosted.has(topicId)) return
    const { brokerId } = this.#membership
    await reportFoldersGone(this.#transactor, this.#image, brokerId, topicId).catch(error =>
      this.#io.report.warn({ topicId, error }, 'could not report that folders are gone'),
    )
  }

  #onOffline(directory: LogDirectory, error: Error): void {
    this.#membership.noteLoss()
    const lost = [...this.#all()].filter(hosted => hosted.directory === directory)
    for (const { partition, log } of lost) {
      partition.onOffline(error)
      void this.#fetchers.unfollow(log)
    }
    const online = this.#options.directories.filter(({ offline }) => offline === undefined)
    const isLast = online.length === 0
    const { clock } = this.#io
    const left = Promise.all(online.map(other => other.markLossy())).then(() =>
      this.#removeSelf(lost),
    )
    // Perhaps it can still be written on the disk that failed: the next start is to know.
    const marked = directory.markLossy().catch(() => {})
    const known = Promise.all([left, marked])
    void within(clock, known, clock.monotonicMs() + removalPatienceMs)
      .catch(cause => this.#io.report.error({ error: cause }, 'could not leave all partitions'))
      .finally(() => isLast && this.#options.onLastOffline(error))
  }

  /** The kernel may have dropped what was written: these replicas are not complete any more. */
  async #removeSelf(lost: readonly Hosted[]): Promise<void> {
    const { brokerId } = this.#membership
    for (const { log } of lost) {
      await removeSelf(this.#transactor, this.#image, brokerId, log.topicId, log.partition)
    }
  }
}

function slot<T>(map: Map<string, T[]>, key: string): T[] {
  let list = map.get(key)
  if (list === undefined) map.set(key, (list = []))
  return list
}
