/**
 * The embedded metadata store: for one node, without etcd (replication.md §11).
 *
 * The model (store-model.ts) decides in memory; what it did is answered, and shown to readers and
 * watches, once it is in the log and synced. Transactions that arrive during a sync share the next
 * one: a flush. After 4 MiB of log the whole content becomes a snapshot and the log starts again.
 *
 * At start the snapshot is read and the log played on top. A flush is written only after the one
 * before it was synced, so a bad one with nothing whole behind it is the torn end of a crash: nobody
 * got an answer from it, and it is cut. A bad one with a whole one behind it is damage: refused.
 * Leases start again at their full TTL; a broker that knows better revokes its own older one.
 *
 * On a full disk changes, and readers behind them, wait until there is room: nobody was told of them,
 * and the same bytes are written to the same place, over what half of them was written before. Any
 * other write that fails, and any sync, ends the store for good (the kernel may have dropped the
 * pages): every call then rejects, and only a new start tells what the disk has.
 */

import { dirname } from 'node:path'
import {
  type Compare,
  DiskError,
  type DiskFile,
  type Io,
  type KeyRange,
  type Lease,
  type MetadataStore,
  type Op,
  StoreUnavailableError,
  type Timer,
  type TxnResult,
  type Watch,
  type WatchSink,
} from './io.ts'
import {
  decodeLogFrame,
  decodeSnapshot,
  encodeLogFrame,
  encodeSnapshot,
  encodeStep,
  nextLogFrame,
} from './local-store-format.ts'
import { leaseId, type Step, StoreModel } from './store-model.ts'
import { StoreWatches } from './store-watches.ts'

/** The file that a directory with a store has. */
export const localStoreName = 'ottla-metadata.log'

/** How long a full disk is left alone before the next try. */
const fullRetryMs = 1000

/** A log longer than this becomes a snapshot. */
const snapshotAfterBytes = 4 * 1024 * 1024

/** Changes kept for those who watch: they are in this process, and right behind. */
const historyChanges = 1000

/** Steps of at most about this many bytes share one flush. */
const maxFlushBytes = 16 * 1024 * 1024

/** A file beyond this is not read at start. */
const maxFileBytes = 1024 * 1024 * 1024

/** The files cannot be what a crash left: something changed them. Nothing was cut. */
export class StoreDamagedError extends Error {
  override readonly name = 'StoreDamagedError'
}

/**
 * Opens or creates the store in `directory`, in the files `ottla-metadata.log` and
 * `ottla-metadata.snapshot`. The caller holds the lock of the directory. `onFailed` is called when a
 * write failed: the store is of no use any more. Throws StoreDamagedError.
 */
export async function openLocalStore(
  io: Io,
  directory: string,
  onFailed: (error: Error) => void = () => {},
): Promise<MetadataStore> {
  await makeDurableDirectory(io, directory)
  const paths: Paths = {
    log: `${directory}/${localStoreName}`,
    snapshot: `${directory}/ottla-metadata.snapshot`,
  }
  const model = new StoreModel({ historyChanges })
  const covered = await readSnapshot(io, paths, model)
  const file = await io.disk.open(paths.log, { create: true })
  await io.disk.syncDirectory(directory)
  const { sequence, end } = await replayLog(io, paths, model, covered, file)
  return new LocalStore(io, paths, model, file, sequence, end, onFailed)
}

async function makeDurableDirectory(io: Io, directory: string): Promise<void> {
  await io.disk.makeDirectory(directory)
  try {
    await io.disk.syncDirectory(dirname(directory))
  } catch (error) {
    // Whoever may not read the parent did not make this folder; its maker had to sync it.
    if (!(error instanceof DiskError && error.code === 'EACCES')) throw error
  }
}

interface Paths {
  readonly log: string
  readonly snapshot: string
}

/** Returns the sequence number of the last flush that the snapshot covers. */
async function readSnapshot(io: Io, paths: Paths, model: StoreModel): Promise<bigint> {
  const bytes = await io.disk.readFile(paths.snapshot, maxFileBytes)
  if (bytes === undefined) return 0n
  const snapshot = decodeSnapshot(bytes)
  if (snapshot === undefined) throw new StoreDamagedError(`${paths.snapshot} is damaged`)
  model.restore(snapshot.content, io.clock.monotonicMs())
  return snapshot.sequence
}

async function replayLog(
  io: Io,
  paths: Paths,
  model: StoreModel,
  covered: bigint,
  file: DiskFile,
): Promise<{ sequence: bigint; end: number }> {
  const bytes = (await io.disk.readFile(paths.log, maxFileBytes)) ?? new Uint8Array(0)
  let sequence = 0n
  let start = 0
  let end = 0
  for (;;) {
    const frame = decodeLogFrame(bytes, end)
    if (frame === undefined) break
    if (frame.sequence > covered) {
      const expected = sequence > covered ? sequence : covered
      refuseGap(paths, expected + 1n, frame.sequence)
      for (const step of frame.steps) model.replay(step, io.clock.monotonicMs())
    }
    sequence = frame.sequence
    start = end
    end = frame.end
  }
  if (end < bytes.length) await cutTornTail(io, paths, bytes, end, file)
  // The last run may have died before this flush was synced, or its sync failed and left the pages
  // marked clean: only written anew it is surely durable, and then it may be shown.
  await file.write([bytes.subarray(start, end)], start)
  await file.sync()
  return { sequence: sequence > covered ? sequence : covered, end }
}

function refuseGap(paths: Paths, expected: bigint, found: bigint): void {
  if (found === expected) return
  throw new StoreDamagedError(
    `${paths.log} continues with flush ${found} where ${expected} is wanted: ` +
      `it does not belong to ${paths.snapshot}, or one of them is an older copy`,
  )
}

async function cutTornTail(
  io: Io,
  paths: Paths,
  bytes: Uint8Array,
  end: number,
  file: DiskFile,
): Promise<void> {
  const behind = nextLogFrame(bytes, end)
  if (behind !== undefined) {
    throw new StoreDamagedError(
      `${paths.log} is damaged at byte ${end}: flush ${behind.sequence} behind it is whole. ` +
        'It holds what the cluster decided, so nothing was cut: restore the file from a copy',
    )
  }
  const cutBytes = bytes.length - end
  io.report.warn({ file: paths.log, cutBytes }, 'cut an unfinished write of the last run')
  await file.truncate(end)
}

/** Steps that are synced together. */
class Flush {
  readonly steps: Uint8Array[] = []
  bytes = 0
  revision = 0n
  readonly durable: Promise<void>
  settle!: (error?: Error) => void

  constructor() {
    this.durable = new Promise((resolve, reject) => {
      this.settle = error => (error === undefined ? resolve() : reject(error))
    })
    // Whoever waits is told; that nobody waits is no mistake.
    this.durable.catch(() => {})
  }
}

class LocalStore implements MetadataStore {
  readonly #io: Io
  readonly #paths: Paths
  readonly #model: StoreModel
  readonly #file: DiskFile
  readonly #watches: StoreWatches
  readonly #waiting: Flush[] = []
  #sequence: bigint
  #end: number
  /** Settles when all that has happened so far is durable. */
  #durable: Promise<void> = Promise.resolve()
  #flushing: Promise<void> | undefined
  #expiry: { readonly timer: Timer; readonly atMs: number } | undefined
  #failure: StoreUnavailableError | undefined
  /** Ends the waiting for room on the disk. */
  #tryAgain: (() => void) | undefined
  readonly #onFailed: (error: Error) => void

  constructor(
    io: Io,
    paths: Paths,
    model: StoreModel,
    file: DiskFile,
    sequence: bigint,
    end: number,
    onFailed: (error: Error) => void,
  ) {
    this.#io = io
    this.#paths = paths
    this.#model = model
    this.#file = file
    this.#sequence = sequence
    this.#end = end
    this.#onFailed = onFailed
    this.#watches = new StoreWatches(model, deliver => queueMicrotask(deliver))
    this.#armExpiry()
  }

  async get(range: KeyRange, atRevision?: bigint) {
    this.#checkOpen()
    const result = this.#model.get(range, atRevision)
    await this.#durable
    return result
  }

  async txn(
    compares: readonly Compare[],
    then: readonly Op[],
    otherwise?: readonly Op[],
  ): Promise<TxnResult> {
    this.#checkOpen()
    const { result, step } = this.#model.txn(compares, then, otherwise)
    await this.#log(step)
    return result
  }

  watch(range: KeyRange, fromRevision: bigint, sink: WatchSink): Watch {
    const watch = this.#watches.open(range, fromRevision, sink)
    if (this.#failure !== undefined) this.#watches.break(this.#failure)
    return watch
  }

  async grantLease(ttlMs: number): Promise<Lease> {
    this.#checkOpen()
    const id = leaseId(this.#io.random)
    const step = this.#model.grant(id, ttlMs, this.#io.clock.monotonicMs())
    this.#armExpiry()
    await this.#log(step)
    return { id, keepAlive: () => this.#keepAlive(id) }
  }

  async revokeLease(id: bigint): Promise<void> {
    this.#checkOpen()
    await this.#log(this.#model.revoke(id))
  }

  async close(): Promise<void> {
    if (this.#failure === undefined) {
      this.#failure = new StoreUnavailableError('the metadata store is closed')
      this.#expiry?.timer.cancel()
      this.#watches.close()
      this.#tryAgain?.()
    }
    await this.#flushing
    await this.#file.close()
  }

  async #keepAlive(id: bigint): Promise<number> {
    this.#checkOpen()
    this.#expire()
    return this.#model.keepAlive(id, this.#io.clock.monotonicMs())
  }

  #checkOpen(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Waits until the step and all before it are durable; also when it changed nothing. */
  #log(step: Step): Promise<void> {
    if (step.changes.length === 0) return this.#durable
    let flush = this.#waiting.at(-1)
    if (flush === undefined || flush.bytes > maxFlushBytes) {
      flush = new Flush()
      this.#waiting.push(flush)
    }
    const bytes = encodeStep(step)
    flush.steps.push(bytes)
    flush.bytes += bytes.length
    flush.revision = step.revision
    this.#durable = flush.durable
    this.#flushing ??= this.#flushAll().finally(() => {
      this.#flushing = undefined
    })
    return flush.durable
  }

  async #flushAll(): Promise<void> {
    // What comes in the same turn of the loop shares the first flush.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const isLong = this.#end > snapshotAfterBytes
      const flushes = this.#waiting.splice(0, isLong ? this.#waiting.length : 1)
      try {
        if (isLong) await this.#snapshot()
        else await this.#write(flushes[0]!)
      } catch (cause) {
        this.#fail(flushes, cause as Error)
        return
      }
      for (const flush of flushes) flush.settle()
      this.#watches.publish(flushes.at(-1)!.revision)
    }
  }

  async #write(flush: Flush): Promise<void> {
    const frame = encodeLogFrame(this.#sequence + 1n, flush.steps)
    await this.#whenRoom(() => this.#file.write(frame, this.#end))
    await this.#file.sync()
    this.#sequence++
    this.#end += frame.reduce((sum, chunk) => sum + chunk.length, 0)
  }

  /** Makes all durable that has happened, logged or not. A crash before the cut leaves a log that is covered. */
  async #snapshot(): Promise<void> {
    const content = encodeSnapshot(this.#sequence, this.#model.content())
    await this.#whenRoom(() => this.#io.disk.replaceFile(this.#paths.snapshot, content))
    await this.#file.truncate(0)
    // Synced before anything new is written: no old flush may turn up behind a new torn one.
    await this.#file.sync()
    this.#end = 0
  }

  /** Runs it until the disk is not full. Once the store is closed it throws. */
  async #whenRoom(write: () => Promise<void>): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        await write()
        if (tries > 0) this.#io.report.info({}, 'the metadata store has room on the disk again')
        return
      } catch (error) {
        if (!isDiskFull(error) || this.#failure !== undefined) throw error
        if (tries === 0) {
          const message = 'no room on the disk for the metadata store: its changes wait, free some'
          this.#io.report.error({ error }, message)
        }
      }
      await this.#untilNextTry()
      if (this.#failure !== undefined) throw this.#failure
    }
  }

  async #untilNextTry(): Promise<void> {
    await new Promise<void>(resolve => {
      const timer = this.#io.clock.timer(fullRetryMs, resolve)
      this.#tryAgain = () => {
        timer.cancel()
        resolve()
      }
    })
    this.#tryAgain = undefined
  }

  #fail(flushes: readonly Flush[], cause: Error): void {
    if (this.#failure !== undefined) {
      for (const flush of [...flushes, ...this.#waiting.splice(0)]) flush.settle(this.#failure)
      return
    }
    const message = `the metadata store cannot write: ${cause.message}`
    const failure = new StoreUnavailableError(message, { cause })
    this.#io.report.error({ error: cause }, 'the metadata store cannot write and stops')
    this.#failure = failure
    this.#expiry?.timer.cancel()
    for (const flush of [...flushes, ...this.#waiting.splice(0)]) flush.settle(failure)
    this.#watches.break(failure)
    this.#onFailed(failure)
  }

  /** One timer, for the lease that ends first; a lease that was kept alive only makes it look again. */
  #armExpiry(): void {
    const atMs = this.#model.nextExpiryMs
    if (atMs === Number.POSITIVE_INFINITY || this.#failure !== undefined) return
    if (this.#expiry !== undefined) {
      if (this.#expiry.atMs <= atMs) return
      this.#expiry.timer.cancel()
    }
    const delayMs = Math.max(0, atMs - this.#io.clock.monotonicMs())
    const timer = this.#io.clock.timer(delayMs, () => {
      this.#expiry = undefined
      if (this.#failure === undefined) this.#expire()
      this.#armExpiry()
    })
    this.#expiry = { timer, atMs }
  }

  #expire(): void {
    const nowMs = this.#io.clock.monotonicMs()
    for (const id of this.#model.expired(nowMs)) void this.#log(this.#model.revoke(id))
  }
}

function isDiskFull(error: unknown): boolean {
  return error instanceof DiskError && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
}
