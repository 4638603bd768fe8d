import type { Io, MetadataStore } from '../io/io.ts'

/** A simulated world: machines, a network between them, one metadata store, virtual time. */
export class World {
  constructor(seed: number | bigint) {
    throw new Error(`not built yet ${seed}`)
  }
  /** Virtual milliseconds since the world began. */
  get nowMs(): number {
    return 0
  }
  /** The running hash of all events: equal for equal seeds. */
  get fingerprint(): string {
    return ''
  }
  /** The io of the process on machine `host`; starts machine and process when there is none. */
  io(_host = 'localhost'): Io {
    throw new Error()
  }
  /** The metadata store of the world, as the process on `host` reaches it. */
  store(_host = 'localhost'): MetadataStore {
    throw new Error()
  }
  /** Drives events until the promise of `scenario` settles; refuses a deadlock. */
  run<T>(_scenario: (world: World) => Promise<T>): Promise<T> {
    throw new Error()
  }
  /** Inside `run`: lets virtual time pass. */
  sleep(_ms: number): Promise<void> {
    throw new Error()
  }
  /** Ends the processes of `host` at once; its disk keeps all that was written. */
  kill(_host = 'localhost'): void {}
  /** As `kill`, and its disk loses what was not synced. */
  powerLoss(_host = 'localhost'): void {}
}

/** A world for unit tests: `await simulated().run(async world => { const io = world.io() … })`. */
export function simulated(seed = 1): World {
  return new World(seed)
}
