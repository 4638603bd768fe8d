/**
 * The error classes of kafkajs, and how what Ottla's client throws becomes one of them. `cause` is the
 * error of Ottla's client, whose message says what to do.
 */
import { ConnectionError } from '../client/connection.ts'
import { OffsetOutOfRangeError } from '../client/consumer/errors.ts'
import { DeliveryTimeoutError, SendError } from '../client/producer/errors.ts'
import { type ErrorName, KafkaError } from '../protocol/errors.ts'

export interface KafkaJSErrorMetadata {
  readonly retriable?: boolean | undefined
  readonly cause?: unknown
}

/** The base of them all. `retriable`: the same may succeed later. */
export class KafkaJSError extends Error {
  override name = 'KafkaJSError'
  readonly retriable: boolean
  readonly helpUrl?: string

  constructor(e: Error | string, { retriable = true, cause }: KafkaJSErrorMetadata = {}) {
    super(typeof e === 'string' ? e : e.message)
    this.retriable = retriable
    this.cause = cause
  }
}

export class KafkaJSNonRetriableError extends KafkaJSError {
  override name = 'KafkaJSNonRetriableError'
  constructor(e: Error | string, { cause }: { readonly cause?: unknown } = {}) {
    super(e, { retriable: false, cause })
  }
}

/** What a broker refused. */
export interface ProtocolErrorLike {
  readonly type: string
  readonly code: number
  readonly retriable?: boolean
  readonly message: string
  readonly cause?: unknown
}

export class KafkaJSProtocolError extends KafkaJSError {
  override name = 'KafkaJSProtocolError'
  /** The name of the error, as kafkajs spells it. */
  readonly type: string
  readonly code: number

  constructor(e: ProtocolErrorLike | Error | string, { retriable }: KafkaJSErrorMetadata = {}) {
    const said: Partial<ProtocolErrorLike> = typeof e === 'string' ? { message: e } : e
    super(said.message ?? '', { retriable: retriable ?? said.retriable, cause: said.cause })
    this.type = said.type ?? 'UNKNOWN'
    this.code = said.code ?? -1
  }
}

export class KafkaJSAggregateError extends Error {
  override name = 'KafkaJSAggregateError'
  readonly errors: (Error | string)[]
  constructor(message: Error | string, errors: (Error | string)[]) {
    super(typeof message === 'string' ? message : message.message)
    this.errors = errors
  }
}

export class KafkaJSOffsetOutOfRange extends KafkaJSProtocolError {
  override name = 'KafkaJSOffsetOutOfRange'
  readonly topic: string
  readonly partition: number
  constructor(
    e: ProtocolErrorLike | Error | string,
    { topic, partition }: { readonly topic: string; readonly partition: number },
  ) {
    super(e)
    this.topic = topic
    this.partition = partition
  }
}

export class KafkaJSCreateTopicError extends KafkaJSProtocolError {
  override name = 'KafkaJSCreateTopicError'
  readonly topic: string
  constructor(e: ProtocolErrorLike | Error | string, topic: string) {
    super(e)
    this.topic = topic
  }
}

/** Trying again did not help: `cause` says why not. */
export class KafkaJSNumberOfRetriesExceeded extends KafkaJSNonRetriableError {
  override name = 'KafkaJSNumberOfRetriesExceeded'
  readonly retryCount: number
  /** Milliseconds waited before the last attempt. */
  readonly retryTime: number
  constructor(
    e: Error | string,
    { retryCount, retryTime }: { readonly retryCount: number; readonly retryTime: number },
  ) {
    super(e, { cause: e })
    this.retryCount = retryCount
    this.retryTime = retryTime
  }
}

export interface KafkaJSConnectionErrorMetadata {
  readonly broker?: string
  readonly code?: string
  readonly cause?: unknown
}

export class KafkaJSConnectionError extends KafkaJSError {
  override name = 'KafkaJSConnectionError'
  readonly broker: string | undefined
  readonly code: string | undefined
  constructor(e: Error | string, { broker, code, cause }: KafkaJSConnectionErrorMetadata = {}) {
    super(e, { cause })
    this.broker = broker
    this.code = code
  }
}

export class KafkaJSConnectionClosedError extends KafkaJSConnectionError {
  override name = 'KafkaJSConnectionClosedError'
}

export class KafkaJSRequestTimeoutError extends KafkaJSError {
  override name = 'KafkaJSRequestTimeoutError'
}

/** A group that was asked to be deleted; without `error` it is. */
export type DeleteGroupsResult = {
  groupId: string
  errorCode?: number
  error?: KafkaJSProtocolError
}

export class KafkaJSDeleteGroupsError extends KafkaJSError {
  override name = 'KafkaJSDeleteGroupsError'
  readonly groups: DeleteGroupsResult[]
  constructor(e: Error | string, groups: DeleteGroupsResult[] = []) {
    super(e)
    this.groups = groups
  }
}

/** A partition whose records were not deleted. */
export interface KafkaJSDeleteTopicRecordsErrorPartition {
  readonly partition: number
  readonly offset: string
  readonly error: KafkaJSError
}

export class KafkaJSDeleteTopicRecordsError extends KafkaJSError {
  override name = 'KafkaJSDeleteTopicRecordsError'
  readonly topic: string
  readonly partitions: readonly KafkaJSDeleteTopicRecordsErrorPartition[]
  constructor({
    topic,
    partitions,
  }: {
    readonly topic: string
    readonly partitions: readonly KafkaJSDeleteTopicRecordsErrorPartition[]
  }) {
    const places = partitions.map(({ partition, error }) => `${partition}: ${error.message}`)
    super(`records of ${topic} were not deleted: ${places.join(', ')}`, {
      retriable: partitions.every(({ error }) => error.retriable),
    })
    this.topic = topic
    this.partitions = partitions
  }
}

/** What cannot be done yet: the message names it. */
export class KafkaJSNotImplemented extends KafkaJSNonRetriableError {
  override name = 'KafkaJSNotImplemented'
}

export class KafkaJSTimeout extends KafkaJSNonRetriableError {
  override name = 'KafkaJSTimeout'
}

// Those that follow are not thrown: what they stand for is another error here, or does not happen. They
// are there for programs that name them.
export class KafkaJSBrokerNotFound extends KafkaJSError {
  override name = 'KafkaJSBrokerNotFound'
}
export class KafkaJSMetadataNotLoaded extends KafkaJSError {
  override name = 'KafkaJSMetadataNotLoaded'
}
export class KafkaJSTopicMetadataNotLoaded extends KafkaJSMetadataNotLoaded {
  override name = 'KafkaJSTopicMetadataNotLoaded'
}
export class KafkaJSStaleTopicMetadataAssignment extends KafkaJSError {
  override name = 'KafkaJSStaleTopicMetadataAssignment'
}
export class KafkaJSGroupCoordinatorNotFound extends KafkaJSNonRetriableError {
  override name = 'KafkaJSGroupCoordinatorNotFound'
}
export class KafkaJSSASLAuthenticationError extends KafkaJSNonRetriableError {
  override name = 'KafkaJSSASLAuthenticationError'
}
export class KafkaJSServerDoesNotSupportApiKey extends KafkaJSNonRetriableError {
  override name = 'KafkaJSServerDoesNotSupportApiKey'
}
export class KafkaJSPartialMessageError extends KafkaJSNonRetriableError {
  override name = 'KafkaJSPartialMessageError'
}
export class KafkaJSUnsupportedMagicByteInMessageSet extends KafkaJSNonRetriableError {
  override name = 'KafkaJSUnsupportedMagicByteInMessageSet'
}
export class KafkaJSLockTimeout extends KafkaJSTimeout {
  override name = 'KafkaJSLockTimeout'
}
export class KafkaJSAlterPartitionReassignmentsError extends KafkaJSProtocolError {
  override name = 'KafkaJSAlterPartitionReassignmentsError'
}

/** Names that kafkajs kept from before they changed. */
const oldNames: Partial<Record<ErrorName, string>> = {
  UNKNOWN_SERVER_ERROR: 'UNKNOWN',
  NOT_LEADER_OR_FOLLOWER: 'NOT_LEADER_FOR_PARTITION',
  COORDINATOR_LOAD_IN_PROGRESS: 'GROUP_LOAD_IN_PROGRESS',
  COORDINATOR_NOT_AVAILABLE: 'GROUP_COORDINATOR_NOT_AVAILABLE',
  NOT_COORDINATOR: 'NOT_COORDINATOR_FOR_GROUP',
}

/** A refusal in the shape that the constructors of this file take. */
export function refusal(error: KafkaError): ProtocolErrorLike {
  const { code, retriable, message } = error
  return { type: oldNames[error.error] ?? error.error, code, retriable, message, cause: error }
}

/** What kafkajs would have thrown. What no client throws comes back as it is. */
export function translated(error: unknown): unknown {
  if (error instanceof KafkaJSError || !(error instanceof Error)) return error
  if (error instanceof KafkaError) return new KafkaJSProtocolError(refusal(error))
  if (error instanceof SendError) return translated(error.cause)
  if (error instanceof DeliveryTimeoutError) return retriesExceeded(error)
  if (error instanceof ConnectionError) return connectionError(error)
  if (error instanceof OffsetOutOfRangeError) {
    const said = { type: 'OFFSET_OUT_OF_RANGE', code: 1, retriable: false, cause: error }
    return new KafkaJSOffsetOutOfRange({ ...said, message: error.message }, error)
  }
  if ('retriable' in error && error.retriable === false) {
    return new KafkaJSNonRetriableError(error, { cause: error })
  }
  return error
}

/** As `translated`, for what was tried again until its time was over. */
export function translatedAfterRetries(error: unknown): unknown {
  const found = translated(error)
  if (!(found instanceof KafkaJSError) || !found.retriable) return found
  return new KafkaJSNumberOfRetriesExceeded(found, { retryCount: 0, retryTime: 0 })
}

function connectionError(error: ConnectionError): KafkaJSError {
  const { code, message } = error
  if (code === 'TIMED_OUT') return new KafkaJSRequestTimeoutError(message, { cause: error })
  const kind = code === 'CLOSED' ? KafkaJSConnectionClosedError : KafkaJSConnectionError
  return new kind(message, { code, cause: error })
}

function retriesExceeded(error: DeliveryTimeoutError): KafkaJSError {
  const cause = translated(error.cause ?? error) as Error
  const exceeded = new KafkaJSNumberOfRetriesExceeded(error.message, {
    retryCount: 0,
    retryTime: 0,
  })
  exceeded.cause = cause
  return exceeded
}

/** Throws what this package does not do; `instead` says what to do about it. */
export function refuse(what: string, instead: string): never {
  throw new KafkaJSNotImplemented(`ottla/kafkajs has no ${what}: ${instead}`)
}
