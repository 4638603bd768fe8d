/** What can go wrong in a producer beyond the refusals of brokers. */
import type { RecordMetadata } from './options.ts'

/** The producer cannot do this; the message says what to do. */
export class ProducerStateError extends Error {
  override readonly name = 'ProducerStateError'
  /**
   * CLOSED: `close` was called. BAD_OPTION: an option, or what a partitioner chose, makes no sense.
   * BAD_RECORD: a field of a record has no meaning. RECORD_TOO_LARGE: it has more than
   * `maxRequestBytes`.
   */
  readonly code: 'CLOSED' | 'BAD_OPTION' | 'BAD_RECORD' | 'RECORD_TOO_LARGE'
  readonly retriable = false
  /** True: the record may have been stored. */
  readonly mayBeStored: boolean

  constructor(code: ProducerStateError['code'], message: string, mayBeStored = false) {
    super(message)
    this.code = code
    this.mayBeStored = mayBeStored
  }
}

/** What a record waited for when its time was over. */
export type AwaitedThing = 'topic' | 'room' | 'leader' | 'connection' | 'producer id' | 'answer'

/** A record was not acknowledged within `deliveryTimeoutMs`. `cause`: what went wrong last. */
export class DeliveryTimeoutError extends Error {
  override readonly name = 'DeliveryTimeoutError'
  readonly code = 'DELIVERY_TIMEOUT'
  readonly retriable = true
  readonly topic: string
  /** −1: none was chosen yet. */
  readonly partition: number
  /** When its time was over. */
  readonly waitedFor: AwaitedThing
  /** True: it was sent, and the answer never came. Sending it again may store it twice. */
  readonly mayBeStored: boolean

  constructor(
    place: { readonly topic: string; readonly partition: number },
    timeoutMs: number,
    waitedFor: AwaitedThing,
    mayBeStored: boolean,
    cause: Error | undefined,
  ) {
    const { topic, partition } = place
    const where = partition < 0 ? topic : `${topic}-${partition}`
    const last = cause === undefined ? '' : `, last: ${cause.message}`
    const fate = mayBeStored ? 'it may be stored' : 'it was not stored'
    super(
      `a record for ${where} was not acknowledged within ${timeoutMs} ms: it waited for ${sentences[waitedFor]}${last}; ${fate}`,
      { cause },
    )
    this.topic = topic
    this.partition = partition
    this.waitedFor = waitedFor
    this.mayBeStored = mayBeStored
  }
}

const sentences: Readonly<Record<AwaitedThing, string>> = {
  topic: 'the partitions of the topic to be known',
  room: 'room in the buffer (bufferBytes)',
  leader: 'a leader of the partition',
  connection: 'its turn, or a connection to the leader',
  'producer id': 'a producer id',
  answer: "the broker's answer",
}

/**
 * A broker refused a record, or knows nothing of it, after an attempt that may have stored it. `cause`: what
 * it said last. Records that reject with KafkaError were refused for certain.
 */
export class UncertainDeliveryError extends Error {
  override readonly name = 'UncertainDeliveryError'
  readonly code = 'UNCERTAIN_DELIVERY'
  /** Sending it again may store it twice. */
  readonly retriable = false
  readonly topic: string
  readonly partition: number
  /** Nobody knows. */
  readonly mayBeStored = true

  constructor(
    { topic, partition }: { readonly topic: string; readonly partition: number },
    cause: Error,
  ) {
    super(`a record for ${topic}-${partition} may be stored or not, last: ${cause.message}`, {
      cause,
    })
    this.topic = topic
    this.partition = partition
  }
}

/** A key or a value could not be serialized. `cause`: what the serializer threw. */
export class SerializationError extends Error {
  override readonly name = 'SerializationError'
  readonly code = 'SERIALIZATION'
  readonly retriable = false
  readonly topic: string
  /** Which of the two. */
  readonly field: 'key' | 'value'

  constructor(topic: string, field: 'key' | 'value', cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause)
    super(`the ${field} of a record for ${topic} cannot be serialized: ${why}`, { cause })
    this.topic = topic
    this.field = field
  }
}

/** Some of the records that were sent together failed. `cause`: the first failure. */
export class SendError extends Error {
  override readonly name = 'SendError'
  readonly code = 'SEND_FAILED'
  /** As of the first failure. */
  readonly retriable: boolean
  /** In the order of the records: where it went, or why it did not. */
  readonly results: readonly (RecordMetadata | Error)[]

  constructor(results: readonly (RecordMetadata | Error)[]) {
    const failures = results.filter(each => each instanceof Error)
    const first = failures[0]!
    super(
      `${failures.length} of ${results.length} records failed, the first one: ${first.message}`,
      {
        cause: first,
      },
    )
    this.retriable = 'retriable' in first && first.retriable === true
    this.results = results
  }
}
