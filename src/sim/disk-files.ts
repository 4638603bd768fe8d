/**
 * Files and folders that know what a power loss takes from them.
 *
 * The content is what a running process sees. A file keeps the old bytes of each sector written
 * since its last sync; a folder keeps the changes made since it was synced. A crash puts back a
 * random part: sectors one by one, the length, and the folder's changes from the newest backwards.
 */

import {
  applyChange,
  FileTree,
  type FolderChange,
  MemoryFile,
  MemoryFolder,
  type MemoryNode,
} from '../io/memory-files.ts'
import type { Prng } from './random.ts'

/** What a disk writes at once. */
export const sectorBytes = 512

/** A sector that the platter has in an older form. */
interface UnsyncedSector {
  /** Its durable bytes; undefined are zeros. */
  readonly before: Uint8Array | undefined
  /** Number of the first write it holds; infinite when a failed sync dropped it for good. */
  since: number
}

/** One file: its inode. */
export class CrashingFile extends MemoryFile {
  /** By position: bits that read as the opposite of what was written there; see `readFlipped`. */
  readonly flips = new Map<number, number>()
  #syncedSize = 0
  #writes = 0
  #unsynced = new Map<number, UnsyncedSector>()
  /** The smallest unsynced truncation, and the number of the last one. */
  #cut: { size: number; since: number } | undefined

  override write(bytes: Uint8Array, position: number): void {
    this.#writes++
    this.#touch(Math.min(position, this.size), position + bytes.length)
    super.write(bytes, position)
    this.#unflip(position, position + bytes.length)
  }

  /** As a process reads it, while `read` is what the platter should have. */
  readFlipped(into: Uint8Array, position: number): number {
    const count = this.read(into, position)
    for (const [at, mask] of this.flips) {
      if (at >= position && at < position + count) into[at - position]! ^= mask
    }
    return count
  }

  override truncate(size: number): void {
    this.#writes++
    if (size >= this.size) {
      this.#touch(this.size, size)
    } else {
      this.#touch(size, this.size)
      this.#cut = { size: Math.min(size, this.#cut?.size ?? size), since: this.#writes }
    }
    super.truncate(size)
    this.#unflip(size, Number.POSITIVE_INFINITY)
  }

  /** The first byte of the first sector that a power loss may take back; infinite when none. */
  get unsyncedFrom(): number {
    return Math.min(...this.#unsynced.keys()) * sectorBytes
  }

  /** A sync begins: `end` it when it succeeded. It covers what was written up to now. */
  beginSync(): { end: () => void } {
    const upTo = this.#writes
    const { size } = this
    return {
      end: () => {
        for (const [sector, { since }] of this.#unsynced) {
          if (since <= upTo) this.#unsynced.delete(sector)
        }
        if (this.#cut !== undefined && this.#cut.since <= upTo) this.#cut = undefined
        // A later sync may have ended before this one.
        this.#syncedSize = Math.min(Math.max(size, this.#syncedSize), this.size)
      },
    }
  }

  /** A sync failed: the kernel holds the pages for clean, no later sync writes them. */
  syncFailed(): void {
    for (const sector of this.#unsynced.values()) sector.since = Number.POSITIVE_INFINITY
  }

  /** Power loss: unsynced sectors, length and truncation stay or go. */
  crash(random: Prng): void {
    const cut = this.#cut
    const cutHappened = cut === undefined || random.chance(0.5)
    const size = this.#crashedSize(cutHappened, random)
    const keeps = random.below(3) / 2
    for (const [sector, { before, since }] of this.#unsynced) {
      const start = sector * sectorBytes
      // What came after a truncation is not on disk without it: blocks are given out after it.
      const mayStay = since !== Number.POSITIVE_INFINITY && (cutHappened || start < cut!.size)
      if (mayStay && random.chance(keeps)) continue
      const old = before ?? new Uint8Array(sectorBytes)
      if (cut !== undefined && cutHappened) old.fill(0, Math.max(0, cut.size - start))
      super.write(old, start)
    }
    super.truncate(size)
    this.#syncedSize = size
    this.#unsynced.clear()
    this.#cut = undefined
  }

  /** Changes bytes behind everyone's back, on the platter too. */
  corrupt(position: number, change: (byte: number) => number, length = 1): void {
    const bytes = new Uint8Array(length)
    const count = this.read(bytes, position)
    super.write(bytes.subarray(0, count).map(change), position)
  }

  #crashedSize(cutHappened: boolean, random: Prng): number {
    if (!cutHappened) return this.#syncedSize
    const low = Math.min(this.#syncedSize, this.#cut?.size ?? this.#syncedSize)
    if (this.size <= low) return this.size
    const choice = random.below(3)
    if (choice === 0) return low
    return choice === 1 ? this.size : low + random.below(this.size - low)
  }

  /** Keeps the durable bytes of the sectors in [from, to) that are about to change. */
  #touch(from: number, to: number): void {
    if (from >= to) return
    const last = Math.floor((to - 1) / sectorBytes)
    for (let sector = Math.floor(from / sectorBytes); sector <= last; sector++) {
      const known = this.#unsynced.get(sector)
      if (known !== undefined) {
        if (known.since === Number.POSITIVE_INFINITY) known.since = this.#writes
        continue
      }
      const start = sector * sectorBytes
      const before = start < this.#syncedSize ? this.#sector(start) : undefined
      this.#unsynced.set(sector, { before, since: this.#writes })
    }
  }

  #unflip(from: number, to: number): void {
    for (const at of this.flips.keys()) if (at >= from && at < to) this.flips.delete(at)
  }

  #sector(start: number): Uint8Array {
    const copy = new Uint8Array(sectorBytes)
    this.read(copy, start)
    return copy
  }
}

/** One folder: its inode. */
export class CrashingFolder extends MemoryFolder {
  readonly #durable = new Map<string, MemoryNode>()
  #unsynced: FolderChange[] = []

  override change(...change: FolderChange): void {
    super.change(...change)
    this.#unsynced.push(change)
  }

  synced(): void {
    for (const change of this.#unsynced) applyChange(this.#durable, change)
    this.#unsynced = []
  }

  /** Power loss: the newest changes go, here and in everything below. */
  crash(random: Prng): void {
    this.#unsynced.length = random.below(this.#unsynced.length + 1)
    this.synced()
    this.entries.clear()
    for (const [name, node] of this.#durable) {
      this.entries.set(name, node)
      ;(node as CrashingFile | CrashingFolder).crash(random)
    }
  }
}

/** The tree of a machine that may lose its power. */
export function crashingTree(): FileTree<CrashingFile, CrashingFolder> {
  return new FileTree({
    file: inode => new CrashingFile(inode),
    folder: inode => new CrashingFolder(inode),
  })
}
