import { Admin } from './admin.ts'
import type { ClientMetrics } from './client-metrics.ts'
import { type ClientOptions, Connected } from './connected.ts'
import type { Bytes } from './consumer/message.ts'
import type { ConsumerSettings } from './consumer/options.ts'
import { Consumer } from './consumer.ts'
import type { ProducerSettings } from './producer/options.ts'
import { Producer } from './producer.ts'
import type { Payload } from './serializers.ts'

/**
 * A cluster that producers, consumers and admins share: one connection to each broker, one cache of
 * what is known of topics, one set of metrics.
 *
 *     await using client = new Client({ bootstrap: 'localhost:9092' })
 *     await client.producer().send({ topic: 'orders', value: 'v' })
 *     const consumer = client.consumer({ groupId: 'billing', topics: 'orders' })
 *
 * Nothing connects before the first call. Requests of all are pipelined over the shared connection.
 * A broker answers a connection in order, so those that it holds on purpose (a Fetch that waits, a
 * JoinGroup) go over connections of their own, with the heartbeats. A Produce that waits for replicas
 * still holds what the same client has sent behind it: where that matters, make two clients.
 */
export class Client implements AsyncDisposable {
  /**
   * What producers, consumers and admins stand on.
   * @internal
   */
  readonly connected: Connected

  /** Connects at the first call. Throws OptionError. */
  constructor(options: ClientOptions) {
    this.connected = new Connected(options)
  }

  /** A producer that shares this client. Throws ProducerStateError for wrong settings, ConnectionError after `close`. */
  producer<K = Payload, V = Payload>(settings: ProducerSettings<K, V> = {}): Producer<K, V> {
    return new Producer({ ...settings, client: this })
  }

  /** A consumer that shares this client. Throws ConsumerStateError for wrong settings, ConnectionError after `close`. */
  consumer<K = Bytes, V = Bytes>(settings: ConsumerSettings<K, V>): Consumer<K, V> {
    return new Consumer({ ...settings, client: this })
  }

  /** An admin that shares this client; it needs no closing of its own. Throws ConnectionError after `close`. */
  admin(): Admin {
    return new Admin({ client: this })
  }

  /** What was counted since it was made, and those that share it now. */
  metrics(): ClientMetrics {
    return this.connected.metrics()
  }

  /**
   * Closes consumers and producers that share it, each in its own way (they leave their group, send
   * what was given to them), then all connections. Calls under way reject. Idempotent.
   */
  close(): Promise<void> {
    return this.connected.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
