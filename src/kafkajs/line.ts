/** What a producer, consumer or admin stands on between `connect` and `disconnect`: a client of Ottla. */
import { Client } from '../client/client.ts'
import type { Io } from '../io/io.ts'
import { KafkaJSNonRetriableError, translatedAfterRetries } from './errors.ts'
import { clientLogger, type Logger } from './logger.ts'
import { patienceMs, type Retrying } from './retry.ts'

export interface LineOptions {
  readonly io: Io
  readonly logger: Logger
  readonly brokers: readonly string[] | (() => readonly string[] | Promise<readonly string[]>)
  readonly clientId: string
  readonly connectTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly metadataMaxAgeMs: number
  readonly retrying: Retrying
}

export class Line {
  readonly options: LineOptions
  #client: Client | undefined
  #opening: Promise<Client> | undefined

  constructor(options: LineOptions) {
    this.options = options
  }

  /** Undefined while it is not connected. */
  get client(): Client | undefined {
    return this.#client
  }

  /** Connects, or is connected. Rejects when no broker answers in time. */
  open(): Promise<Client> {
    this.#opening ??= this.#open().catch(error => {
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }

  /** The client. Throws when it is not connected. */
  connected(what: string): Client {
    if (this.#client !== undefined) return this.#client
    throw new KafkaJSNonRetriableError(`the ${what} is not connected: call connect first`)
  }

  /** Idempotent; it can be opened again. */
  async close(): Promise<void> {
    const opening = this.#opening
    this.#opening = undefined
    this.#client = undefined
    await (await opening?.catch(() => undefined))?.close()
  }

  async #open(): Promise<Client> {
    const { brokers, logger, retrying, connectTimeoutMs } = this.options
    const list = typeof brokers === 'function' ? await brokers() : brokers
    if (!Array.isArray(list) || list.length === 0) {
      throw new KafkaJSNonRetriableError('brokers: an array with at least one host:port is needed')
    }
    const client = new Client({
      bootstrap: list,
      clientId: this.options.clientId,
      connectTimeoutMs,
      requestTimeoutMs: this.options.requestTimeoutMs,
      metadataMaxAgeMs: this.options.metadataMaxAgeMs,
      retryBackoffMs: retrying.initialRetryTime,
      retryBackoffMaxMs: retrying.maxRetryTime,
      logger: clientLogger(logger.namespace('Client')),
    })
    try {
      const timeoutMs = connectTimeoutMs + patienceMs(retrying)
      await client.connected.cluster.metadata([], false, { timeoutMs })
    } catch (error) {
      await client.close()
      throw translatedAfterRetries(error)
    }
    this.#client = client
    return client
  }
}
