/** The entry of kafkajs: how a cluster is reached, and what is made of it. */
import type { Io } from '../io/io.ts'
import { nodeIo } from '../io/node.ts'
import { createAdmin } from './admin.ts'
import type { Admin, AdminConfig } from './admin-types.ts'
import { logLevel } from './constants.ts'
import { createConsumer } from './consumer.ts'
import type { Consumer, ConsumerConfig } from './consumer-types.ts'
import { refuse } from './errors.ts'
import type { LineOptions } from './line.ts'
import { consoleLogCreator, createLogger, type Logger, type logCreator } from './logger.ts'
import { createProducer } from './producer.ts'
import type { Producer, ProducerConfig } from './producer-types.ts'
import { type RetryOptions, retryingBy } from './retry.ts'

export type BrokersFunction = () => string[] | Promise<string[]>

/** Milliseconds, as all times here. */
export interface KafkaConfig {
  /** `host:port` of some brokers; a function is asked at each `connect`. */
  brokers: string[] | BrokersFunction
  clientId?: string | undefined
  /** For one attempt to connect. Default 1,000. */
  connectionTimeout?: number | undefined
  /** Default 30,000. */
  requestTimeout?: number | undefined
  /** True is what happens; false is refused: every wait has an end. */
  enforceRequestTimeout?: boolean | undefined
  retry?: RetryOptions | undefined
  /** Default `logLevel.INFO`. */
  logLevel?: logLevel | undefined
  /** Default: lines of JSON on the console. */
  logCreator?: logCreator | undefined
  /** Only with `sasl`. */
  authenticationTimeout?: number | undefined
  /** Only with `sasl`. */
  reauthenticationThreshold?: number | undefined
  /** Refused but for false: there is no TLS yet. */
  ssl?: object | boolean | undefined
  /** Refused: there is no authentication yet. */
  sasl?: object | undefined
  /** Refused. */
  socketFactory?: ((args: never) => unknown) | undefined
}

export class Kafka {
  readonly #io: Io = nodeIo()
  readonly #config: KafkaConfig
  readonly #logger: Logger

  /** Connects nowhere. Throws KafkaJSNotImplemented for what it cannot do. */
  constructor(config: KafkaConfig) {
    if (config.ssl) refuse('ssl', 'TLS comes with the security of the client')
    if (config.sasl) refuse('sasl', 'authentication comes with the security of the client')
    if (config.socketFactory) refuse('socketFactory', 'leave it out')
    if (config.enforceRequestTimeout === false) {
      refuse('enforceRequestTimeout: false', 'requests always end; give a long requestTimeout')
    }
    this.#config = config
    this.#logger = createLogger({
      level: config.logLevel ?? logLevel.INFO,
      creator: config.logCreator ?? consoleLogCreator,
      wallMs: () => this.#io.clock.wallMs(),
    })
  }

  producer(config: ProducerConfig = {}): Producer {
    return createProducer(this.#line('Producer', config), config)
  }

  consumer(config: ConsumerConfig): Consumer {
    return createConsumer(this.#line('Consumer', config), config)
  }

  admin(config: AdminConfig = {}): Admin {
    return createAdmin(this.#line('Admin', config))
  }

  logger(): Logger {
    return this.#logger
  }

  #line(
    namespace: string,
    config: {
      readonly retry?: RetryOptions | undefined
      readonly metadataMaxAge?: number | undefined
    },
  ): LineOptions {
    return {
      io: this.#io,
      logger: this.#logger.namespace(namespace),
      brokers: this.#config.brokers,
      clientId: this.#config.clientId ?? 'kafkajs',
      connectTimeoutMs: this.#config.connectionTimeout ?? 1_000,
      requestTimeoutMs: this.#config.requestTimeout ?? 30_000,
      metadataMaxAgeMs: config.metadataMaxAge ?? 300_000,
      retrying: retryingBy(this.#config.retry, config.retry),
    }
  }
}
