/**
 * One leadership of one partition of an internal topic: drives the state machine kept in it.
 *
 * Load: what the leader's log held when the leadership began has to be replicated, then it is read
 * piece by piece and applied; between pieces, and within long ones, other work gets its turn. Until
 * then every command is refused with COORDINATOR_LOAD_IN_PROGRESS; with NOT_COORDINATOR, as in Kafka,
 * once that failed: it is tried again from time to time, and other partitions are served meanwhile.
 *
 * A command decides, its records are appended and applied, all without an `await`; its answers, also
 * those that only read, are given when everything appended so far is replicated. So nobody is told
 * what a failure of this broker could take back. What a command does not answer is parked until a
 * later decision answers it, or until its deadline.
 *
 * When an append fails, or its replication does, state and log may differ: all who wait are refused,
 * the state is dropped, and as long as the leadership lasts the log is loaded again, after a pause that
 * keeps a broken disk from making this a full-time occupation.
 *
 * One timer serves the deadlines of the state and of the waiters. It is lazy: a deadline that moves
 * later leaves it where it is, and when it fires it looks again.
 */
import type { Io, Timer } from '../io/io.ts'
import { markerOf } from '../log/transaction-marker.ts'
import { type ErrorName, KafkaError } from '../protocol/errors.ts'
import { type Batch, batches, type Compression } from '../protocol/records/batch.ts'
import { buildBatch } from '../protocol/records/build.ts'
import { recordsOf } from '../protocol/records/records.ts'
import type { Gate } from '../replica/gate.ts'
import type { Partition, PartitionAppend } from '../replica/partition.ts'
import type { Answer, Decision, RecordCodec, ShardState, Times, Waiter } from './shard-state.ts'

/** What is kept in a partition, and how. */
export interface ShardOptions<Record, State extends ShardState<Record>> {
  readonly codec: RecordCodec<Record>
  newState(): State
  /** Pieces of logs that are read and applied at once: all shards share it. */
  readonly loading: Gate
  /** About how large a piece is. */
  readonly loadBytes: number
  /** What a batch may be decompressed to. */
  readonly maxBatchBytes: number
  /** Of the batches written. */
  compression(): Compression
}

/** A command: reads the state and decides. */
export type Decide<Record, State, Response> = (
  state: State,
  times: Times,
  waiter: Waiter<Response>,
) => Decision<Record>

interface Waiting {
  readonly deadlineMs: number
  readonly resolve: (response: unknown) => void
  readonly reject: (error: unknown) => void
}

/** A state while the log is applied to it. */
interface Replay<Record, State> {
  readonly state: State
  /** Of transactions that have not ended, by producer id: they count when they are committed (KIP-98). */
  readonly open: Map<number, Record[]>
}

interface Unreplicated {
  readonly endOffset: number
  readonly answers: readonly Answer[]
}

/** How long applying records may keep everything else waiting. */
const sliceMs = 5
const [firstPauseMs, longestPauseMs] = [1000, 60_000]

/** See above. Made when the leadership begins, closed when it ends. */
export class Shard<Record, State extends ShardState<Record>> {
  readonly partition: Partition
  readonly leaderEpoch: number
  readonly #io: Io
  readonly #options: ShardOptions<Record, State>
  /** Undefined while it is loaded. */
  #state: State | undefined
  /** Counts the states: what belongs to an earlier one is of no interest any more. */
  #life = 0
  #isClosed = false
  /** Why the last load failed. */
  #damage: Error | undefined
  readonly #waiting = new Map<number, Waiting>()
  #lastWaiter = 0
  /** In order of offsets. */
  #unreplicated: Unreplicated[] = []
  #replicatedEnd = 0
  #endOffset = 0
  #timer: Timer | undefined
  #timerMs = Number.POSITIVE_INFINITY
  /** No waiter's deadline is earlier. */
  #waitersMs = Number.POSITIVE_INFINITY
  #pauseMs = firstPauseMs
  /** While it is loaded: when others are to have their turn. */
  #sliceEndMs = 0
  #loaded = Promise.withResolvers<void>()

  /** Of a partition that this broker leads; begins to load. */
  constructor(io: Io, partition: Partition, options: ShardOptions<Record, State>) {
    this.#io = io
    this.partition = partition
    this.leaderEpoch = partition.leaderEpoch
    this.#options = options
    void this.#load(this.#life)
  }

  get isLoaded(): boolean {
    return this.#state !== undefined
  }

  /** Resolves when it is loaded, or closed. */
  get loaded(): Promise<void> {
    return this.#loaded.promise
  }

  /**
   * Decides, applies and appends at once; resolves with the waiter's answer when the records, and
   * all before them, are replicated. Throws what the command throws, COORDINATOR_LOAD_IN_PROGRESS,
   * and, without a word about whether it took effect, NOT_COORDINATOR and COORDINATOR_NOT_AVAILABLE
   * (at the monotonic deadline, too).
   */
  async run<Response>(
    decide: Decide<Record, State, Response>,
    deadlineMs: number,
  ): Promise<Response> {
    const state = this.#serving()
    return new Promise<Response>((resolve, reject) => {
      const waiter = ++this.#lastWaiter
      this.#waiting.set(waiter, {
        deadlineMs,
        resolve: resolve as (response: unknown) => void,
        reject,
      })
      this.#waitersMs = Math.min(this.#waitersMs, deadlineMs)
      try {
        this.#carryOut(state, this.#decided(state, decide, waiter))
      } catch (error) {
        this.#waiting.delete(waiter)
        reject(error)
      }
      this.#arm()
    })
  }

  /** Decides something that nobody waits for: now, or when it is loaded, or never when it is closed. */
  tell(decide: (state: State, times: Times) => Decision<Record>): void {
    const state = this.#state
    if (this.#isClosed) return
    if (state === undefined) {
      void this.#loaded.promise.then(() => this.tell(decide))
      return
    }
    this.#carryOut(state, decide(state, this.#times()))
    this.#arm()
  }

  /**
   * Refuses everything from now on, and at once all who are parked; what has been decided is still
   * answered when it is replicated.
   */
  stop(): void {
    this.#isClosed = true
    this.#loaded.resolve()
    const decided = new Set(this.#unreplicated.flatMap(({ answers }) => answers.map(waiterOf)))
    for (const [waiter, { reject }] of this.#waiting) {
      if (decided.has(waiter)) continue
      this.#waiting.delete(waiter)
      reject(new KafkaError('NOT_COORDINATOR'))
    }
  }

  /** The leadership ended: all who wait are told NOT_COORDINATOR. */
  close(): void {
    this.stop()
    this.#drop(new KafkaError('NOT_COORDINATOR'))
  }

  #times(): Times {
    const { clock } = this.#io
    return { nowMs: clock.monotonicMs(), wallMs: clock.wallMs() }
  }

  // ── Load ───────────────────────────────────────────────────────────────────

  async #load(life: number): Promise<void> {
    const { partition } = this
    const end = partition.logEndOffset
    const isOver = () => life !== this.#life || this.#isClosed
    try {
      await this.#replicatedHere(end)
      const replay = { state: this.#options.newState(), open: new Map() }
      let offset = partition.logStartOffset
      while (offset < end && !isOver()) {
        offset = await this.#options.loading.run(() => this.#loadPiece(replay, offset, end))
      }
      if (!isOver()) this.#begin(replay.state, end)
    } catch (error) {
      if (isOver()) return
      const { topic, index } = partition
      const message = 'a partition of a coordinator cannot be loaded: nobody is served from it'
      this.#damage = error as Error
      this.#io.report.error({ topic, partition: index, error }, message)
      this.#loadLater()
    }
  }

  /** Waits as long as the leadership lasts, or until the write behind it fails. */
  async #replicatedHere(endOffset: number): Promise<void> {
    const { partition, leaderEpoch } = this
    for (;;) {
      try {
        await partition.acknowledged({ endOffset, leaderEpoch }, -1, Number.POSITIVE_INFINITY)
        return
      } catch (error) {
        // Told whenever the ISR changes and is still too small; it will grow again.
        if (!isTooFewReplicas(error)) throw error
      }
    }
  }

  #begin(state: State, end: number): void {
    this.#state = state
    this.#damage = undefined
    this.#endOffset = end
    this.#replicatedEnd = end
    state.loaded(this.#times())
    this.#loaded.resolve()
    this.#arm()
  }

  /** Answers the offset to go on from. Throws when there is nothing to read, or it cannot be read. */
  async #loadPiece(replay: Replay<Record, State>, start: number, end: number): Promise<number> {
    const { chunks } = await this.partition.read({
      offset: start,
      maxBytes: this.#options.loadBytes,
      atLeastOneBatch: true,
      currentLeaderEpoch: this.leaderEpoch,
      isolation: 'read_uncommitted',
    })
    if (chunks.length === 0) {
      throw new KafkaError('CORRUPT_MESSAGE', `there is nothing at offset ${start}`)
    }
    this.#sliceEndMs = this.#io.clock.monotonicMs() + sliceMs
    let offset = start
    for (const chunk of chunks) {
      for (const batch of batches(chunk)) {
        if (batch.baseOffset >= end) return end
        await this.#replay(replay, batch)
        offset = batch.lastOffset + 1
      }
    }
    return offset
  }

  async #replay({ state, open }: Replay<Record, State>, batch: Batch): Promise<void> {
    const { clock } = this.#io
    const { codec, maxBatchBytes } = this.#options
    const { producerId } = batch
    if (batch.isControl) {
      if (markerOf(batch) === 'commit') {
        for (const record of open.get(producerId) ?? []) state.apply(record)
      }
      open.delete(producerId)
      return
    }
    const held = batch.isTransactional ? (open.get(producerId) ?? []) : undefined
    if (held !== undefined) open.set(producerId, held)
    for (const { key, value, offset } of recordsOf(batch, maxBatchBytes)) {
      try {
        const record = key === null ? undefined : codec.decode(key, value)
        if (record !== undefined && held !== undefined) held.push(record)
        else if (record !== undefined) state.apply(record)
      } catch (error) {
        throw new Error(`the record at offset ${offset} cannot be applied`, { cause: error })
      }
      if (clock.monotonicMs() < this.#sliceEndMs) continue
      await new Promise<void>(resolve => void clock.timer(0, resolve))
      this.#sliceEndMs = clock.monotonicMs() + sliceMs
    }
  }

  /** Drops the state and all who wait for it. */
  #drop(error: KafkaError): void {
    this.#life++
    this.#state = undefined
    this.#unreplicated = []
    this.#timer?.cancel()
    this.#timer = undefined
    this.#timerMs = Number.POSITIVE_INFINITY
    this.#waitersMs = Number.POSITIVE_INFINITY
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }

  /** State and log may differ. */
  #fail(error: unknown): void {
    const { topic, index, isLeader } = this.partition
    const refusal = asCoordinatorError(error)
    this.#drop(refusal)
    if (this.#isClosed || !isLeader) return
    const message = 'a coordinator could not append: it loads its partition again'
    this.#io.report.warn({ topic, partition: index, error }, message)
    this.#loaded = Promise.withResolvers()
    // That is nothing which gets worse: it is over when the replicas are back.
    if (isTooFewReplicas(error)) this.#pauseMs = firstPauseMs
    this.#loadLater()
  }

  #loadLater(): void {
    const life = ++this.#life
    this.#timer?.cancel()
    this.#timer = this.#io.clock.timer(this.#pauseMs, () => {
      this.#timer = undefined
      if (life === this.#life && !this.#isClosed) void this.#load(life)
    })
    this.#pauseMs = Math.min(2 * this.#pauseMs, longestPauseMs)
  }

  // ── Commands ───────────────────────────────────────────────────────────────

  /** Throws when no command is taken. */
  #serving(): State {
    if (this.#isClosed) throw new KafkaError('NOT_COORDINATOR')
    if (this.#state === undefined) {
      const damage = this.#damage
      if (damage === undefined) throw new KafkaError('COORDINATOR_LOAD_IN_PROGRESS')
      throw new KafkaError('NOT_COORDINATOR', `it cannot be loaded: ${damage.message}`)
    }
    try {
      if (this.partition.servingEpoch() === this.leaderEpoch) return this.#state
    } catch (error) {
      throw asCoordinatorError(error)
    }
    throw new KafkaError('NOT_COORDINATOR')
  }

  /** A refusal is an answer: it, too, waits for the writes that it saw. */
  #decided<Response>(
    state: State,
    decide: Decide<Record, State, Response>,
    waiter: number,
  ): Decision<Record> {
    try {
      return decide(state, this.#times(), waiter)
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      return { records: [], answers: [{ waiter, error }] }
    }
  }

  #carryOut(state: State, { records, answers }: Decision<Record>): void {
    try {
      if (records.length > 0) this.#append(state, records)
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      this.#fail(error)
      return
    }
    this.#answer(answers)
  }

  /** Appends and applies. Throws what the partition does. */
  #append(state: State, records: readonly Record[]): void {
    let appended: PartitionAppend
    try {
      appended = this.partition.append(this.#batch(records), -1)
    } catch (error) {
      const isTooLarge = error instanceof KafkaError && tooLarge.has(error.error)
      if (!isTooLarge || records.length === 1) throw error
      const half = records.length >>> 1
      this.#append(state, records.slice(0, half))
      this.#append(state, records.slice(half))
      return
    }
    this.#endOffset = appended.endOffset
    this.#watch(appended.endOffset)
    for (const record of records) state.apply(record)
  }

  #batch(records: readonly Record[]): Uint8Array {
    const { codec, compression } = this.#options
    const timestamp = this.#io.clock.wallMs()
    return buildBatch(
      { compression: compression() },
      records.map(record => ({ ...codec.encode(record), timestamp })),
    )
  }

  #watch(endOffset: number): void {
    const life = this.#life
    const { partition, leaderEpoch } = this
    partition.acknowledged({ endOffset, leaderEpoch }, -1, Number.POSITIVE_INFINITY).then(
      () => life === this.#life && this.#replicated(endOffset),
      error => life === this.#life && this.#fail(error),
    )
  }

  #replicated(endOffset: number): void {
    this.#replicatedEnd = endOffset
    this.#pauseMs = firstPauseMs
    let count = 0
    for (const decided of this.#unreplicated) {
      if (decided.endOffset > endOffset) break
      for (const answer of decided.answers) this.#give(answer)
      count++
    }
    this.#unreplicated.splice(0, count)
  }

  #answer(answers: readonly Answer[]): void {
    if (answers.length === 0) return
    if (this.#endOffset > this.#replicatedEnd) {
      this.#unreplicated.push({ endOffset: this.#endOffset, answers })
    } else {
      for (const answer of answers) this.#give(answer)
    }
  }

  /** One that is gone, or was answered before, is not there any more. */
  #give({ waiter, response, error }: Answer): void {
    const waiting = this.#waiting.get(waiter)
    if (waiting === undefined) return
    this.#waiting.delete(waiter)
    if (error === undefined) waiting.resolve(response)
    else waiting.reject(error)
  }

  // ── Time ───────────────────────────────────────────────────────────────────

  #arm(): void {
    if (this.#state === undefined) return
    const deadlineMs = Math.min(this.#state.nextDeadlineMs(), this.#waitersMs)
    if (deadlineMs >= this.#timerMs) return
    this.#timer?.cancel()
    this.#timerMs = deadlineMs
    // At least a millisecond: a deadline that stays in the past must not stop everything else.
    const delayMs = Math.max(1, deadlineMs - this.#io.clock.monotonicMs())
    this.#timer = this.#io.clock.timer(delayMs, () => this.#onTimer())
  }

  #onTimer(): void {
    this.#timer = undefined
    this.#timerMs = Number.POSITIVE_INFINITY
    const { nowMs } = this.#times()
    this.#expireWaiters(nowMs)
    const state = this.#state
    if (state !== undefined && !this.#isClosed && state.nextDeadlineMs() <= nowMs) {
      this.#carryOut(state, state.expire(this.#times()))
    }
    this.#arm()
  }

  #expireWaiters(nowMs: number): void {
    if (this.#waitersMs > nowMs) return
    this.#waitersMs = Number.POSITIVE_INFINITY
    for (const [waiter, { deadlineMs, reject }] of this.#waiting) {
      if (deadlineMs <= nowMs) {
        this.#waiting.delete(waiter)
        reject(new KafkaError('COORDINATOR_NOT_AVAILABLE', 'it took too long'))
      } else this.#waitersMs = Math.min(this.#waitersMs, deadlineMs)
    }
  }
}

const waiterOf = ({ waiter }: Answer) => waiter

function isTooFewReplicas(error: unknown): boolean {
  return error instanceof KafkaError && error.error.startsWith('NOT_ENOUGH_REPLICAS')
}

const tooLarge: ReadonlySet<ErrorName> = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_FETCH_SIZE',
])

/** What a client is told of a failure of the partition, as in Kafka. */
function asCoordinatorError(error: unknown): KafkaError {
  if (!(error instanceof KafkaError)) throw error
  if (tooLarge.has(error.error)) return new KafkaError('UNKNOWN_SERVER_ERROR', error.message)
  switch (error.error) {
    case 'NOT_LEADER_OR_FOLLOWER':
    case 'KAFKA_STORAGE_ERROR':
      return new KafkaError('NOT_COORDINATOR')
    default:
      return new KafkaError('COORDINATOR_NOT_AVAILABLE', error.message)
  }
}
