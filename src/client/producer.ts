import { Writable } from 'node:stream'
import { isList } from '../base/list.ts'
import { type Connected, connectedBy } from './connected.ts'
import { contentOf } from './producer/content.ts'
import { ProducerCore } from './producer/core.ts'
import type {
  ProducerInterceptor,
  ProducerMetrics,
  ProducerOptions,
  ProducerRecord,
  RecordMetadata,
  SendOptions,
} from './producer/options.ts'
import { type Receiver, SendGroup, Sending } from './producer/sending.ts'
import { type Settings, settingsOf } from './producer/settings.ts'
import type { Payload } from './serializers.ts'
import type { SendTrace } from './telemetry.ts'

/**
 * Sends records.
 *
 *     await using producer = new Producer({ bootstrap: 'localhost:9092' })
 *     const { partition, offset } = await producer.send({ topic: 'orders', key: 'k', value: 'v' })
 *
 * A record is sent at once when its broker has little to do; what comes while requests are under way
 * shares batches, so that many sends that are not awaited one by one go fast without any setting.
 * Records of one partition are stored in the order of their sends, each once, whatever has to be
 * sent again (unless `idempotent` is off). Every send settles within `deliveryTimeoutMs`.
 */
export class Producer<K = Payload, V = Payload> implements AsyncDisposable {
  /** Of the things a client closes. @internal */
  readonly kind = 'producer'
  readonly #connected: Connected
  readonly #isOwn: boolean
  readonly #settings: Settings<K, V>
  readonly #core: ProducerCore
  #closing: Promise<void> | undefined

  /**
   * Connects at the first send. Throws ProducerStateError or OptionError for wrong options,
   * and ConnectionError for a client that was closed.
   */
  constructor(options: ProducerOptions<K, V>) {
    this.#settings = settingsOf(options)
    const { connected, isOwn } = connectedBy(options)
    this.#connected = connected
    this.#isOwn = isOwn
    this.#core = new ProducerCore(connected, this.#settings)
    if (!isOwn) connected.dependents.add(this)
  }

  /**
   * Sends a record; resolves when it is acknowledged. Several: resolves in their order, when all are;
   * rejects with SendError, which has the result of each, when one failed. Serialization and the choice
   * of the place happen before this returns, so the order of calls is the order in the partition.
   *
   * Rejects with KafkaError when the broker refuses it, DeliveryTimeoutError, SerializationError,
   * ProducerStateError, or the signal's reason.
   */
  send(record: ProducerRecord<K, V>, options?: SendOptions): Promise<RecordMetadata>
  send(records: readonly ProducerRecord<K, V>[], options?: SendOptions): Promise<RecordMetadata[]>
  send(
    records: ProducerRecord<K, V> | readonly ProducerRecord<K, V>[],
    { signal }: SendOptions = {},
  ): Promise<RecordMetadata | RecordMetadata[]> {
    if (isList(records)) {
      const group = new SendGroup(records.length)
      const now = this.#now()
      for (let index = 0; index < records.length; index++) {
        this.#send(records[index]!, signal, group.receiver(index), now)
      }
      return group.promise
    }
    return new Promise((stored, failed) =>
      this.#send(records, signal, { stored, failed }, this.#now()),
    )
  }

  /**
   * Resolves when every record that was given to `send` before is settled, however; what lingers leaves
   * at once. Rejects with the signal's reason alone.
   */
  flush({ signal }: SendOptions = {}): Promise<void> {
    return this.#core.flush(signal)
  }

  /**
   * A stream of records to be sent. It takes more as long as there is room in the buffer, finishes when
   * all it was given is acknowledged, and is destroyed with the error of the first send that fails.
   * Its end does not close the producer.
   */
  writable(): Writable {
    const core = this.#core
    let unsettled = 0
    let onSettled: (() => void) | undefined
    const stream = new Writable({
      objectMode: true,
      write: (record: ProducerRecord<K, V>, _, next) => {
        unsettled++
        this.send(record).then(
          () => {
            if (--unsettled === 0) onSettled?.()
          },
          (error: Error) => stream.destroy(error),
        )
        core.whenRoom(next)
      },
      final(end) {
        onSettled = end
        if (unsettled === 0) end()
        else core.hurry()
      },
    })
    return stream
  }

  /** What was counted since it was made. */
  metrics(): ProducerMetrics {
    return this.#core.metrics()
  }

  /**
   * Takes no more records, waits until those it has are settled, and closes. What is not settled after
   * `timeoutMs` (default: `deliveryTimeoutMs`) rejects with ProducerStateError CLOSED. Idempotent.
   */
  close({ timeoutMs }: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(timeoutMs ?? this.#settings.deliveryTimeoutMs)
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(timeoutMs: number): Promise<void> {
    await this.#core.close(timeoutMs)
    if (this.#isOwn) await this.#connected.close()
    else this.#connected.dependents.delete(this)
  }

  /** Clocks cost as much as a record does: they are read once for those that are sent together. */
  #now(): Now {
    const { clock } = this.#connected.io
    return { wallMs: clock.wallMs(), monotonicMs: clock.monotonicMs() }
  }

  #send(
    given: ProducerRecord<K, V>,
    signal: AbortSignal | undefined,
    receiver: Receiver,
    now: Now,
  ): void {
    const core = this.#core
    const { telemetry } = this.#connected
    let told = receiver
    try {
      signal?.throwIfAborted()
      core.throwIfClosed()
      let record = given
      const { interceptors } = this.#settings
      for (const each of interceptors) record = each.onSend?.(record) ?? record
      if (interceptors.length > 0) told = this.#intercepted(record, told)
      const trace = telemetry.current?.send(record.topic, record.key, record.headers)
      if (trace !== undefined) {
        record = { ...record, headers: trace.headers }
        told = traced(trace, told)
      }
      const content = contentOf(record, this.#settings, now.wallMs)
      if (signal !== undefined) told = abortable(told, signal, () => sending.failed(signal.reason))
      const sending = new Sending(content, now.monotonicMs, told)
      core.accept(sending)
    } catch (error) {
      told.failed(error as Error)
    }
  }

  #intercepted(record: ProducerRecord<K, V>, receiver: Receiver): Receiver {
    const { interceptors } = this.#settings
    const tell = (call: (interceptor: ProducerInterceptor<K, V>) => void) => {
      for (const each of interceptors) {
        try {
          call(each)
        } catch (error) {
          // What became of the record is certain; whoever sent it must not think otherwise.
          this.#connected.logger.warn({ error, topic: record.topic }, 'an interceptor threw')
        }
      }
    }
    return {
      stored(metadata) {
        tell(each => each.onAcknowledged?.(metadata, record))
        receiver.stored(metadata)
      },
      failed(error) {
        tell(each => each.onError?.(error, record))
        receiver.failed(error)
      },
    }
  }
}

interface Now {
  readonly wallMs: number
  readonly monotonicMs: number
}

function traced(trace: SendTrace, receiver: Receiver): Receiver {
  return {
    stored(metadata) {
      trace.sent(metadata.partition, metadata.offset)
      receiver.stored(metadata)
    },
    failed(error) {
      trace.failed(error)
      receiver.failed(error)
    },
  }
}

/** Also told when `signal` is aborted, once. */
function abortable(receiver: Receiver, signal: AbortSignal, abort: () => void): Receiver {
  signal.addEventListener('abort', abort, { once: true })
  return {
    stored(metadata) {
      signal.removeEventListener('abort', abort)
      receiver.stored(metadata)
    },
    failed(error) {
      signal.removeEventListener('abort', abort)
      receiver.failed(error)
    },
  }
}
