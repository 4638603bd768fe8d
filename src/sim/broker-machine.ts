/**
 * One machine of a simulated cluster with the broker on it, and what a supervisor does for it: a
 * broker that ends or cannot start is started again.
 *
 * A start that was killed never settles; so nothing waits for starts, but for `parts` to be there.
 */
import { brokerWorld } from '../broker/options.ts'
import { type Parts, startParts } from '../broker/parts.ts'
import { DirectoryLockedError, DiskError, NetworkError, StoreUnavailableError } from '../io/io.ts'
import { type ErrorName, KafkaError } from '../protocol/errors.ts'
import type { World } from './world.ts'

/** Where its broker listens. */
export const brokerPort = 9092

const restartMs = { min: 200, max: 1_500 }

/** What a broker may be refused with through no fault of its own. */
const passingRefusals = new Set<ErrorName>([
  'DUPLICATE_BROKER_REGISTRATION',
  'KAFKA_STORAGE_ERROR',
  'REQUEST_TIMED_OUT',
])

/** A machine of a cluster. */
export class BrokerMachine {
  readonly brokerId: number
  readonly host: string
  /** Whether the supervisor starts what ends; a fault may keep it down for a while. */
  isKeptUp = true
  /** Revision of the store at which the process now running was started. */
  startedRevision = 0n
  /** Of the process now running: counts up. */
  generation = 0
  readonly #world: World
  readonly #properties: Readonly<Record<string, string>>
  readonly #onFault: (error: unknown) => void
  #parts: Parts | undefined
  #isRunning = false
  #isStopping = false

  /** `onFault` is told of what no broker may end with; `host` is for a second broker of an id. */
  constructor(
    world: World,
    brokerId: number,
    properties: Readonly<Record<string, string>>,
    onFault: (error: unknown) => void,
    host = `broker${brokerId}`,
  ) {
    this.#world = world
    this.brokerId = brokerId
    this.host = host
    this.#properties = properties
    this.#onFault = onFault
  }

  /** A process runs, started or about to be. */
  get isRunning(): boolean {
    return this.#isRunning
  }

  /** What the broker is made of, once it serves. */
  get parts(): Parts | undefined {
    return this.#parts
  }

  /** Starts a process, if none runs. */
  start(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    this.#isStopping = false
    const generation = ++this.generation
    this.startedRevision = this.#world.metadata.model.revision
    const isCurrent = () => generation === this.generation && this.#isRunning
    this.#launch().then(
      parts => {
        if (!isCurrent()) return
        this.#parts = parts
        void parts.ended.promise.then(error => {
          if (error !== undefined && isCurrent()) this.#endedBy(error)
        })
      },
      error => {
        if (isCurrent()) this.#endedBy(error)
      },
    )
  }

  /** A further process on the same data directory, as from a second hand: it has to give up. */
  startBeside(): void {
    const first = this.#parts
    if (first === undefined || this.#isStopping) return
    this.#world.start(this.host)
    const outcome: Promise<unknown> = this.#launch().catch(error => error)
    void outcome.then(cause => {
      const isAlone = this.#parts !== first || this.#isStopping
      if (isAlone || cause instanceof DirectoryLockedError) return
      this.#onFault(new Error(`OneProcess: two of ${this.host} had one directory`, { cause }))
    })
  }

  /** The broker as the newest process of the machine. */
  async #launch(): Promise<Parts> {
    const options = {
      io: this.#world.io(this.host),
      store: this.#world.store(this.host),
      properties: {
        ...this.#properties,
        'broker.id': String(this.brokerId),
        listeners: `PLAINTEXT://${this.host}:${brokerPort}`,
        'log.dirs': '/data',
      },
    }
    return startParts(await brokerWorld(options), options)
  }

  /** At once; its disk keeps all that was written. */
  kill(): void {
    this.#isRunning = false
    this.#parts = undefined
    this.#world.kill(this.host)
  }

  /** At once; what was not synced may go. */
  powerLoss(): void {
    this.#isRunning = false
    this.#parts = undefined
    this.#world.powerLoss(this.host)
  }

  /** A controlled shutdown; resolves when it is over, or was killed in the middle. Kept up, it starts again. */
  async stop(): Promise<void> {
    const { generation } = this
    const parts = this.#parts
    if (parts === undefined) return this.kill()
    this.#isStopping = true
    let isOver = false
    parts.stop().then(
      () => {
        isOver = true
      },
      error => {
        isOver = true
        if (!isOutside(error)) this.#onFault(error)
      },
    )
    const isCurrent = () => generation === this.generation && this.#isRunning
    while (!isOver && isCurrent()) await this.#world.sleep(20)
    if (!isCurrent()) return
    this.kill()
    if (this.isKeptUp) this.start()
  }

  #endedBy(error: unknown): void {
    if (!isOutside(error)) this.#onFault(error)
    this.kill()
    const { min, max } = restartMs
    const delayMs = min + ((max - min) * (this.generation % 4)) / 4
    void this.#world.sleep(delayMs).then(() => {
      if (this.isKeptUp) this.start()
    })
  }
}

/** The outside world, or another process of this id, and not a bug. */
function isOutside(error: unknown): boolean {
  if (error instanceof KafkaError) return passingRefusals.has(error.error)
  const outside = [StoreUnavailableError, DiskError, NetworkError, DirectoryLockedError]
  return outside.some(kind => error instanceof kind)
}
