/**
 * The entry point `ottla/testing`: a broker for one test, in the process of the test, with a real
 * port and the real protocol. See docs/testing.md.
 */
import { Broker, type BrokerOptions } from './broker/broker.ts'

export { Broker, type BrokerOptions, type TopicOptions } from './broker/broker.ts'

/**
 * As `Broker.start`, with what suits a test: in memory unless `dataDirectory` says where, on any free
 * port, and a broker that nobody closes does not keep the process running (`keepAlive`).
 */
export function startBroker(options: BrokerOptions = {}): Promise<Broker> {
  const isInMemory = options.dataDirectory === undefined
  return Broker.start({
    ...options,
    storage: options.storage ?? (isInMemory ? 'memory' : 'files'),
    port: options.port ?? 0,
    keepAlive: options.keepAlive ?? false,
  })
}

/** Runs `work` with a broker of its own, as `startBroker` makes it, and closes that in any case. */
export async function withBroker<Result>(
  options: BrokerOptions,
  work: (broker: Broker) => Promise<Result>,
): Promise<Result> {
  const broker = await startBroker(options)
  try {
    return await work(broker)
  } finally {
    await broker.close()
  }
}
