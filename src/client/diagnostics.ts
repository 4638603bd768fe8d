/**
 * What clients publish on `node:diagnostics_channel`, as one table of names and payloads:
 *
 *     import { subscribe } from 'node:diagnostics_channel'
 *     subscribe('ottla:client:request', message => record(message as DiagnosticEvents['ottla:client:request']))
 *
 * Without subscribers nothing is made for it. Times are milliseconds. What a subscriber throws comes
 * up as an uncaught exception of its own, as everywhere in Node; the client goes on.
 */
import { type Channel, channel } from 'node:diagnostics_channel'
import type { TopicPartition, TopicPartitionOffset } from './consumer/options.ts'
import type { Standstill } from './consumer/watchdog.ts'

/** A connection of a client. */
export interface ConnectionEvent {
  readonly clientId: string
  readonly host: string
  readonly port: number
  /** '' for the connection that all share; others are for requests that a broker holds. */
  readonly lane: string
}

/** A consumer; `groupId` is undefined for one without a group. */
export interface ConsumerEvent {
  readonly groupId: string | undefined
}

/** Partitions that come or go. */
export interface PartitionsEvent extends ConsumerEvent {
  /** Those concerned. */
  readonly partitions: readonly TopicPartition[]
}

/** What the log says too. */
export interface ConsumerWarningEvent extends ConsumerEvent {
  /** For people. */
  readonly message: string
  /** The error, where it is one. */
  readonly detail: unknown
}

/** Records of one batch: for one partition, together. */
export interface BatchEvent {
  readonly clientId: string
  readonly topic: string
  /** −1: none was chosen yet. */
  readonly partition: number
  /** How many. */
  readonly records: number
}

/** Every event by its channel. */
export interface DiagnosticEvents {
  /** A connection was opened, or with `error` could not be. */
  'ottla:client:connect': ConnectionEvent & {
    readonly tookMs: number
    readonly error: Error | undefined
  }
  /** An open connection is gone; it is opened again when it is needed. */
  'ottla:client:disconnect': ConnectionEvent & { readonly error: Error }
  /** A request was answered, or with `error` was not. `api` is its name: `Produce`, `Fetch` … */
  'ottla:client:request': ConnectionEvent & {
    readonly api: string
    readonly version: number
    readonly requestBytes: number
    readonly responseBytes: number
    readonly tookMs: number
    readonly error: Error | undefined
  }
  /** A batch was acknowledged. */
  'ottla:producer:sent': BatchEvent & {
    /** −1 when the broker did not tell: with acks 0, or it had it already. */
    readonly baseOffset: number
    /** As sent, compressed. */
    readonly bytes: number
    /** Since its first record was given to `send`. */
    readonly tookMs: number
  }
  /** The sends of these records reject with `error`. */
  'ottla:producer:failed': BatchEvent & { readonly error: Error }
  /** Partitions of a consumer's own from now on; the end of a rebalance. */
  'ottla:consumer:assigned': PartitionsEvent & {
    /** Undefined without a group. */
    readonly memberId?: string
    readonly generationId?: number
  }
  /** The coordinator has answered a heartbeat of this member. */
  'ottla:consumer:heartbeat': ConsumerEvent & {
    readonly memberId?: string
    readonly generationId?: number
  }
  /** Partitions given up, their work finished and committed. */
  'ottla:consumer:revoked': PartitionsEvent
  /** Partitions that went to others before their work was finished. */
  'ottla:consumer:lost': PartitionsEvent
  /** A broker has accepted offsets. */
  'ottla:consumer:committed': ConsumerEvent & { readonly offsets: readonly TopicPartitionOffset[] }
  /** A commit was refused, or not answered. */
  'ottla:consumer:commit-failed': ConsumerWarningEvent
  /** A message or batch was passed over by `onDecodeError`. */
  'ottla:consumer:skipped': ConsumerWarningEvent
  /** `onCommit` of an interceptor threw. */
  'ottla:consumer:interceptor-failed': ConsumerWarningEvent
  /** User code holds a partition, or nothing fetches it (see the watchdog). */
  'ottla:consumer:standstill': ConsumerWarningEvent & { readonly detail: Standstill }
  /** Anything else that people should know. */
  'ottla:consumer:warning': ConsumerWarningEvent
}

/** The channel of an event; kept by those who publish often. */
export function eventChannel<Name extends keyof DiagnosticEvents>(
  name: Name,
): Channel<unknown, DiagnosticEvents[Name]> {
  return channel(name) as Channel<unknown, DiagnosticEvents[Name]>
}
