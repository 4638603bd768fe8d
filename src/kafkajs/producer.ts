/**
 * The producer of kafkajs over Ottla's. What kafkajs decides for each `send` (acks, compression, time)
 * Ottla decides for each producer, so there is one of those for each combination that is used, all on
 * one client.
 */
import type { Client } from '../client/client.ts'
import { Producer as OttlaProducer } from '../client/producer.ts'
import { CompressionTypes } from './constants.ts'
import { KafkaJSError, KafkaJSNonRetriableError, refuse, translated } from './errors.ts'
import { Emitter, type On, type ProducerEvents, producerEvents } from './events.ts'
import { Line, type LineOptions } from './line.ts'
import { Partitioners } from './partitioners.ts'
import type {
  Message,
  Producer,
  ProducerBatch,
  ProducerConfig,
  ProducerRecord,
  RecordMetadata,
  TopicMessages,
} from './producer-types.ts'
import { metadataOf, recordOf } from './records.ts'
import { patienceMs } from './retry.ts'
import { creationMs, type PartitionMetadata, partitionsOf } from './topic-metadata.ts'

const compressions = {
  [CompressionTypes.None]: 'none',
  [CompressionTypes.GZIP]: 'gzip',
  [CompressionTypes.Snappy]: 'snappy',
  [CompressionTypes.LZ4]: 'lz4',
  [CompressionTypes.ZSTD]: 'zstd',
} as const
const acksOf = { '-1': 'all', '0': 0, '1': 1 } as const

/** Throws for what it cannot do. */
export function createProducer(options: LineOptions, config: ProducerConfig): Producer {
  if (config.transactionalId !== undefined || config.transactionTimeout !== undefined) {
    refuse('transactions', 'leave out transactionalId and transactionTimeout')
  }
  const retries = options.retrying.retries
  if (config.idempotent && retries < 1) {
    throw new KafkaJSNonRetriableError('an idempotent producer has to retry: retries is 0')
  }
  return new KafkaProducer(options, config)
}

// Its methods are properties, for programs take them off the object.
class KafkaProducer implements Producer {
  readonly events: ProducerEvents = producerEvents
  readonly #options: LineOptions
  readonly #config: ProducerConfig
  readonly #line: Line
  readonly #emitter: Emitter
  readonly #partition: (args: {
    topic: string
    partitionMetadata: PartitionMetadata[]
    message: Message
  }) => number
  readonly #producers = new Map<string, OttlaProducer>()

  constructor(options: LineOptions, config: ProducerConfig) {
    this.#options = options
    this.#config = config
    this.#line = new Line(options)
    this.#emitter = new Emitter(producerEvents, options.io.clock, options.logger)
    this.#partition = (config.createPartitioner ?? Partitioners.DefaultPartitioner)()
  }

  readonly connect = async (): Promise<void> => {
    await this.#line.open()
    this.#emitter.emit('producer.connect', null)
  }

  readonly disconnect = async (): Promise<void> => {
    this.#producers.clear()
    await this.#line.close()
    this.#emitter.emit('producer.disconnect', null)
  }

  readonly isIdempotent = (): boolean => this.#config.idempotent ?? false
  readonly logger = () => this.#options.logger
  readonly on = ((name, listener) => this.#emitter.on(name, listener)) as On<ProducerEvents>
  readonly transaction = async () => refuse('transactions', 'send without one')

  readonly send = async ({ topic, messages, ...how }: ProducerRecord): Promise<RecordMetadata[]> =>
    await this.sendBatch({ ...how, topicMessages: [{ topic, messages }] })

  readonly sendBatch = async (batch: ProducerBatch): Promise<RecordMetadata[]> => {
    const { topicMessages = [] } = batch
    const { client } = this.#line
    check(topicMessages)
    const producer = this.#producer(client, batch)
    try {
      const places = await Promise.all(
        topicMessages.map(({ topic }) => this.#partitions(client!, topic)),
      )
      const nowMs = this.#options.io.clock.wallMs()
      const records = topicMessages.flatMap(({ topic, messages }, index) =>
        messages.map(message => {
          const args = { topic, partitionMetadata: places[index]!, message }
          return recordOf(topic, message, this.#partition(args), nowMs)
        }),
      )
      const sent = await producer.send(records)
      return batch.acks === 0 ? [] : metadataOf(records, sent)
    } catch (error) {
      throw translated(error)
    }
  }

  /** The one for these acks, compression and time. */
  #producer(client: Client | undefined, { acks = -1, compression, timeout }: ProducerBatch) {
    if (client === undefined) {
      throw new KafkaJSError('the producer is disconnected: call connect first')
    }
    if (this.isIdempotent() && acks !== -1) {
      throw new KafkaJSNonRetriableError(`acks is ${acks}: an idempotent producer needs -1`)
    }
    const key = `${acks} ${compression} ${timeout}`
    const known = this.#producers.get(key)
    if (known !== undefined) return known
    const { requestTimeoutMs, retrying } = this.#options
    const made = new OttlaProducer({
      client,
      acks: chosen(acksOf, acks, 'acks'),
      compression: chosen(compressions, compression ?? CompressionTypes.None, 'compression'),
      deliveryTimeoutMs: (timeout ?? requestTimeoutMs) + patienceMs(retrying),
      maxInFlight: Math.min(5, this.#config.maxInFlightRequests ?? 5),
    })
    this.#producers.set(key, made)
    return made
  }

  #partitions({ connected }: Client, topic: string): Promise<PartitionMetadata[]> {
    return partitionsOf(connected.cluster, topic, {
      clock: this.#options.io.clock,
      create: this.#config.allowAutoTopicCreation ?? true,
      waitMs: creationMs,
    })
  }
}

function check(topicMessages: readonly TopicMessages[]): void {
  for (const { topic, messages } of topicMessages) {
    if (!topic) throw new KafkaJSNonRetriableError(`topic is ${topic}: give its name`)
    if (!messages) throw new KafkaJSNonRetriableError(`messages for ${topic}: give an array`)
    const empty = messages.find(({ value }) => value === undefined)
    if (empty === undefined) continue
    const shown = JSON.stringify(empty)
    throw new KafkaJSNonRetriableError(
      `a message for ${topic} has no value, not even null: ${shown}`,
    )
  }
}

function chosen<Key extends string | number, Value>(
  table: Readonly<Record<Key, Value>>,
  key: string | number,
  option: string,
): Value {
  const value = table[key as Key]
  if (value !== undefined) return value
  const known = Object.keys(table).join(', ')
  throw new KafkaJSNonRetriableError(`${option} is ${key}: there are ${known}`)
}
