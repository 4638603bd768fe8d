/**
 * The logs of a simulated machine as they lie on its disk, followed change by change.
 *
 * This is what the invariants hold brokers against: not what a broker believes to have, but the whole
 * batches that its files hold at this moment, written though perhaps not synced. It knows the format of
 * files and nothing of the code that writes them.
 */
import { type Batch, batchSizeAt, isCrcValid, readBatch } from '../protocol/records/batch.ts'
import type { SimulatedDisk } from './disk.ts'

/** A whole batch in a file. Two with equal offset, epoch and CRC are the same bytes. */
export interface StoredBatch {
  readonly baseOffset: number
  /** Exclusive. */
  readonly endOffset: number
  readonly leaderEpoch: number
  readonly crc: number
}

/** Whether two batches are the same, byte for byte. */
export function sameBatch(a: StoredBatch, b: StoredBatch): boolean {
  return (
    a.baseOffset === b.baseOffset &&
    a.endOffset === b.endOffset &&
    a.leaderEpoch === b.leaderEpoch &&
    a.crc === b.crc
  )
}

/** Whom a log on disk tells what becomes of it. */
export interface DiskLogListener {
  onBatch(log: DiskLog, batch: StoredBatch): void
  /** Everything from `offset` on is gone, or another. */
  onCut(log: DiskLog, offset: number): void
}

interface Segment {
  readonly path: string
  /** Where the whole batches of it end, and the batches. */
  positions: number[]
  batches: StoredBatch[]
}

/** One partition folder. */
export class DiskLog {
  readonly host: string
  /** As its folder is called: `<topic>-<n>`. */
  readonly name: string
  /** In order of offset, up to the first that is not whole or leaves a gap. */
  batches: StoredBatch[] = []
  readonly segments = new Map<string, Segment>()

  constructor(host: string, name: string) {
    this.host = host
    this.name = name
  }

  /** Exclusive; 0 without a batch. */
  get endOffset(): number {
    return this.batches.at(-1)?.endOffset ?? 0
  }

  get startOffset(): number {
    return this.batches[0]?.baseOffset ?? 0
  }
}

const segmentPath = /^\/[^/]+\/([^/]+-\d+)\/\d{20}\.log$/
const folderPath = /^\/[^/]+\/([^/]+-\d+)$/

/** All partition folders of one machine. */
export class DiskLogs {
  readonly #host: string
  readonly #disk: SimulatedDisk
  readonly #listener: DiskLogListener
  readonly #logs = new Map<string, DiskLog>()
  /** Segments that changed, and the first byte that is another. */
  readonly #changed = new Map<string, number>()
  #isAllChanged = true

  constructor(host: string, disk: SimulatedDisk, listener: DiskLogListener) {
    this.#host = host
    this.#disk = disk
    this.#listener = listener
    disk.onChange = (path, position) => this.#onChange(path, position)
  }

  get(name: string): DiskLog | undefined {
    return this.#logs.get(name)
  }

  all(): Iterable<DiskLog> {
    return this.#logs.values()
  }

  /** Takes over what changed since the last time; cheap when nothing did. */
  refresh(): void {
    if (this.#isAllChanged) this.#rescan()
    for (const [path, position] of this.#changed) this.#reread(path, position)
    this.#changed.clear()
  }

  #onChange(path: string, position: number): void {
    if (position >= 0) {
      const name = segmentPath.exec(path)?.[1]
      if (name === undefined) return
      if (!this.#logs.has(name)) this.#isAllChanged = true
      this.#changed.set(path, Math.min(position, this.#changed.get(path) ?? position))
    } else if (path === '' || segmentPath.test(path) || folderPath.test(path)) {
      this.#isAllChanged = true
    }
  }

  /** Files came or went, or all of them may be others. */
  #rescan(): void {
    this.#isAllChanged = false
    this.#changed.clear()
    const paths = new Map<string, string[]>()
    for (const path of this.#disk.paths()) {
      const name = segmentPath.exec(path)?.[1]
      if (name === undefined) continue
      paths.set(name, [...(paths.get(name) ?? []), path])
    }
    for (const name of paths.keys()) {
      if (!this.#logs.has(name)) this.#logs.set(name, new DiskLog(this.#host, name))
    }
    for (const [name, log] of this.#logs) {
      log.segments.clear()
      for (const path of paths.get(name) ?? []) this.#parse(log, path, 0)
      this.#settle(log)
    }
  }

  #reread(path: string, position: number): void {
    const log = this.#logs.get(segmentPath.exec(path)![1]!)
    // Of a folder that was renamed away meanwhile.
    if (log === undefined || !this.#disk.has(path)) return
    const isLast = [...log.segments.keys()].at(-1) === path
    const known = log.segments.get(path)
    const parsedTo = known?.positions.at(-1) ?? 0
    const before = known?.batches.length ?? 0
    this.#parse(log, path, position)
    const now = log.segments.get(path)!
    if (!isLast || position < parsedTo) {
      this.#settle(log)
      return
    }
    for (const batch of now.batches.slice(before)) {
      if (log.batches.length > 0 && batch.baseOffset !== log.endOffset) return
      log.batches.push(batch)
      this.#listener.onBatch(log, batch)
    }
  }

  /** Reads the batches of a segment from the one on that holds `position`. */
  #parse(log: DiskLog, path: string, position: number): void {
    let segment = log.segments.get(path)
    if (segment === undefined) {
      segment = { path, positions: [], batches: [] }
      log.segments.set(path, segment)
    }
    while ((segment.positions.at(-1) ?? 0) > position) {
      segment.positions.pop()
      segment.batches.pop()
    }
    const from = segment.positions.at(-1) ?? 0
    const bytes = this.#disk.contentFrom(path, from)
    for (let at = 0; ; ) {
      const batch = wholeBatch(bytes, at)
      if (batch === undefined) return
      at += batch.sizeInBytes
      segment.positions.push(from + at)
      segment.batches.push(storedBatch(batch))
    }
  }

  /** Puts the segments of a log together anew and tells what is different. */
  #settle(log: DiskLog): void {
    const batches: StoredBatch[] = []
    const inOrder = [...log.segments.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
    for (const segment of inOrder) {
      for (const batch of segment.batches) {
        if (batches.length > 0 && batch.baseOffset !== batches.at(-1)!.endOffset) break
        batches.push(batch)
      }
    }
    const old = log.batches
    log.batches = batches
    const from = old.findIndex((batch, index) => {
      const now = batches[index]
      return now === undefined || !sameBatch(batch, now)
    })
    const same = from === -1 ? old.length : from
    if (same < old.length) this.#listener.onCut(log, old[same]!.baseOffset)
    for (const batch of batches.slice(same)) this.#listener.onBatch(log, batch)
  }
}

function wholeBatch(bytes: Uint8Array, at: number): Batch | undefined {
  try {
    const size = batchSizeAt(bytes, at)
    if (size === undefined || at + size > bytes.length) return undefined
    const batch = readBatch(bytes, at)
    return isCrcValid(batch) ? batch : undefined
  } catch {
    return undefined
  }
}

function storedBatch(batch: Batch): StoredBatch {
  return {
    baseOffset: batch.baseOffset,
    endOffset: batch.lastOffset + 1,
    leaderEpoch: batch.partitionLeaderEpoch,
    crc: batch.crc,
  }
}
