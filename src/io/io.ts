/**
 * The outside world as one argument.
 *
 * Every driver takes an `Io` as its first parameter and reaches clock, chance, disk, network and
 * metadata store through it alone. `io/node.ts` is the real world; `sim/world.ts` the simulated one,
 * in which the same code runs deterministically: every macrotask comes from here.
 */

/** Time. Wall time may jump; monotonic time does not. */
export interface Clock {
  /** Milliseconds since the epoch, whole. */
  wallMs(): number
  /** Milliseconds since an arbitrary start, never falling; may have a fraction. */
  monotonicMs(): number
  /** Calls `run` once after `delayMs` (≥ 0, any size), unless cancelled. */
  timer(delayMs: number, run: () => void): Timer
}

export interface Timer {
  /** Idempotent; `run` is not called afterwards. */
  cancel(): void
}

export interface Random {
  /** A uniform whole number in [0, 2³²). */
  u32(): number
  bytes(length: number): Uint8Array
}

/** What the disk could not do. `code` is Node's: ENOSPC, EIO, ENOENT, EACCES … */
export class DiskError extends Error {
  readonly code: string
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'DiskError'
    this.code = code
  }
}

/** Another process (or another user of this one) holds the lock of the directory. */
export class DirectoryLockedError extends Error {
  /** `pid`: the process that holds it, where the system tells. */
  constructor(directory: string, options?: ErrorOptions & { readonly pid?: number | undefined }) {
    const holder = options?.pid === undefined ? '' : ` (process ${options.pid})`
    super(`data directory ${directory} is in use by another broker${holder}`, options)
    this.name = 'DirectoryLockedError'
  }
}

/** File system. Paths are native strings; every failure is a `DiskError`. */
export interface Disk {
  /**
   * Takes the kernel lock `<directory>/.lock` until `release` or the death of the process.
   * Throws DirectoryLockedError. Nothing else may ever open that file (POSIX locks drop).
   */
  lock(directory: string): Promise<DirectoryLock>
  /** Changes when the machine boots; undefined where the platform has none. */
  bootId(): string | undefined
  /**
   * Opens for reading and writing; `create` makes an absent file, else ENOENT. `readOnly`: nothing
   * will be written, so a file or volume that cannot be is no obstacle.
   */
  open(path: string, options?: { create?: boolean; readOnly?: boolean }): Promise<DiskFile>
  /** The whole file; undefined when absent. Throws EFBIG beyond `maxBytes`, before reading. */
  readFile(path: string, maxBytes: number): Promise<Uint8Array | undefined>
  /**
   * Replaces a small file safely: writes `<path>.tmp`, syncs it, renames it, syncs the folder.
   * After a crash the old or the new content is there, never a mixture.
   */
  replaceFile(path: string, content: Uint8Array): Promise<void>
  /** Undefined when absent. */
  stat(path: string): Promise<FileStat | undefined>
  /** Entries of a folder, by name; ENOENT when absent. */
  list(directory: string): Promise<{ name: string; directory: boolean }[]>
  /** With missing parents; no error when it exists. */
  makeDirectory(path: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** A file, or a folder with all in it; no error when absent. */
  remove(path: string): Promise<void>
  /** Makes renames, creations and removals in the folder durable (a no-op on Windows). */
  syncDirectory(path: string): Promise<void>
  /** Bytes total and available on the volume of `path`. */
  space(path: string): Promise<{ totalBytes: number; availableBytes: number }>
}

/** What a disk says of a file or folder. */
export interface FileStat {
  /** 0 of a folder. */
  readonly size: number
  readonly directory: boolean
  readonly inode: number
  /** Wall time of the last write; undefined on a disk that does not outlive the process. */
  readonly modifiedMs: number | undefined
}

export interface DirectoryLock {
  /** Inode of the lock file: a copied directory has another. */
  readonly inode: number
  release(): Promise<void>
}

export interface DiskFile {
  /** Writes all bytes of all chunks in order from `position`; after an error any part may be there. */
  write(chunks: readonly Uint8Array[], position: number): Promise<void>
  /** Fills `into` from `position`; returns bytes read, fewer only at the end of the file. */
  read(into: Uint8Array, position: number): Promise<number>
  /** Data and length reach the disk (fdatasync). */
  sync(): Promise<void>
  truncate(size: number): Promise<void>
  size(): Promise<number>
  close(): Promise<void>
}

/** What the network could not do. `code` is Node's: ECONNREFUSED, ETIMEDOUT, ENOTFOUND, EADDRINUSE … */
export class NetworkError extends Error {
  readonly code: string
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'NetworkError'
    this.code = code
  }
}

/** What goes in and out of a TCP connection. Handlers are called from macrotasks, never inside a call. */
export interface SocketHandlers {
  /** A chunk is valid during the call alone: what is kept of it is copied. */
  data(chunk: Uint8Array): void
  /** Everything given to `write` so far has left the process's buffers. */
  drain(): void
  /** Exactly once, last: both directions are gone. `error` when it was not a clean end. */
  close(error?: Error): void
}

export interface Socket {
  readonly localAddress: string
  readonly localPort: number
  readonly remoteAddress: string
  readonly remotePort: number
  /**
   * Chunks are sent in order and must not be changed before `sent` is called, once: they are sent, or
   * never will be. False: wait for `drain`.
   */
  write(chunks: readonly Uint8Array[], sent?: () => void): boolean
  /** Bytes accepted by `write` and not yet sent. */
  readonly bufferedBytes: number
  pause(): void
  resume(): void
  /** Sends what is buffered, then closes. */
  end(): void
  /** Closes at once. */
  destroy(): void
}

export interface Listener {
  readonly host: string
  /** The bound port, also when 0 was asked for. */
  readonly port: number
  /** No more connections are accepted; those that are open stay. */
  close(): Promise<void>
}

export interface Network {
  /** Throws NetworkError EADDRINUSE, EACCES, EADDRNOTAVAIL. `host` '' or '0.0.0.0' or '::' is every address. */
  listen(
    options: { host: string; port: number; backlog?: number },
    accept: (socket: Socket) => SocketHandlers,
  ): Promise<Listener>
  /**
   * Throws NetworkError ECONNREFUSED, ETIMEDOUT, ENOTFOUND … after at most `timeoutMs`.
   */
  connect(
    options: { host: string; port: number; timeoutMs: number },
    attach: (socket: Socket) => SocketHandlers,
  ): Promise<Socket>
}

/** Structured lines for people: one event a line. */
export interface Report {
  info(fields: ReportFields, message: string): void
  warn(fields: ReportFields, message: string): void
  error(fields: ReportFields, message: string): void
}

export type ReportFields = Readonly<Record<string, unknown>>

// ── Metadata store: replication.md §2 ────────────────────────────────────────

/** One key, or all keys with a prefix. */
export type KeyRange = { readonly key: string } | { readonly prefix: string }

export interface Entry {
  readonly key: string
  readonly value: Uint8Array
  readonly createRevision: bigint
  readonly modRevision: bigint
  /** Number of writes since the key was created, from 1. */
  readonly version: bigint
  /** Id of the lease that the key hangs on; 0n is none. */
  readonly lease: bigint
}

/** A condition of a transaction. Absent keys compare as 0 in each target. */
export interface Compare {
  readonly key: string
  readonly target: 'createRevision' | 'modRevision' | 'version' | 'lease'
  readonly equals: bigint
}

export type Op =
  | { readonly put: string; readonly value: Uint8Array; readonly lease?: Lease }
  | { readonly delete: KeyRange }
  | { readonly get: KeyRange }

export interface TxnResult {
  readonly succeeded: boolean
  readonly revision: bigint
  /** One per operation of the branch taken: what a get found; empty for puts and deletes. */
  readonly responses: readonly (readonly Entry[])[]
}

/** A change of one key. `value` and `lease` are absent in a delete. */
export type StoreEvent =
  | { readonly type: 'put'; readonly entry: Entry }
  | { readonly type: 'delete'; readonly key: string; readonly modRevision: bigint }

export interface WatchSink {
  /** All events of one revision, in order of revisions, none missing. */
  events(batch: readonly StoreEvent[], revision: bigint): void
  /** History from the wanted revision is gone: read all again. The watch is closed. */
  compacted(revision: bigint): void
  /** The watch ended for another reason: open a new one from the last revision + 1. */
  broken(error: Error): void
}

export interface Watch {
  close(): void
}

export interface Lease {
  readonly id: bigint
  /** Starts the TTL again; answers the remaining milliseconds, 0 when the lease is gone. */
  keepAlive(): Promise<number>
}

/** A transaction the store refuses as such (too many operations, unknown lease, the same key put twice). */
export class StoreRequestError extends Error {
  override readonly name = 'StoreRequestError'
}

/** The store did not answer: the transaction may have happened, may happen later, or never (§2). */
export class StoreUnavailableError extends Error {
  override readonly name = 'StoreUnavailableError'
}

/** The store does not let us in: a person has to see to it, and until then nothing works. */
export class StoreAccessError extends StoreUnavailableError {}

/** At most this many compares, and operations a branch, in one transaction. */
export const maxTxnOperations = 128

/** At most this many bytes of keys and values in one transaction. */
export const maxTxnBytes = 1_572_864

/**
 * Where cluster facts are decided: linearizable keys with revisions, transactions, watches and
 * leases. Behaves as etcd 3.4 in all that `io/store-conformance.ts` tests.
 */
export interface MetadataStore {
  get(range: KeyRange, atRevision?: bigint): Promise<{ entries: Entry[]; revision: bigint }>
  txn(
    compares: readonly Compare[],
    then: readonly Op[],
    otherwise?: readonly Op[],
  ): Promise<TxnResult>
  watch(range: KeyRange, fromRevision: bigint, sink: WatchSink): Watch
  grantLease(ttlMs: number): Promise<Lease>
  /** Its keys go at once; also a lease that another process was granted. No error when it is gone. */
  revokeLease(id: bigint): Promise<void>
  close(): Promise<void>
}

/** Everything outside. A metadata store is made from it by `io/local-store.ts` or `io/etcd.ts`. */
export interface Io {
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  readonly network: Network
  readonly report: Report
  /**
   * Compresses beside the thread that serves everything, at the codec's own level. Absent where there
   * is no other thread, as in the simulated world.
   */
  readonly compressApart?: (codec: 'gzip' | 'zstd', bytes: Uint8Array) => Promise<Uint8Array>
  /** Likewise. Rejects when more than `maxBytes` come out, or the bytes are not gzip's. */
  readonly gunzipApart?: (bytes: Uint8Array, maxBytes: number) => Promise<Uint8Array>
}
