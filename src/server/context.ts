/** What a handler sees of its request and of the broker. */
import type { Peers } from '../client/peers.ts'
import type { Controller } from '../cluster/controller.ts'
import type { Image, Topic } from '../cluster/image.ts'
import type { ProducerIds } from '../cluster/producer-ids.ts'
import type { BrokerConfig } from '../config/broker-config.ts'
import type { GroupCoordinator } from '../coordinator/group/group-coordinator.ts'
import type { Io } from '../io/io.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { RequestHeader } from '../protocol/frame.ts'
import { zeroUuid } from '../protocol/schema.ts'
import type { Partition } from '../replica/partition.ts'
import type { Replicas } from '../replica/replicas.ts'
import type { Principal } from '../security/principal.ts'
import type { FetchSessions } from './fetch-sessions.ts'
import type { Forwarder } from './forwarder.ts'
import type { Memory } from './memory.ts'

/** The broker as the server needs it; made by the composition root. */
export interface Domain {
  readonly io: Io
  readonly brokerId: number
  readonly image: Image
  readonly replicas: Replicas
  /** How this broker calls others. */
  readonly peers: Peers
  readonly controller: Controller
  /** The way to the controller, for what is asked in the broker's own name. */
  readonly forwarder: Forwarder
  readonly producerIds: ProducerIds
  readonly groups: GroupCoordinator
  /** As it is now: dynamic values change it while the broker runs. */
  config(): BrokerConfig
}

/** Where a request came from. */
export interface ConnectionFacts {
  /** Of all connections of this run no other has it. */
  readonly id: number
  /** Name of the listener that accepted it. */
  readonly listener: string
  readonly localAddress: string
  readonly localPort: number
  readonly remoteAddress: string
  readonly remotePort: number
  /** In whose name requests are made that come from there. */
  readonly principal: Principal
  /** Aborted when no answer may wait any longer: the connection is gone, or the broker stops. */
  readonly hurry: AbortSignal
}

/** What the server itself keeps for its handlers. */
export interface ServerState {
  readonly sessions: FetchSessions
  readonly memory: Memory
  /**
   * Carries out a request that another broker forwarded; the answer has its size in front. Throws
   * NOT_CONTROLLER, and UNSUPPORTED_VERSION and INVALID_REQUEST for what is not to be forwarded.
   */
  carryOut(frame: Uint8Array, client: ConnectionFacts): Promise<Uint8Array[]>
}

/** A handler's word that nothing is to be sent: Produce with acks=0. */
export const noResponse = Symbol('no response')
export type NoResponse = typeof noResponse

/** Thrown when the only answer is to close the connection. */
export class CloseConnection extends Error {
  override readonly name = 'CloseConnection'
}

/** A refusal in the words of the wire. */
export interface Failure {
  readonly errorCode: number
  readonly errorMessage: string | null
}

/** No request waits longer, whatever it says: its connection may be gone without a sign. */
const longestWaitMs = 600_000

export class RequestContext {
  readonly domain: Domain
  readonly server: ServerState
  readonly connection: ConnectionFacts
  readonly header: RequestHeader
  /** Monotonic, when the whole frame was there. */
  readonly receivedMs: number
  /** Called when nobody reads the bytes of the answer any more. */
  sent: (() => void) | undefined

  constructor(
    domain: Domain,
    server: ServerState,
    connection: ConnectionFacts,
    header: RequestHeader,
  ) {
    this.domain = domain
    this.server = server
    this.connection = connection
    this.header = header
    this.receivedMs = domain.io.clock.monotonicMs()
  }

  get io(): Io {
    return this.domain.io
  }

  get image(): Image {
    return this.domain.image
  }

  get config(): BrokerConfig {
    return this.domain.config()
  }

  get version(): number {
    return this.header.apiVersion
  }

  /** Monotonic time by which a request that allows `timeoutMs` must be answered. */
  deadlineMs(timeoutMs: number): number {
    return this.receivedMs + Math.max(0, Math.min(timeoutMs, longestWaitMs))
  }

  /** Resolves when the partitions of a topic are open and can be written. Throws REQUEST_TIMED_OUT. */
  async settled(topicId: string, deadlineMs: number): Promise<void> {
    const { clock } = this.io
    const timedOut = Promise.withResolvers<never>()
    const timer = clock.timer(Math.max(0, deadlineMs - clock.monotonicMs()), () =>
      timedOut.reject(new KafkaError('REQUEST_TIMED_OUT')),
    )
    try {
      await Promise.race([this.domain.replicas.settled(topicId), timedOut.promise])
    } finally {
      timer.cancel()
    }
  }

  /** By id where there is one, else by name. Throws UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION. */
  topic(topicId: string, name: string | null): Topic {
    const byId = topicId !== zeroUuid
    const topic = byId ? this.image.topicById(topicId) : this.image.topicByName(name ?? '')
    if (topic === undefined) {
      throw new KafkaError(byId ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION')
    }
    return topic
  }

  /** Throws UNKNOWN_TOPIC_OR_PARTITION. */
  topicByName(name: string): Topic {
    return this.topic(zeroUuid, name)
  }

  /** Throws UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, KAFKA_STORAGE_ERROR. */
  leader(topic: string, index: number): Partition {
    return this.domain.replicas.leader(topic, index)
  }

  /** A refusal for the client. Rethrows all that is none: that is a fault or a bug. */
  refusal(error: unknown): Failure {
    if (!(error instanceof KafkaError)) throw error
    return { errorCode: error.code, errorMessage: error.message }
  }

  /**
   * The end of a request that wants no answer. Throws CloseConnection when something failed: that
   * is the only way to tell the client.
   */
  unanswered(errorCodes: Iterable<number>): NoResponse {
    for (const code of errorCodes) {
      if (code !== 0) throw new CloseConnection(`acks=0 request failed with error ${code}`)
    }
    return noResponse
  }
}
