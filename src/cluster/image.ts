/**
 * Cluster metadata as this broker knows it: the read side, in memory, at one revision.
 *
 * `image-feed.ts` gives it whole revisions of the store in order. It may lag by any amount: nothing
 * rests on its freshness except availability. A topic shows once all its keys are there, for its
 * name is written last; and it is gone with its name.
 */
import type { Entry, Report, StoreEvent } from '../io/io.ts'
import {
  type AdmittedValue,
  type AliveValue,
  type ClusterValue,
  type Codec,
  type ConfigScope,
  type ConfigsValue,
  type ControllerSeqValue,
  type ControllerValue,
  codecs,
  type DeletedValue,
  type KeyMeaning,
  type LogEnd,
  type PartitionValue,
  parseKey,
  type ReassignmentValue,
  sharing,
  type TopicInfoValue,
} from './keys.ts'
import type { PartitionState } from './partition-state.ts'
import { collisionKey } from './topic-rules.ts'

/** A topic with all its partitions. */
export interface Topic {
  readonly name: string
  readonly topicId: string
  /** By index; states are replaced, never changed. */
  readonly partitions: readonly PartitionState[]
  readonly internal: boolean
}

/** A registered broker. */
export interface Broker extends AliveValue {
  readonly brokerId: number
  readonly brokerEpoch: bigint
  /** Id of the lease that its registration hangs on. */
  readonly lease: bigint
  /** The controller has taken its earlier registrations out of all partitions. */
  readonly admitted: boolean
  readonly stopping: boolean
}

/** What a batch of revisions changed. */
export interface ImageChange {
  readonly revision: bigint
  /** Ids of topics that came, went, or have a partition that changed. */
  readonly topics: ReadonlySet<string>
  readonly brokers: ReadonlySet<number>
  /** `topic/<name>` and `broker/<id>`; `broker/` for the default of all brokers. */
  readonly configs: ReadonlySet<string>
  readonly controller: boolean
}

/** A decoded value and when its key was made and last written. */
export interface Known<T> {
  readonly value: T
  readonly createRevision: bigint
  readonly modRevision: bigint
  readonly lease: bigint
}

interface TopicParts {
  info: Known<TopicInfoValue> | undefined
  /** Set while a `by-name` key points here. */
  name: string | undefined
  readonly partitions: (Known<PartitionValue> | undefined)[]
  /** What readers see; kept in step with `partitions`. */
  shown: ShownTopic | undefined
}

interface ShownTopic extends Topic {
  readonly partitions: PartitionState[]
}

interface BrokerParts {
  alive: Known<AliveValue> | undefined
  stopping: boolean
  admitted: Known<AdmittedValue> | undefined
  /** By chunk, and in it by `<topic id>/<index>`. */
  readonly logEnds: Map<number, ReadonlyMap<string, LogEnd>>
  shown: Broker | undefined
}

interface Touched {
  topics: Set<string>
  brokers: Set<number>
  configs: Set<string>
  controller: boolean
}

const internalTopics = new Set(['__consumer_offsets', '__transaction_state', '__share_group_state'])
const noConfigs: ReadonlyMap<string, string> = new Map()

/** All that readers of cluster metadata ask. */
export class Image {
  readonly #report: Report
  /** Revision of every key applied, of keys of other releases too: see `difference`. */
  readonly #revisions = new Map<string, bigint>()
  readonly #topics = new Map<string, TopicParts>()
  readonly #shownTopics = new Map<string, ShownTopic>()
  readonly #byName = new Map<string, Known<{ topicId: string }>>()
  readonly #byCollision = new Map<string, string>()
  readonly #brokers = new Map<number, BrokerParts>()
  readonly #configs = new Map<string, Known<ConfigsValue>>()
  readonly #deleted = new Map<string, Known<DeletedValue>>()
  /** By topic id, then by index of the partition. */
  readonly #reassignments = new Map<string, Map<number, Known<ReassignmentValue>>>()
  #cluster: Known<ClusterValue> | undefined
  #controller: Known<ControllerValue> | undefined
  #controllerSeq: Known<ControllerSeqValue> | undefined
  readonly #listeners = new Set<(change: ImageChange) => void>()
  #revision = 0n
  #partitionCount = 0
  readonly #partitionCodec = sharing(codecs.partition)

  constructor(report: Report) {
    this.#report = report
  }

  /** Last revision applied; 0 before the first. */
  get revision(): bigint {
    return this.#revision
  }

  get clusterId(): string | undefined {
    return this.#cluster?.value.clusterId
  }

  /** The cluster's own facts; undefined before the first broker founded it. */
  get cluster(): Known<ClusterValue> | undefined {
    return this.#cluster
  }

  /** Broker id of the controller; undefined while there is none. */
  get controllerId(): number | undefined {
    return this.#controller?.value.brokerId
  }

  /** Its createRevision is the controller epoch. */
  get controller(): Known<ControllerValue> | undefined {
    return this.#controller
  }

  /** Each controller transaction rewrites it. */
  get controllerSeq(): Known<ControllerSeqValue> | undefined {
    return this.#controllerSeq
  }

  get topicCount(): number {
    return this.#byName.size
  }

  /** Of all topics, half-created ones too. */
  get partitionCount(): number {
    return this.#partitionCount
  }

  topicByName(name: string): Topic | undefined {
    return this.#shownTopics.get(name)
  }

  /** Also of a topic that cannot be shown. */
  topicIdOf(name: string): string | undefined {
    return this.#byName.get(name)?.value.topicId
  }

  /** A topic whose name differs from that of this key in `.` and `_` only. */
  collidingTopic(key: string): string | undefined {
    return this.#byCollision.get(key)
  }

  topicById(topicId: string): Topic | undefined {
    return this.#topics.get(topicId)?.shown
  }

  topics(): Iterable<Topic> {
    return this.#shownTopics.values()
  }

  /** Ids of topics with keys of their own and no name: their creation was not finished. */
  *unnamedTopics(): Iterable<string> {
    for (const [topicId, parts] of this.#topics) {
      if (parts.name === undefined) yield topicId
    }
  }

  /** The state with the revision that a compare needs. */
  partition(topicId: string, index: number): Known<PartitionValue> | undefined {
    return this.#topics.get(topicId)?.partitions[index]
  }

  topicInfo(topicId: string): Known<TopicInfoValue> | undefined {
    return this.#topics.get(topicId)?.info
  }

  /** Topics that are deleted while some replica may still have folders of them. */
  deletedTopic(topicId: string): Known<DeletedValue> | undefined {
    return this.#deleted.get(topicId)
  }

  deletedTopics(): Iterable<[topicId: string, deleted: Known<DeletedValue>]> {
    return this.#deleted
  }

  broker(brokerId: number): Broker | undefined {
    return this.#brokers.get(brokerId)?.shown
  }

  *brokers(): Iterable<Broker> {
    for (const { shown } of this.#brokers.values()) {
      if (shown !== undefined) yield shown
    }
  }

  /** What was last admitted of a broker, alive or not; undefined when it was unregistered since. */
  admitted(brokerId: number): Known<AdmittedValue> | undefined {
    return this.#brokers.get(brokerId)?.admitted
  }

  /** Ids of brokers that are alive, or may come back. */
  *knownBrokers(): Iterable<number> {
    for (const [brokerId, { alive, admitted }] of this.#brokers) {
      if (alive !== undefined || admitted !== undefined) yield brokerId
    }
  }

  /** Of a partition that moves to other replicas. */
  reassignment(topicId: string, index: number): Known<ReassignmentValue> | undefined {
    return this.#reassignments.get(topicId)?.get(index)
  }

  /** All of them. */
  *reassignments(): Iterable<{ readonly topicId: string; readonly index: number }> {
    for (const [topicId, byIndex] of this.#reassignments) {
      for (const index of byIndex.keys()) yield { topicId, index }
    }
  }

  /** Broker epoch of a broker that is alive, admitted at that epoch and not stopping. */
  readonly usable = (brokerId: number): bigint | undefined => {
    return this.broker(brokerId)?.stopping ? undefined : this.running(brokerId)
  }

  /** As `usable`, of a broker that is stopping too. */
  readonly running = (brokerId: number): bigint | undefined => {
    const broker = this.broker(brokerId)
    return broker?.admitted ? broker.brokerEpoch : undefined
  }

  /** Where a broker says, at its present epoch, that a log ends that lost records. */
  logEnd(brokerId: number, topicId: string, index: number): LogEnd | undefined {
    for (const chunk of this.#brokers.get(brokerId)?.logEnds.values() ?? []) {
      const end = chunk.get(`${topicId}/${index}`)
      if (end !== undefined) return end
    }
  }

  /** Overrides of one topic, or of a broker; '' is the default of all brokers. */
  configs(scope: ConfigScope, name: string): ReadonlyMap<string, string> {
    return this.#configs.get(`${scope}/${name}`)?.value.entries ?? noConfigs
  }

  configsEntry(scope: ConfigScope, name: string): Known<ConfigsValue> | undefined {
    return this.#configs.get(`${scope}/${name}`)
  }

  /** Called after each batch; a listener must not throw. Answers how to unsubscribe. */
  subscribe(listener: (change: ImageChange) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** All changes of one or more whole revisions, up to `revision`. */
  apply(events: readonly StoreEvent[], revision: bigint): void {
    const touched: Touched = {
      topics: new Set(),
      brokers: new Set(),
      configs: new Set(),
      controller: false,
    }
    for (const event of events) this.#applyEvent(event, touched)
    for (const topicId of touched.topics) this.#showTopic(topicId)
    for (const brokerId of touched.brokers) this.#showBroker(brokerId)
    this.#revision = revision
    for (const listener of [...this.#listeners]) listener({ revision, ...touched })
  }

  /** The events that turn this image into one that was read whole at `revision`. */
  difference(entries: readonly Entry[], revision: bigint): StoreEvent[] {
    const present = new Set(entries.map(({ key }) => key))
    const gone = [...this.#revisions.keys()].filter(key => !present.has(key))
    return [
      ...gone.map(key => ({ type: 'delete', key, modRevision: revision }) as const),
      ...entries.map(entry => ({ type: 'put', entry }) as const),
    ]
  }

  #applyEvent(event: StoreEvent, touched: Touched): void {
    const key = event.type === 'put' ? event.entry.key : event.key
    const modRevision = event.type === 'put' ? event.entry.modRevision : event.modRevision
    const known = this.#revisions.get(key)
    if (known !== undefined && modRevision <= known) return
    if (event.type === 'put') this.#revisions.set(key, modRevision)
    else this.#revisions.delete(key)
    const meaning = parseKey(key)
    if (meaning === undefined) return
    try {
      this.#route(meaning, event.type === 'put' ? event.entry : undefined, touched)
    } catch (error) {
      // The value before it stays: a key nobody here can read must not look like a deleted one.
      this.#report.error({ key, error }, 'ignored a value of the metadata store')
    }
  }

  #route(meaning: KeyMeaning, entry: Entry | undefined, touched: Touched): void {
    switch (meaning.kind) {
      case 'producerIds':
        return
      case 'cluster':
        this.#cluster = known(entry, codecs.cluster)
        return
      case 'controller':
        this.#controller = known(entry, codecs.controller)
        touched.controller = true
        return
      case 'controllerSeq':
        this.#controllerSeq = known(entry, codecs.controllerSeq)
        return
      case 'deleted':
        set(this.#deleted, meaning.topicId, known(entry, codecs.deleted))
        touched.topics.add(meaning.topicId)
        return
      case 'configs': {
        const name = `${meaning.scope}/${meaning.name}`
        set(this.#configs, name, known(entry, codecs.configs))
        touched.configs.add(name)
        return
      }
      case 'byName':
        this.#applyName(meaning.name, known(entry, codecs.byName), touched)
        return
      case 'info':
        this.#parts(meaning.topicId).info = known(entry, codecs.info)
        touched.topics.add(meaning.topicId)
        return
      case 'partition':
        this.#applyPartition(meaning.topicId, meaning.index, known(entry, this.#partitionCodec))
        touched.topics.add(meaning.topicId)
        return
      case 'reassignment':
        this.#applyReassignment(meaning, known(entry, codecs.reassignment))
        touched.topics.add(meaning.topicId)
        return
      case 'alive':
      case 'stopping':
      case 'admitted':
      case 'logEnds':
        this.#applyBroker(meaning, entry)
        touched.brokers.add(meaning.brokerId)
    }
  }

  #applyName(name: string, value: Known<{ topicId: string }> | undefined, touched: Touched): void {
    const before = this.#byName.get(name)?.value.topicId
    set(this.#byName, name, value)
    set(this.#byCollision, collisionKey(name), value && name)
    for (const topicId of [before, value?.value.topicId]) {
      if (topicId === undefined) continue
      this.#parts(topicId).name = topicId === value?.value.topicId ? name : undefined
      touched.topics.add(topicId)
    }
  }

  #applyPartition(topicId: string, index: number, value: Known<PartitionValue> | undefined): void {
    const parts = this.#parts(topicId)
    const before = parts.partitions[index]
    parts.partitions[index] = value
    this.#partitionCount += (value === undefined ? 0 : 1) - (before === undefined ? 0 : 1)
    // One that is added is shown when all are.
    const isShown = parts.shown !== undefined && index < parts.shown.partitions.length
    if (value !== undefined && isShown) parts.shown!.partitions[index] = value.value
  }

  #applyReassignment(
    { topicId, index }: { readonly topicId: string; readonly index: number },
    value: Known<ReassignmentValue> | undefined,
  ): void {
    const byIndex = this.#reassignments.get(topicId) ?? new Map()
    set(byIndex, index, value)
    set(this.#reassignments, topicId, byIndex.size === 0 ? undefined : byIndex)
  }

  #applyBroker(
    meaning: KeyMeaning & { kind: 'alive' | 'stopping' | 'admitted' | 'logEnds' },
    entry: Entry | undefined,
  ): void {
    let parts = this.#brokers.get(meaning.brokerId)
    if (parts === undefined) {
      parts = {
        alive: undefined,
        stopping: false,
        admitted: undefined,
        logEnds: new Map(),
        shown: undefined,
      }
      this.#brokers.set(meaning.brokerId, parts)
    }
    switch (meaning.kind) {
      case 'alive':
        parts.alive = known(entry, codecs.alive)
        return
      case 'stopping':
        parts.stopping = entry !== undefined
        return
      case 'admitted':
        parts.admitted = known(entry, codecs.admitted)
        return
      case 'logEnds':
        set(parts.logEnds, meaning.chunk, byPartition(known(entry, codecs.logEnds)?.value.ends))
    }
  }

  #parts(topicId: string): TopicParts {
    let parts = this.#topics.get(topicId)
    if (parts === undefined) {
      parts = { info: undefined, name: undefined, partitions: [], shown: undefined }
      this.#topics.set(topicId, parts)
    }
    return parts
  }

  /** Decides whether a topic can be seen, and with how many partitions. */
  #showTopic(topicId: string): void {
    const parts = this.#topics.get(topicId)
    if (parts === undefined) return
    const { name, info, partitions } = parts
    const count = info?.value.partitionCount ?? 0
    const isWhole = name !== undefined && info !== undefined && hasAll(partitions, count)
    if (!isWhole) {
      if (parts.shown !== undefined && this.#shownTopics.get(parts.shown.name) === parts.shown) {
        this.#shownTopics.delete(parts.shown.name)
      }
      parts.shown = undefined
      const isEmpty = info === undefined && name === undefined && partitions.every(p => !p)
      if (isEmpty) this.#topics.delete(topicId)
      return
    }
    if (parts.shown?.partitions.length === count) return
    const states = partitions.slice(0, count).map(partition => partition!.value)
    parts.shown = { name, topicId, partitions: states, internal: internalTopics.has(name) }
    this.#shownTopics.set(name, parts.shown)
  }

  #showBroker(brokerId: number): void {
    const parts = this.#brokers.get(brokerId)
    if (parts === undefined) return
    parts.shown =
      parts.alive === undefined
        ? undefined
        : {
            ...parts.alive.value,
            brokerId,
            brokerEpoch: parts.alive.createRevision,
            lease: parts.alive.lease,
            admitted: parts.admitted?.value.brokerEpoch === parts.alive.createRevision,
            stopping: parts.stopping,
          }
  }
}

function known<T>(entry: Entry | undefined, codec: Pick<Codec<T>, 'decode'>): Known<T> | undefined {
  if (entry === undefined) return undefined
  const { createRevision, modRevision, lease } = entry
  return { value: codec.decode(entry.value), createRevision, modRevision, lease }
}

function set<K, V>(map: Map<K, V>, key: K, value: V | undefined): void {
  if (value === undefined) map.delete(key)
  else map.set(key, value)
}

function byPartition(ends: readonly LogEnd[] | undefined): Map<string, LogEnd> | undefined {
  return ends && new Map(ends.map(end => [`${end.topicId}/${end.index}`, end]))
}

function hasAll(partitions: readonly unknown[], count: number): boolean {
  for (let index = 0; index < count; index++) {
    if (partitions[index] === undefined) return false
  }
  return true
}
