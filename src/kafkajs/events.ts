/** Instrumentation events: names, payloads, and who listens. */
import { EventEmitter } from 'node:events'
import type { Clock } from '../io/io.ts'
import { KafkaJSNonRetriableError, refuse } from './errors.ts'
import type { Logger } from './logger.ts'
import type { TopicOffsets } from './offsets.ts'

export interface InstrumentationEvent<T> {
  id: string
  type: string
  /** Milliseconds since the epoch. */
  timestamp: number
  payload: T
}

export type RemoveInstrumentationEventListener<_T> = () => void
export type ConnectEvent = InstrumentationEvent<null>
export type DisconnectEvent = InstrumentationEvent<null>

/** In network events there is nothing to hear: see `Emitter.on`. */
const network = (kind: string) => ({
  REQUEST: `${kind}.network.request`,
  REQUEST_TIMEOUT: `${kind}.network.request_timeout`,
  REQUEST_QUEUE_SIZE: `${kind}.network.request_queue_size`,
})

const connection = <Kind extends string>(kind: Kind) => ({
  CONNECT: `${kind}.connect` as const,
  DISCONNECT: `${kind}.disconnect` as const,
})

export const producerEvents = { ...connection('producer'), ...network('producer') }
export const adminEvents = { ...connection('admin'), ...network('admin') }
export const consumerEvents = {
  ...connection('consumer'),
  ...network('consumer'),
  HEARTBEAT: 'consumer.heartbeat',
  COMMIT_OFFSETS: 'consumer.commit_offsets',
  GROUP_JOIN: 'consumer.group_join',
  FETCH_START: 'consumer.fetch_start',
  FETCH: 'consumer.fetch',
  START_BATCH_PROCESS: 'consumer.start_batch_process',
  END_BATCH_PROCESS: 'consumer.end_batch_process',
  STOP: 'consumer.stop',
  CRASH: 'consumer.crash',
  REBALANCING: 'consumer.rebalancing',
  RECEIVED_UNSUBSCRIBED_TOPICS: 'consumer.received_unsubscribed_topics',
} as const

export type ProducerEvents = typeof producerEvents
export type AdminEvents = typeof adminEvents
export type ConsumerEvents = typeof consumerEvents

/** Who a member is, in events. */
export interface MemberPayload {
  groupId: string
  memberId: string
}
export interface IMemberAssignment {
  [topic: string]: number[]
}
export type ConsumerHeartbeatEvent = InstrumentationEvent<
  MemberPayload & { groupGenerationId: number }
>
export type ConsumerCommitOffsetsEvent = InstrumentationEvent<
  MemberPayload & { groupGenerationId: number; topics: TopicOffsets[] }
>
export type ConsumerGroupJoinEvent = InstrumentationEvent<
  MemberPayload & {
    /** Milliseconds since it began to join. */
    duration: number
    isLeader: boolean
    groupProtocol: string
    memberAssignment: IMemberAssignment
  }
>
export interface IBatchProcessEvent {
  topic: string
  partition: number
  highWatermark: string
  offsetLag: string
  offsetLagLow: string
  batchSize: number
  firstOffset: string | null
  lastOffset: string
}
export type ConsumerStartBatchProcessEvent = InstrumentationEvent<IBatchProcessEvent>
export type ConsumerEndBatchProcessEvent = InstrumentationEvent<
  IBatchProcessEvent & { duration: number }
>
export type ConsumerCrashEvent = InstrumentationEvent<{
  error: Error
  groupId: string
  restart: boolean
}>
export type ConsumerRebalancingEvent = InstrumentationEvent<MemberPayload>
export type ConsumerReceivedUnsubcribedTopicsEvent = InstrumentationEvent<
  MemberPayload & {
    generationId: number
    assignedTopics: string[]
    topicsSubscribed: string[]
    topicsNotSubscribed: string[]
  }
>

/** The payload of each event by its name. */
export interface EventPayloads {
  'consumer.heartbeat': ConsumerHeartbeatEvent['payload']
  'consumer.commit_offsets': ConsumerCommitOffsetsEvent['payload']
  'consumer.group_join': ConsumerGroupJoinEvent['payload']
  'consumer.start_batch_process': ConsumerStartBatchProcessEvent['payload']
  'consumer.end_batch_process': ConsumerEndBatchProcessEvent['payload']
  'consumer.crash': ConsumerCrashEvent['payload']
  'consumer.rebalancing': ConsumerRebalancingEvent['payload']
  'consumer.received_unsubscribed_topics': ConsumerReceivedUnsubcribedTopicsEvent['payload']
}

type PayloadOf<Name extends string> = Name extends keyof EventPayloads ? EventPayloads[Name] : null

// biome-ignore lint/suspicious/noExplicitAny: of an event whose name is not known when it is compiled
type Anything = any

/** `on` of producers, consumers and admins. */
export type On<Events extends Record<string, string>> = <Name extends Events[keyof Events]>(
  eventName: Name,
  listener: (event: InstrumentationEvent<string extends Name ? Anything : PayloadOf<Name>>) => void,
) => RemoveInstrumentationEventListener<Name>

let lastId = 0

/** Tells those who listen; what they throw is logged. */
export class Emitter {
  readonly #names: ReadonlySet<string>
  readonly #emitter = new EventEmitter()
  readonly #clock: Clock
  readonly #logger: Logger

  constructor(names: Readonly<Record<string, string>>, clock: Clock, logger: Logger) {
    this.#names = new Set(Object.values(names))
    this.#clock = clock
    this.#logger = logger
    this.#emitter.setMaxListeners(0)
  }

  emit<Name extends string>(type: Name, payload: PayloadOf<Name>): void {
    if (this.#emitter.listenerCount(type) === 0) return
    const event = { id: String(lastId++), type, timestamp: this.#clock.wallMs(), payload }
    this.#emitter.emit(type, event)
  }

  /** Answers how to end it. Throws for a name that is no event, or one that never comes. */
  on(
    eventName: string,
    listener: (event: InstrumentationEvent<Anything>) => void | Promise<void>,
  ): () => void {
    if (!this.#names.has(eventName)) {
      const names = [...this.#names].join(', ')
      throw new KafkaJSNonRetriableError(`there is no event ${eventName}; there are: ${names}`)
    }
    if (/\.network\.|\.fetch/.test(eventName)) {
      refuse(`event ${eventName}`, "subscribe to node:diagnostics_channel 'ottla:client:request'")
    }
    const heard = async (event: InstrumentationEvent<Anything>) => {
      try {
        await listener(event)
      } catch (error) {
        this.#logger.error(`a listener of ${eventName} threw: ${error}`, { eventName, error })
      }
    }
    this.#emitter.on(eventName, heard)
    return () => void this.#emitter.off(eventName, heard)
  }
}
