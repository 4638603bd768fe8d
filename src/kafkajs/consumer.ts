/**
 * The consumer of kafkajs: subscribes, runs, stops, and runs again after a crash. What happens while
 * it runs is in run.ts.
 */
import { Admin } from '../client/admin.ts'
import type { OwnAssignor } from '../client/consumer/assignors/assignor.ts'
import type { TopicPartitionOffset } from '../client/consumer/options.ts'
import type { Timer } from '../io/io.ts'
import { assignorOf, type PartitionAssigner, PartitionAssigners } from './assigners.ts'
import type { Consumer, ConsumerConfig, ConsumerRunConfig } from './consumer-types.ts'
import { KafkaJSError, KafkaJSNonRetriableError, translated } from './errors.ts'
import { type ConsumerEvents, consumerEvents, Emitter, type On } from './events.ts'
import { groupDescription } from './groups.ts'
import { Line, type LineOptions } from './line.ts'
import { offsetOf, seekTargetOf, type TopicPartitionOffsetAndMetadata } from './offsets.ts'
import type { RetryOptions } from './retry.ts'
import { Run } from './run.ts'
import { Subscriptions } from './subscriptions.ts'
import { creationMs } from './topic-metadata.ts'

/** Throws for what it cannot do. */
export function createConsumer(options: LineOptions, config: ConsumerConfig): Consumer {
  const { groupId, heartbeatInterval = 3_000, sessionTimeout = 30_000 } = config
  if (!groupId) throw new KafkaJSNonRetriableError('groupId: a consumer needs one')
  if (heartbeatInterval >= sessionTimeout) {
    throw new KafkaJSNonRetriableError(
      `heartbeatInterval is ${heartbeatInterval}: it has to be below sessionTimeout, ${sessionTimeout}`,
    )
  }
  return new KafkaConsumer(options, config)
}

// Its methods are properties, for programs take them off the object.
class KafkaConsumer implements Consumer {
  readonly events: ConsumerEvents = consumerEvents
  readonly #options: LineOptions
  readonly #config: ConsumerConfig
  readonly #line: Line
  readonly #emitter: Emitter
  readonly #subscriptions: Subscriptions
  #run: Run | undefined
  #restart: Timer | undefined
  /** Raised by whoever starts or stops it, so that a restart knows whether it is still wanted. */
  #turn = 0

  constructor(options: LineOptions, config: ConsumerConfig) {
    this.#options = options
    this.#config = config
    this.#line = new Line(options)
    const { io, logger } = options
    this.#emitter = new Emitter(consumerEvents, io.clock, logger)
    const create = config.allowAutoTopicCreation ?? true
    this.#subscriptions = new Subscriptions({ clock: io.clock, create, waitMs: creationMs })
  }

  readonly logger: Consumer['logger'] = () => this.#options.logger
  readonly on = ((name, listener) => this.#emitter.on(name, listener)) as On<ConsumerEvents>

  readonly connect: Consumer['connect'] = async () => {
    await this.#line.open()
    this.#emitter.emit('consumer.connect', null)
  }

  readonly disconnect: Consumer['disconnect'] = async () => {
    await this.stop()
    await this.#disconnect()
  }

  readonly stop: Consumer['stop'] = async () => {
    this.#turn++
    this.#restart?.cancel()
    await this.#stop()
    this.#options.logger.info('the consumer has stopped', { groupId: this.#config.groupId })
  }

  readonly subscribe: Consumer['subscribe'] = async subscription => {
    if (this.#run !== undefined) {
      throw new KafkaJSNonRetriableError('a consumer that runs cannot subscribe: stop it first')
    }
    this.#subscriptions.add(subscription)
    const { client } = this.#line
    if (client !== undefined) await this.#subscriptions.ready(client.connected.cluster)
  }

  readonly run: Consumer['run'] = async (how = {}) => {
    if (this.#run !== undefined) {
      this.#options.logger.warn('run was called while the consumer runs: nothing was done')
      return
    }
    await this.#start(how, ++this.#turn)
  }

  readonly commitOffsets: Consumer['commitOffsets'] = async topicPartitions => {
    const offsets = topicPartitions.map(offsetToCommit)
    try {
      await this.#running().commit(offsets)
    } catch (error) {
      throw translated(error)
    }
  }

  readonly seek: Consumer['seek'] = ({ topic, partition, offset }) => {
    checkPlace(topic, partition)
    this.#running().seek({ topic, partition }, seekTargetOf(offset))
  }

  readonly pause: Consumer['pause'] = topics => this.#running().pause(topics)
  readonly resume: Consumer['resume'] = topics => this.#running().resume(topics)
  readonly paused: Consumer['paused'] = () => this.#run?.paused() ?? []

  readonly describeGroup: Consumer['describeGroup'] = async () => {
    const admin = new Admin({ client: this.#line.connected('consumer') })
    const [found] = await admin.describeGroups([this.#config.groupId])
    return groupDescription(found!)
  }

  #running(): Run {
    if (this.#run !== undefined) return this.#run
    throw new KafkaJSNonRetriableError('the consumer does not run: call run first')
  }

  /** As the run of `turn`, unless that is over. */
  async #start(how: ConsumerRunConfig, turn: number): Promise<void> {
    if (turn !== this.#turn) return
    const { groupId } = this.#config
    this.#options.logger.info('the consumer starts', { groupId })
    const crashed = (error: unknown) => void this.#crash(error, how, turn)
    const run = new Run({
      line: this.#line,
      logger: this.#options.logger,
      emitter: this.#emitter,
      config: this.#config,
      how,
      retrying: this.#options.retrying,
      subscriptions: this.#subscriptions,
      assignors: (memberId, leads) => this.#assignors(memberId, leads),
    })
    this.#run = run
    try {
      await run.start(crashed)
    } catch (error) {
      await this.#crash(error, how, turn)
    }
  }

  async #stop(): Promise<void> {
    const run = this.#run
    if (run === undefined) return
    await run.stop()
    if (this.#run !== run) return
    this.#run = undefined
    this.#emitter.emit('consumer.stop', null)
  }

  async #disconnect(): Promise<void> {
    await this.#line.close()
    this.#emitter.emit('consumer.disconnect', null)
  }

  /** Stops, says so, and starts again if that can help and is wanted. Does not reject. */
  async #crash(failure: unknown, how: ConsumerRunConfig, turn: number): Promise<void> {
    const { logger, io, retrying } = this.#options
    const { groupId } = this.#config
    const error = asError(translated(failure))
    logger.error(`the consumer has crashed: ${error.message}`, { groupId, stack: error.stack })
    await this.#stop()
    await this.#disconnect()
    const restart = canPass(error) && (await this.#wantsRestart(error))
    this.#emitter.emit('consumer.crash', { error, groupId, restart })
    if (!restart || turn !== this.#turn) return
    const waited = 'retryTime' in error ? Number(error.retryTime) : 0
    const retryTime = waited || retrying.initialRetryTime
    logger.error(`the consumer starts again in ${retryTime} ms`, { groupId, retryTime })
    this.#restart = io.clock.timer(retryTime, () => void this.#start(how, turn))
  }

  async #wantsRestart(error: Error): Promise<boolean> {
    const { restartOnFailure }: RetryOptions = this.#config.retry ?? {}
    try {
      return (await restartOnFailure?.(error)) ?? true
    } catch (thrown) {
      this.#options.logger.error(`restartOnFailure threw, so it starts again: ${thrown}`)
      return true
    }
  }

  #assignors(memberId: () => string, leads: () => void): OwnAssignor[] {
    const { groupId, partitionAssigners = [PartitionAssigners.roundRobin] } = this.#config
    const { cluster } = this.#line.connected('consumer').connected
    const { logger } = this.#options
    const topics = this.#subscriptions.names
    return partitionAssigners.map((make: PartitionAssigner) =>
      assignorOf(make, { cluster, groupId, logger, topics, memberId, leads }),
    )
  }
}

function checkPlace(topic: string, partition: number): void {
  if (!topic) throw new KafkaJSNonRetriableError(`topic is ${topic}: give its name`)
  if (Number.isInteger(partition) && partition >= 0) return
  throw new KafkaJSNonRetriableError(`partition ${partition} of ${topic} is no whole number from 0`)
}

function offsetToCommit(each: TopicPartitionOffsetAndMetadata): TopicPartitionOffset {
  const { topic, partition, metadata } = each
  checkPlace(topic, partition)
  const offset = { topic, partition, offset: offsetOf(each.offset) }
  return typeof metadata === 'string' ? { ...offset, metadata } : offset
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new KafkaJSError(String(error))
}

/** It was tried often enough, or what lies at its bottom may pass. */
function canPass(error: Error): boolean {
  if (error.name === 'KafkaJSNumberOfRetriesExceeded') return true
  if (error.cause instanceof Error) return canPass(error.cause)
  return 'retriable' in error && error.retriable === true
}
