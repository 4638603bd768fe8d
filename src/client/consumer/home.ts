/** Where a consumer lives: the client that it shares or owns, as far as it needs it. */
import { channel } from 'node:diagnostics_channel'
import type { Io } from '../../io/io.ts'
import { nodeIo } from '../../io/node.ts'
import { KafkaError } from '../../protocol/errors.ts'
import { type Address, Cluster } from '../cluster.ts'
import { Connection, ConnectionError } from '../connection.ts'
import { alterOffsets } from '../groups.ts'
import type { Assignor } from './assignors/assignor.ts'
import { range } from './assignors/range.ts'
import { roundRobin } from './assignors/round-robin.ts'
import { cooperativeSticky, sticky } from './assignors/sticky.ts'
import type { Brokers } from './brokers.ts'
import { committedOffsets } from './commits.ts'
import type { Group, GroupHandlers } from './core.ts'
import { ConsumerStateError } from './errors.ts'
import { Membership, type MembershipOptions } from './membership.ts'
import type { AssignorName, ConsumerOptions } from './options.ts'
import type { Subscription, TopicSource } from './subscription.ts'

export interface ConsumerHome {
  readonly io: Io
  readonly brokers: Brokers
  readonly topics: TopicSource
  readonly metadataMaxAgeMs: number
  readonly requestTimeoutMs: number
  readonly fetchLane: string
  readonly readCommitted: boolean
  /** `subscription` undefined: offsets of the group without membership. */
  group<K, V>(
    options: ConsumerOptions<K, V>,
    subscription: Subscription | undefined,
    handlers: GroupHandlers,
  ): Group
  /** An event for those who listen. */
  tell(event: string, fields: Readonly<Record<string, unknown>>): void
  /** As `tell`, and a line in the log. */
  warn(event: string, message: string, detail: unknown): void
  close(): Promise<void>
}

const defaultRequestTimeoutMs = 30_000
const metadataMaxAgeMs = 300_000
const assignors: readonly Assignor[] = [range, roundRobin, sticky, cooperativeSticky]
/** Those of the Java client, so that one group can have members of both. */
const defaultAssignors: readonly AssignorName[] = ['range', 'cooperative-sticky']
let lastLane = 0

export function homeOf<K, V>(options: ConsumerOptions<K, V>): ConsumerHome {
  const io = options.io ?? nodeIo()
  const requestTimeoutMs = options.requestTimeoutMs ?? defaultRequestTimeoutMs
  const bootstrap = addresses(options.bootstrap)
  const clientId = options.clientId ?? 'ottla'
  const cluster = new Cluster(io, { bootstrap, clientId, timeoutMs: requestTimeoutMs })
  const brokers = new ClusterBrokers(io, cluster, clientId, requestTimeoutMs)
  const tell = (event: string, fields: object) => {
    const events = channel(`ottla:consumer:${event}`)
    if (events.hasSubscribers) events.publish({ groupId: options.groupId, ...fields })
  }
  return {
    io,
    brokers,
    topics: names => topicsOf(cluster, names),
    metadataMaxAgeMs,
    requestTimeoutMs,
    fetchLane: `fetch-${++lastLane}`,
    readCommitted: options.isolation === 'read_committed',
    group(_, subscription, handlers) {
      if (subscription === undefined) return offsetsOf(cluster, options.groupId!)
      const membership = membershipOptions(options, subscription)
      const timeoutMs = membership.rebalanceTimeoutMs + requestTimeoutMs
      const patient = new Cluster(io, { bootstrap, clientId, timeoutMs })
      return new Membership(io, cluster, patient, membership, handlers)
    },
    tell,
    warn(event, message, detail) {
      tell(event, { message, detail })
      io.report.warn({ groupId: options.groupId }, message)
    },
    async close() {
      brokers.close()
      cluster.close()
    },
  }
}

function membershipOptions<K, V>(
  options: ConsumerOptions<K, V>,
  subscription: Subscription,
): MembershipOptions {
  const names = options.assignors ?? defaultAssignors
  return {
    groupId: options.groupId!,
    groupInstanceId: options.groupInstanceId ?? null,
    sessionTimeoutMs: options.sessionTimeoutMs ?? 45_000,
    rebalanceTimeoutMs: options.rebalanceTimeoutMs ?? 300_000,
    heartbeatIntervalMs: options.heartbeatIntervalMs ?? 3_000,
    rack: options.rack ?? null,
    assignors: names.map(name => {
      const assignor = assignors.find(each => each.name === name)
      if (assignor !== undefined) return assignor
      const known = assignors.map(each => each.name).join(', ')
      throw new ConsumerStateError('BAD_OPTION', `no assignor ${name}: there are ${known}`)
    }),
    metadataMaxAgeMs,
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

class ClusterBrokers implements Brokers {
  readonly #io: Io
  readonly #cluster: Cluster
  readonly #clientId: string
  readonly #requestTimeoutMs: number
  readonly #lanes = new Map<string, Promise<Connection>>()
  readonly #addresses = new Map<number, Address>()
  readonly #topicIds = new Map<string, string>()

  constructor(io: Io, cluster: Cluster, clientId: string, requestTimeoutMs: number) {
    this.#io = io
    this.#cluster = cluster
    this.#clientId = clientId
    this.#requestTimeoutMs = requestTimeoutMs
  }

  async partitions(topic: string) {
    const { brokers, topics } = await this.#cluster.metadata([topic])
    for (const each of brokers) this.#addresses.set(each.nodeId, each)
    const found = topics[0]!
    this.#topicIds.set(topic, found.topicId)
    return found.partitions.map(each => ({ ...each, partition: each.partitionIndex }))
  }

  topicId(topic: string): string | undefined {
    return this.#topicIds.get(topic)
  }

  invalidate(): void {}

  onMetadata(): () => void {
    return () => {}
  }

  async connection(brokerId: number, lane = '', deadlineMs?: number): Promise<Connection> {
    const key = `${brokerId} ${lane}`
    const open = await this.#lanes.get(key)?.catch(() => undefined)
    if (open !== undefined && open.failure === undefined) return open
    const address = this.#addresses.get(brokerId)
    if (address === undefined) throw new KafkaError('BROKER_NOT_AVAILABLE')
    const opening = Connection.open(this.#io, {
      host: address.host,
      port: address.port,
      clientId: this.#clientId,
      deadlineMs: deadlineMs ?? this.#io.clock.monotonicMs() + this.#requestTimeoutMs,
    })
    this.#lanes.set(key, opening)
    return await opening
  }

  nextBackoffMs(attempt: number): number {
    return (
      Math.min(1_000, 20 * 2 ** Math.min(attempt, 10)) * (0.5 + this.#io.random.u32() / 2 ** 33)
    )
  }

  callBroker: Brokers['callBroker'] = (id, request, response, body) =>
    this.#cluster.callBroker(id, request, response, body)

  listOffsets: Brokers['listOffsets'] = (queries, options) =>
    this.#cluster.listOffsets(queries, options)

  close(): void {
    for (const opening of this.#lanes.values()) {
      opening.then(
        connection => connection.close(),
        () => {},
      )
    }
  }
}

async function topicsOf(cluster: Cluster, names: readonly string[] | undefined) {
  const { topics } = await cluster.metadata(names)
  return topics
    .filter(({ errorCode, name }) => errorCode === 0 && name !== null)
    .map(({ name, partitions, isInternal }) => ({
      name: name!,
      partitions: partitions.length,
      isInternal,
    }))
}

function addresses(bootstrap: string | readonly string[]): Address[] {
  const list = typeof bootstrap === 'string' ? bootstrap.split(',') : bootstrap
  return list.map(each => {
    const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/u.exec(each.trim())
    if (match === null) throw new ConnectionError('REFUSED', `${each} is no host:port`)
    return { host: match[1] ?? match[2]!, port: Number(match[3] ?? 9092) }
  })
}
