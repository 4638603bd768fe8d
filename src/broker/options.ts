/** What a broker is told at its start, and what becomes of it: properties, and an outside world. */
import { ConfigError } from '../config/key.ts'
import { plaintextListener } from '../config/listeners.ts'
import type { Io, MetadataStore } from '../io/io.ts'
import { memoryDisk } from '../io/memory-disk.ts'

/** How to start a broker. What is said here is stronger than what `properties` say of the same. */
export interface BrokerOptions {
  /**
   * Where records and metadata are kept. `'files'`, the default: below `dataDirectory`. `'memory'`:
   * in this process, until the broker is closed; no file is touched. `'temporary'`: in a new folder
   * below the system's one for temporary files, removed at close.
   */
  readonly storage?: 'files' | 'memory' | 'temporary'
  /** The folder of `storage: 'files'`; by default `log.dirs` of the properties, else `ottla-data`. */
  readonly dataDirectory?: string
  /** The address to listen on, 127.0.0.1 by default; '' is every one. */
  readonly host?: string
  /** The port to listen on; 0 is any free one: `bootstrap` tells it. 9092 with files by default, else 0. */
  readonly port?: number
  /** Topics that are there once the broker is started, by name. Those that exist stay as they are. */
  readonly topics?: Readonly<Record<string, TopicOptions>>
  /** Kafka's server.properties keys; those left out have Ottla's defaults. */
  readonly properties?: ReadonlyMap<string, string> | Readonly<Record<string, string>>
  /**
   * False: the broker does not keep the process running by itself, only while it starts and while it
   * closes. True by default. Of this machine's world: it says nothing about another `io`.
   */
  readonly keepAlive?: boolean
  /**
   * Ends a start that is not over yet: it rejects with the reason of the signal, and what had begun is
   * undone. What is waited for (etcd, another process, a controller) is not waited for any more.
   */
  readonly signal?: AbortSignal
  /**
   * The outside world; by default this machine's.
   * @internal
   */
  readonly io?: Io
  /**
   * Where cluster facts are decided; by default with the records.
   * @internal
   */
  readonly store?: MetadataStore
}

/** How a topic is to be made. */
export interface TopicOptions {
  /** `num.partitions` by default. */
  readonly partitions?: number
  /** Kafka's topic configs, as `retention.ms`; those left out have the broker's defaults. */
  readonly configs?: Readonly<Record<string, string | number | boolean>>
}

/** What `dataDirectories` says of a disk in memory. */
const memoryDirectory = 'memory'

/** Any timer that is later than every start and close. */
const holdMs = 2 ** 40

/** The world that a broker is started in. */
export interface BrokerWorld {
  readonly io: Io
  readonly properties: ReadonlyMap<string, string>
  /** After the broker was closed, or could not start. */
  end(): Promise<void>
  /** Keeps the process running until the function that it answers is called. */
  hold(): () => void
}

/** Throws ConfigError for what contradicts itself, DiskError when there is no temporary folder. */
export async function brokerWorld(options: BrokerOptions): Promise<BrokerWorld> {
  const { storage = 'files', dataDirectory, keepAlive = true } = options
  if (storage !== 'files' && dataDirectory !== undefined) {
    throw new ConfigError(
      `dataDirectory ${dataDirectory} is of no use with storage '${storage}': leave one of them out`,
    )
  }
  const io = options.io ?? (await import('../io/node.ts')).nodeIo({ keepAlive })
  const hold = keepAlive || options.io !== undefined ? () => () => {} : await holder()
  if (storage === 'memory') {
    const properties = propertiesOf(options, memoryDirectory)
    return { io: { ...io, disk: memoryDisk() }, properties, hold, end: async () => {} }
  }
  if (storage === 'temporary') {
    const { makeTemporaryDirectory } = await import('../io/temporary-directory.ts')
    const { path, remove } = await makeTemporaryDirectory()
    return { io, properties: propertiesOf(options, path), hold, end: remove }
  }
  return { io, properties: propertiesOf(options, dataDirectory), hold, end: async () => {} }
}

/** For a world that keeps no process running: one timer of another that does. */
async function holder(): Promise<BrokerWorld['hold']> {
  const { clock } = (await import('../io/node.ts')).nodeIo()
  return () => {
    const timer = clock.timer(holdMs, () => {})
    return () => timer.cancel()
  }
}

function propertiesOf(options: BrokerOptions, directory: string | undefined): Map<string, string> {
  const { storage = 'files', host, port, properties = {} } = options
  const map = new Map(properties instanceof Map ? properties : Object.entries(properties))
  if (directory !== undefined) map.set('log.dirs', directory)
  const isFiles = storage === 'files'
  const isAnyPort = !isFiles && !map.has('listeners')
  if (host !== undefined || port !== undefined || isAnyPort) {
    map.set('listeners', plaintextListener(host, port ?? (isFiles ? 9092 : 0)))
  }
  return map
}
