/** Where a consumer lives: the client that it shares or owns, as far as it needs it. */
import type { Io } from '../../io/io.ts'
import type { Cluster } from '../cluster.ts'
import { type Connected, type Connecting, connectedBy, type Dependent } from '../connected.ts'
import { type DiagnosticEvents, eventChannel } from '../diagnostics.ts'
import { alterOffsets } from '../groups.ts'
import type { Assignor, OwnAssignor } from './assignors/assignor.ts'
import { range } from './assignors/range.ts'
import { roundRobin } from './assignors/round-robin.ts'
import { cooperativeSticky, sticky } from './assignors/sticky.ts'
import { committedOffsets } from './commits.ts'
import type { Group, GroupHandlers } from './core.ts'
import { ConsumerStateError } from './errors.ts'
import { Membership, type MembershipOptions } from './membership.ts'
import type { AssignorName, GroupOptions, ReadingOptions } from './options.ts'
import type { Subscription, TopicSource } from './subscription.ts'

type HomeOptions = Connecting & GroupOptions & ReadingOptions

/** The events of a consumer, without what they all begin with. */
type ConsumerEventName = keyof DiagnosticEvents & `ottla:consumer:${string}`
type Payload<Name extends ConsumerEventName> = Omit<DiagnosticEvents[Name], 'groupId'>
/** Those that are a line in the log too. */
type WarningName = 'commit-failed' | 'skipped' | 'interceptor-failed' | 'standstill' | 'warning'

const assignors: readonly Assignor[] = [range, roundRobin, sticky, cooperativeSticky]
/** Those of the Java client, so that one group can have members of both. */
const defaultAssignors: readonly AssignorName[] = ['range', 'cooperative-sticky']

/** The client, and what of it is this consumer's: two lanes, and its events. */
export class ConsumerHome {
  readonly connected: Connected
  readonly io: Io
  readonly cluster: Cluster
  readonly requestTimeoutMs: number
  readonly metadataMaxAgeMs: number
  /** For Fetch, which a broker holds. */
  readonly fetchLane: string
  /** For JoinGroup and SyncGroup, which it holds too. */
  readonly #groupLane: string
  readonly #groupId: string | undefined
  readonly #isOwn: boolean
  #dependent: Dependent | undefined

  /** Throws OptionError, and ConnectionError CLOSED for a client that was closed. */
  constructor(options: HomeOptions) {
    const { connected, isOwn } = connectedBy(options)
    this.connected = connected
    this.io = connected.io
    this.cluster = connected.cluster
    this.requestTimeoutMs = connected.requestTimeoutMs
    this.metadataMaxAgeMs = connected.metadataMaxAgeMs
    this.fetchLane = connected.newLane('fetch')
    this.#groupLane = connected.newLane('group')
    this.#groupId = options.groupId
    this.#isOwn = isOwn
  }

  /** How topics are listed. */
  readonly topics: TopicSource = async names => {
    const { topics } = await this.cluster.metadata(names)
    return topics
      .filter(({ errorCode, name }) => errorCode === 0 && name !== null)
      .map(({ name, partitions, isInternal }) => ({
        name: name!,
        partitions: partitions.length,
        isInternal,
      }))
  }

  /** The client closes `dependent` first. */
  join(dependent: Dependent): void {
    this.#dependent = dependent
    this.connected.dependents.add(dependent)
  }

  /** `subscription` undefined: offsets of the group without membership. */
  group(
    options: HomeOptions,
    subscription: Subscription | undefined,
    handlers: GroupHandlers,
  ): Group {
    if (subscription === undefined) return offsetsOf(this.cluster, options.groupId!)
    const membership = {
      ...membershipOptions(options, subscription),
      metadataMaxAgeMs: this.metadataMaxAgeMs,
      requestTimeoutMs: this.requestTimeoutMs,
      lane: this.#groupLane,
    }
    return new Membership(this.io, this.cluster, membership, handlers)
  }

  /** An event for those who listen. */
  tell<Name extends ConsumerEventName>(name: Name, payload: Payload<Name>): void {
    const events = eventChannel(name)
    if (!events.hasSubscribers) return
    events.publish({ groupId: this.#groupId, ...payload } as unknown as DiagnosticEvents[Name])
  }

  /** As `tell`, and a line in the log. */
  warn<Name extends WarningName>(
    name: Name,
    message: string,
    detail: DiagnosticEvents[`ottla:consumer:${Name}`]['detail'],
  ): void {
    this.tell(`ottla:consumer:${name}`, { message, detail } as Payload<`ottla:consumer:${Name}`>)
    this.io.report.warn({ groupId: this.#groupId }, message)
  }

  /** Closes what is this consumer's, and the client if it is. */
  async close(): Promise<void> {
    if (this.#dependent !== undefined) this.connected.dependents.delete(this.#dependent)
    this.cluster.closeLane(this.fetchLane)
    this.cluster.closeLane(this.#groupLane)
    if (this.#isOwn) await this.connected.close()
  }
}

function membershipOptions(
  options: HomeOptions,
  subscription: Subscription,
): Omit<MembershipOptions, 'metadataMaxAgeMs' | 'requestTimeoutMs' | 'lane'> {
  const names = options.assignors ?? defaultAssignors
  return {
    groupId: options.groupId!,
    groupInstanceId: options.groupInstanceId ?? null,
    sessionTimeoutMs: options.sessionTimeoutMs ?? 45_000,
    rebalanceTimeoutMs: options.rebalanceTimeoutMs ?? 300_000,
    heartbeatIntervalMs: options.heartbeatIntervalMs ?? 3_000,
    rack: options.rack ?? null,
    assignors: names.map((name): OwnAssignor => {
      if (typeof name === 'object') return name
      const assignor = assignors.find(each => each.name === name)
      if (assignor !== undefined) return assignor
      const known = assignors.map(each => each.name).join(', ')
      throw new ConsumerStateError('BAD_OPTION', `no assignor ${name}: there are ${known}`)
    }),
    topics: () => subscription.topics(),
  }
}

/** Offsets of a group that this consumer is no member of. */
function offsetsOf(cluster: Cluster, groupId: string): Group {
  return {
    start() {},
    rejoin() {},
    async commit(offsets) {
      const outcomes = await alterOffsets(cluster, groupId, offsets)
      const failed = outcomes.find(({ error }) => error !== undefined)
      if (failed !== undefined) throw failed.error!
    },
    committed: partitions => committedOffsets(cluster, groupId, partitions),
    async leave() {},
  }
}
