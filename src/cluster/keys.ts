/**
 * The keys of the metadata store and what is in them: replication.md §3.
 *
 * Every value is a JSON object with a `version` and, where a broker has to recognise its own
 * transaction, `by` (transact.ts). A decoded value keeps the fields this release does not know, and they are
 * written back with it: an older broker that rewrites a key must not drop what a newer one put there.
 * Broker epochs are store revisions, 64 bits, and so decimal strings in JSON.
 */
import type { FinalizedFeatures, LevelRange, SupportedFeatures } from './features.ts'
import type { Member, PartitionState } from './partition-state.ts'

const prefix = '/ottla/v1/'

/** All of it. */
export const everything = prefix

/** In the place of a broker id: the default of all brokers. */
const everyBroker = 'default'

/** Paths of the keys; names and ids are put in as they are: see `parseKey`. */
export const keys = {
  cluster: `${prefix}cluster`,
  controller: `${prefix}controller`,
  controllerSeq: `${prefix}controller-seq`,
  producerIds: `${prefix}producer-ids/next`,
  alive: (brokerId: number) => `${prefix}brokers/${brokerId}/alive`,
  stopping: (brokerId: number) => `${prefix}brokers/${brokerId}/stopping`,
  admitted: (brokerId: number) => `${prefix}brokers/${brokerId}/admitted`,
  logEnds: (brokerId: number, chunk: number) => `${prefix}brokers/${brokerId}/log-ends/${chunk}`,
  byName: (name: string) => `${prefix}topics/by-name/${name}`,
  info: (topicId: string) => `${prefix}topics/${topicId}/info`,
  partition: (topicId: string, index: number) => `${prefix}topics/${topicId}/p/${index}`,
  topic: (topicId: string) => `${prefix}topics/${topicId}/`,
  /** Name '' of a broker is the default of all brokers. */
  configs: (scope: ConfigScope, name: string) =>
    `${prefix}configs/${scope}/${name === '' ? everyBroker : name}`,
  deleted: (topicId: string) => `${prefix}deleted/${topicId}`,
  reassignment: (topicId: string, index: number) => `${prefix}reassignments/${topicId}/${index}`,
  reassignments: (topicId: string) => `${prefix}reassignments/${topicId}/`,
}

/** What overrides belong to. */
export type ConfigScope = 'topic' | 'broker'

/** Who wrote a value: the incarnation of a process, and the number of its request. */
export type By = readonly [incarnation: string, request: number]

/** Around the fields of a value. */
export interface Stored {
  /** Of who writes it; never there in a value that was read. */
  readonly by?: By
  /** Fields written by another release, kept on rewrite. */
  readonly unknown?: Readonly<Record<string, unknown>>
}

/** `cluster`: written by the first broker, then by the controller alone. */
export interface ClusterValue extends Stored {
  readonly clusterId: string
  /** Of this layout of keys; a broker refuses one above its own. */
  readonly formatVersion: number
  /** What every broker of the cluster speaks: `features.ts`. Empty in clusters of the first releases. */
  readonly features: FinalizedFeatures
}

/** `controller`: its createRevision is the controller epoch. */
export interface ControllerValue extends Stored {
  readonly brokerId: number
  readonly brokerEpoch: bigint
}

/** `controller-seq`: the number of the last controller transaction; 0 when the role was taken. */
export interface ControllerSeqValue extends Stored {
  readonly controllerEpoch: bigint
  readonly request: number
}

/** Where clients and brokers reach a broker. */
export interface AdvertisedListener {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly protocol: string
}

/** `brokers/<id>/alive`: its createRevision is the broker epoch. */
export interface AliveValue extends Stored {
  readonly incarnation: string
  readonly directories: readonly string[]
  readonly listeners: readonly AdvertisedListener[]
  readonly rack: string | null
  readonly previousEpoch: bigint | null
  /** All records of the previous registration are still there: replication.md §5. */
  readonly lossless: boolean
  readonly features: SupportedFeatures
  /** Version of its software, for people. */
  readonly release: string
}

/**
 * `brokers/<id>/admitted`: the registration that may lead and be counted. It outlives the broker's
 * lease, until the broker is unregistered: these are the brokers that the cluster knows.
 */
export interface AdmittedValue extends Stored {
  readonly brokerEpoch: bigint
  readonly features: SupportedFeatures
  readonly release: string
  /** Where it was, for people: while it runs its registration tells. */
  readonly listeners: readonly AdvertisedListener[]
  readonly rack: string | null
}

/** `topics/<id>/info`. */
export interface TopicInfoValue extends Stored {
  readonly name: string
  readonly partitionCount: number
  readonly createdMs: number
}

/** Where a log ends that lost records. */
export interface LogEnd {
  readonly topicId: string
  readonly index: number
  /** −1 without records. */
  readonly lastEpoch: number
  readonly endOffset: number
}

/** `brokers/<id>/log-ends/<chunk>`. */
export interface LogEndsValue extends Stored {
  readonly ends: readonly LogEnd[]
}

/** `configs/<scope>/<name>`. */
export interface ConfigsValue extends Stored {
  readonly entries: ReadonlyMap<string, string>
}

/** `topics/by-name/<name>`: the commit point of a creation. */
export interface NameValue extends Stored {
  readonly topicId: string
}

/** `producer-ids/next`: the first id that no block has. */
export interface NextProducerIdValue extends Stored {
  readonly next: number
}

/** Kept while a replica may still have folders of the topic. */
export interface DeletedValue extends Stored {
  readonly deletedMs: number
  /** Brokers that did not report their folders gone. */
  readonly waiting: readonly number[]
}

/** `reassignments/<tid>/<n>`: while a partition moves to other replicas. */
export interface ReassignmentValue extends Stored {
  /** In order of preference. */
  readonly target: readonly number[]
  /** As they were before the first of the moves that are under way: what a cancel goes back to. */
  readonly original: readonly number[]
}

/** `topics/<id>/p/<n>`. */
export type PartitionValue = PartitionState & Stored

/** A value that is not what this release can read. */
export class StoredValueError extends Error {
  override readonly name = 'StoredValueError'
}

interface Field<T> {
  read(json: unknown): T
  write(value: T): unknown
}

/** Reads and writes one kind of value. */
export interface Codec<T> {
  /** Throws StoredValueError. */
  decode(bytes: Uint8Array): T
  encode(value: T): Uint8Array
}

function field<T>(
  is: (json: unknown) => boolean,
  read: (json: never) => T,
  write: (value: T) => unknown,
): Field<T> {
  return {
    read(json) {
      if (!is(json)) throw new StoredValueError(`unexpected ${JSON.stringify(json) ?? 'absence'}`)
      return read(json as never)
    },
    write,
  }
}

const same = <T>(value: T) => value
const text = field<string>(json => typeof json === 'string', same, same)
const whole = field<number>(Number.isSafeInteger, same, same)
const flag = field<boolean>(json => typeof json === 'boolean', same, same)
const epoch = field<bigint>(
  json => typeof json === 'string' && /^\d{1,19}$/.test(json),
  (json: string) => BigInt(json),
  String,
)

function list<T>(element: Field<T>): Field<readonly T[]> {
  return field(
    Array.isArray,
    (json: unknown[]) => json.map(element.read),
    values => values.map(element.write),
  )
}

function nullable<T>(inner: Field<T>): Field<T | null> {
  return {
    read: json => (json === null ? null : inner.read(json)),
    write: value => (value === null ? null : inner.write(value)),
  }
}

/** Of a value that earlier releases did not write. */
function absentAs<T>(absent: T, inner: Field<T>): Field<T> {
  return {
    read: json => (json === undefined ? absent : inner.read(json)),
    write: inner.write,
  }
}

function record<T extends object>(fields: { readonly [K in keyof T]-?: Field<T[K]> }): Field<T> {
  const names = Object.keys(fields) as (keyof T & string)[]
  return field(
    json => typeof json === 'object' && json !== null && !Array.isArray(json),
    (json: Record<string, unknown>) =>
      Object.fromEntries(names.map(name => [name, fields[name].read(json[name])])) as T,
    value => Object.fromEntries(names.map(name => [name, fields[name].write(value[name])])),
  )
}

const member: Field<Member> = field(
  json => Array.isArray(json) && json.length === 2,
  ([id, at]: [unknown, unknown]) => [whole.read(id), epoch.read(at)] as const,
  ([id, at]) => [id, String(at)],
)
function byName<T>(element: Field<T>): Field<ReadonlyMap<string, T>> {
  return field(
    json => typeof json === 'object' && json !== null && !Array.isArray(json),
    (json: object) =>
      new Map(Object.entries(json).map(([name, value]) => [name, element.read(value)])),
    map => Object.fromEntries([...map].map(([name, value]) => [name, element.write(value)])),
  )
}

const levelRange: Field<LevelRange> = field(
  json => Array.isArray(json) && json.length === 2,
  ([min, max]: [unknown, unknown]) => ({ min: whole.read(min), max: whole.read(max) }),
  ({ min, max }) => [min, max],
)
const supported = absentAs<SupportedFeatures>(new Map(), byName(levelRange))
const finalized = absentAs<FinalizedFeatures>(
  new Map(),
  byName(record({ level: whole, release: text })),
)
const release = absentAs('', text)

/**
 * A value of its own key: its fields, and around them `version`, `by` and what is unknown. `by` is not
 * read back: whoever writes the value again is another, or says so itself.
 */
function stored<T extends Stored>(
  fields: {
    readonly [K in keyof Omit<T, keyof Stored>]-?: Field<Omit<T, keyof Stored>[K]>
  },
): Codec<T> {
  const known = new Set<string>([...Object.keys(fields), 'by', 'version'])
  const inner = record(fields as never)
  return {
    decode(bytes) {
      try {
        const json = JSON.parse(new TextDecoder().decode(bytes))
        const value: object = inner.read(json)
        const unknown = Object.entries(json).filter(([name]) => !known.has(name))
        return {
          ...value,
          ...(unknown.length === 0 ? {} : { unknown: Object.fromEntries(unknown) }),
        } as unknown as T
      } catch (error) {
        throw new StoredValueError('unreadable value in the metadata store', { cause: error })
      }
    },
    encode(value) {
      const json = {
        ...value.unknown,
        version: 1,
        ...(inner.write(value as never) as object),
        ...(value.by === undefined ? {} : { by: value.by }),
      }
      return new TextEncoder().encode(JSON.stringify(json))
    },
  }
}

const listener = record<AdvertisedListener>({ name: text, host: text, port: whole, protocol: text })
const logEnd = record<LogEnd>({ topicId: text, index: whole, lastEpoch: whole, endOffset: whole })

/** Of each kind of key. */
export const codecs = {
  cluster: stored<ClusterValue>({ clusterId: text, formatVersion: whole, features: finalized }),
  controller: stored<ControllerValue>({ brokerId: whole, brokerEpoch: epoch }),
  controllerSeq: stored<ControllerSeqValue>({ controllerEpoch: epoch, request: whole }),
  producerIds: stored<NextProducerIdValue>({ next: whole }),
  alive: stored<AliveValue>({
    incarnation: text,
    directories: list(text),
    listeners: list(listener),
    rack: nullable(text),
    previousEpoch: nullable(epoch),
    lossless: flag,
    features: supported,
    release,
  }),
  stopping: stored<Stored>({}),
  admitted: stored<AdmittedValue>({
    brokerEpoch: epoch,
    features: supported,
    release,
    listeners: absentAs<readonly AdvertisedListener[]>([], list(listener)),
    rack: absentAs(null, nullable(text)),
  }),
  logEnds: stored<LogEndsValue>({ ends: list(logEnd) }),
  byName: stored<NameValue>({ topicId: text }),
  info: stored<TopicInfoValue>({ name: text, partitionCount: whole, createdMs: whole }),
  partition: stored<PartitionValue>({
    leader: nullable(member),
    leaderEpoch: whole,
    partitionEpoch: whole,
    minIsr: whole,
    replicas: list(whole),
    isr: list(member),
    elr: list(member),
    lastKnown: list(whole),
    adding: list(whole),
    removing: list(whole),
  }),
  configs: stored<ConfigsValue>({ entries: byName(text) }),
  deleted: stored<DeletedValue>({ deletedMs: whole, waiting: list(whole) }),
  reassignment: stored<ReassignmentValue>({ target: list(whole), original: list(whole) }),
}

/** Decodes equal values that follow one another, as those of a topic's partitions, to one object. */
export function sharing<T>(codec: Codec<T>): Pick<Codec<T>, 'decode'> {
  let last: { readonly bytes: Uint8Array; readonly value: T } | undefined
  return {
    decode(bytes) {
      const isSame = last?.bytes === bytes || (last && Buffer.compare(last.bytes, bytes) === 0)
      if (!isSame) last = { bytes, value: codec.decode(bytes) }
      return last!.value
    },
  }
}

/** What a key is about; undefined for keys of other releases. */
export type KeyMeaning =
  | { readonly kind: 'cluster' | 'controller' | 'controllerSeq' | 'producerIds' }
  | { readonly kind: 'alive' | 'stopping' | 'admitted'; readonly brokerId: number }
  | { readonly kind: 'logEnds'; readonly brokerId: number; readonly chunk: number }
  | { readonly kind: 'byName'; readonly name: string }
  | { readonly kind: 'info' | 'deleted'; readonly topicId: string }
  | {
      readonly kind: 'partition' | 'reassignment'
      readonly topicId: string
      readonly index: number
    }
  | { readonly kind: 'configs'; readonly scope: ConfigScope; readonly name: string }

/** The inverse of `keys`. */
export function parseKey(key: string): KeyMeaning | undefined {
  if (!key.startsWith(prefix)) return undefined
  const [first, second, third, fourth, ...more] = key.slice(prefix.length).split('/')
  if (second === undefined) {
    if (first === 'cluster' || first === 'controller') return { kind: first }
    return first === 'controller-seq' ? { kind: 'controllerSeq' } : undefined
  }
  if (more.length > 0) return undefined
  switch (first) {
    case 'producer-ids':
      return second === 'next' && third === undefined ? { kind: 'producerIds' } : undefined
    case 'deleted':
      return third === undefined ? { kind: 'deleted', topicId: second } : undefined
    case 'reassignments':
      return third !== undefined && fourth === undefined
        ? { kind: 'reassignment', topicId: second, index: Number(third) }
        : undefined
    case 'brokers':
      return parseBrokerKey(Number(second), third, fourth)
    case 'configs': {
      if ((second !== 'topic' && second !== 'broker') || third === undefined) return undefined
      const isDefault = second === 'broker' && third === everyBroker
      return { kind: 'configs', scope: second, name: isDefault ? '' : third }
    }
    case 'topics':
      if (third === undefined) return undefined
      if (second === 'by-name') return { kind: 'byName', name: third }
      if (third === 'info') return { kind: 'info', topicId: second }
      return third === 'p' && fourth !== undefined
        ? { kind: 'partition', topicId: second, index: Number(fourth) }
        : undefined
    default:
      return undefined
  }
}

function parseBrokerKey(
  brokerId: number,
  part: string | undefined,
  chunk: string | undefined,
): KeyMeaning | undefined {
  if (part === 'log-ends' && chunk !== undefined) {
    return { kind: 'logEnds', brokerId, chunk: Number(chunk) }
  }
  if (chunk !== undefined) return undefined
  return part === 'alive' || part === 'stopping' || part === 'admitted'
    ? { kind: part, brokerId }
    : undefined
}
