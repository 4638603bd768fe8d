/**
 * Files and folders in memory that know what a power loss takes from them.
 *
 * The content is what a running process sees. A file keeps the old bytes of each sector written
 * since its last sync; a folder keeps the changes made since it was synced. A crash puts back a
 * random part: sectors one by one, the length, and the folder's changes from the newest backwards.
 */

import { DiskError } from '../io/io.ts'
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
export class FileNode {
  readonly kind = 'file'
  readonly inode: number
  readonly #tracked: boolean
  #bytes = new Uint8Array(0)
  #size = 0
  #syncedSize = 0
  #writes = 0
  #unsynced = new Map<number, UnsyncedSector>()
  /** The smallest unsynced truncation, and the number of the last one. */
  #cut: { size: number; since: number } | undefined

  /** `tracked` false: nothing is kept for a crash, which then takes nothing. */
  constructor(inode: number, tracked: boolean) {
    this.inode = inode
    this.#tracked = tracked
  }

  get size(): number {
    return this.#size
  }

  /** Writes `bytes` at `position`; a gap before it reads as zeros. */
  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length
    this.#reserve(end)
    this.#writes++
    this.#touch(Math.min(position, this.#size), end)
    this.#bytes.set(bytes, position)
    this.#size = Math.max(this.#size, end)
  }

  /** Copies from `position`; returns the number of bytes, fewer only at the end of the file. */
  read(into: Uint8Array, position: number): number {
    const count = Math.max(0, Math.min(into.length, this.#size - position))
    into.set(this.#bytes.subarray(position, position + count))
    return count
  }

  truncate(size: number): void {
    this.#writes++
    if (size >= this.#size) {
      this.#reserve(size)
      this.#touch(this.#size, size)
    } else {
      this.#touch(size, this.#size)
      this.#bytes.fill(0, size, this.#size)
      this.#cut = { size: Math.min(size, this.#cut?.size ?? size), since: this.#writes }
    }
    this.#size = size
  }

  /** A sync begins: `end` it when it succeeded. It covers what was written up to now. */
  beginSync(): { end: () => void } {
    const upTo = this.#writes
    const size = this.#size
    return {
      end: () => {
        for (const [sector, { since }] of this.#unsynced) {
          if (since <= upTo) this.#unsynced.delete(sector)
        }
        if (this.#cut !== undefined && this.#cut.since <= upTo) this.#cut = undefined
        // A later sync may have ended before this one.
        this.#syncedSize = Math.min(Math.max(size, this.#syncedSize), this.#size)
      },
    }
  }

  /** A sync failed: the kernel holds the pages for clean, no later sync writes them. */
  syncFailed(): void {
    for (const sector of this.#unsynced.values()) sector.since = Number.POSITIVE_INFINITY
  }

  /** Power loss: unsynced sectors, length and truncation stay or go. */
  crash(random: Prng): void {
    if (!this.#tracked) return
    const cut = this.#cut
    const cutHappened = cut === undefined || random.chance(0.5)
    const size = this.#crashedSize(cutHappened, random)
    const keeps = random.below(3) / 2
    for (const [sector, { before, since }] of this.#unsynced) {
      const start = sector * sectorBytes
      // What came after a truncation is not on disk without it: blocks are given out after it.
      const mayStay = since !== Number.POSITIVE_INFINITY && (cutHappened || start < cut!.size)
      if (mayStay && random.chance(keeps)) continue
      this.#restore(start, before)
      if (cut !== undefined && cutHappened) {
        this.#bytes.fill(0, Math.max(start, cut.size), Math.max(start + sectorBytes, cut.size))
      }
    }
    this.#bytes.fill(0, size)
    this.#size = this.#syncedSize = size
    this.#unsynced.clear()
    this.#cut = undefined
  }

  /** Changes bytes behind everyone's back, on the platter too. */
  corrupt(position: number, change: (byte: number) => number, length = 1): void {
    const end = Math.min(position + length, this.#size)
    for (let at = position; at < end; at++) this.#bytes[at] = change(this.#bytes[at]!)
  }

  #crashedSize(cutHappened: boolean, random: Prng): number {
    if (!cutHappened) return this.#syncedSize
    const low = Math.min(this.#syncedSize, this.#cut?.size ?? this.#syncedSize)
    if (this.#size <= low) return this.#size
    const choice = random.below(3)
    if (choice === 0) return low
    return choice === 1 ? this.#size : low + random.below(this.#size - low)
  }

  #restore(start: number, before: Uint8Array | undefined): void {
    this.#reserve(start + sectorBytes)
    if (before === undefined) this.#bytes.fill(0, start, start + sectorBytes)
    else this.#bytes.set(before, start)
  }

  /** Keeps the durable bytes of the sectors in [from, to) that are about to change. */
  #touch(from: number, to: number): void {
    if (!this.#tracked || from >= to) return
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

  #sector(start: number): Uint8Array {
    const copy = new Uint8Array(sectorBytes)
    copy.set(this.#bytes.subarray(start, start + sectorBytes))
    return copy
  }

  #reserve(size: number): void {
    if (size <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(size, 2 * this.#bytes.length, 1024))
    grown.set(this.#bytes.subarray(0, this.#size))
    this.#bytes = grown
  }
}

/** Names that a change of a folder gives or takes (undefined), together or not at all. */
type FolderChange = readonly (readonly [name: string, node: Node | undefined])[]

/** One folder: its inode. */
export class FolderNode {
  readonly kind = 'folder'
  readonly inode: number
  readonly entries = new Map<string, Node>()
  readonly #durable = new Map<string, Node>()
  #unsynced: FolderChange[] = []

  constructor(inode: number) {
    this.inode = inode
  }

  change(...change: FolderChange): void {
    apply(this.entries, change)
    this.#unsynced.push(change)
  }

  synced(): void {
    for (const change of this.#unsynced) apply(this.#durable, change)
    this.#unsynced = []
  }

  /** Power loss: the newest changes go, here and in everything below. */
  crash(random: Prng): void {
    this.#unsynced.length = random.below(this.#unsynced.length + 1)
    this.synced()
    this.entries.clear()
    for (const [name, node] of this.#durable) this.entries.set(name, node)
    for (const node of this.entries.values()) node.crash(random)
  }
}

export type Node = FileNode | FolderNode

function apply(entries: Map<string, Node>, change: FolderChange): void {
  for (const [name, node] of change) {
    if (node === undefined) entries.delete(name)
    else entries.set(name, node)
  }
}

/** The tree of one machine. Failures are DiskErrors with the codes of a real file system. */
export class FileTree {
  readonly root: FolderNode
  readonly #tracked: boolean
  #nextInode = 2

  constructor(tracked: boolean) {
    this.#tracked = tracked
    this.root = new FolderNode(1)
  }

  find(path: string): Node | undefined {
    let node: Node | undefined = this.root
    for (const name of names(path)) {
      if (node?.kind !== 'folder') return undefined
      node = node.entries.get(name)
    }
    return node
  }

  folder(path: string): FolderNode {
    const node = this.find(path)
    if (node === undefined) throw new DiskError('ENOENT', `${path} does not exist`)
    if (node.kind !== 'folder') throw new DiskError('ENOTDIR', `${path} is not a folder`)
    return node
  }

  /** The file at `path`; made when absent and wanted. */
  file(path: string, create: boolean): FileNode {
    const [folder, name] = this.#place(path)
    const node = folder.entries.get(name)
    if (node?.kind === 'file') return node
    if (node !== undefined) throw new DiskError('EISDIR', `${path} is a folder`)
    if (!create) throw new DiskError('ENOENT', `${path} does not exist`)
    const file = new FileNode(this.#nextInode++, this.#tracked)
    folder.change([name, file])
    return file
  }

  makeFolder(path: string): void {
    let folder = this.root
    for (const name of names(path)) {
      let next = folder.entries.get(name)
      if (next === undefined) {
        next = new FolderNode(this.#nextInode++)
        folder.change([name, next])
      }
      if (next.kind !== 'folder') throw new DiskError('ENOTDIR', `${path}: ${name} is a file`)
      folder = next
    }
  }

  rename(from: string, to: string): void {
    const [source, sourceName] = this.#place(from)
    const [target, targetName] = this.#place(to)
    const node = source.entries.get(sourceName)
    if (node === undefined) throw new DiskError('ENOENT', `${from} does not exist`)
    const replaced = target.entries.get(targetName)
    if (replaced === node) return
    if (replaced !== undefined) refuseReplacement(node, replaced, to)
    if (source === target) {
      source.change([sourceName, undefined], [targetName, node])
    } else {
      target.change([targetName, node])
      source.change([sourceName, undefined])
    }
  }

  /** Children first, as a real removal does: a crash may leave a part. */
  remove(path: string): void {
    if (this.find(path) === undefined) return
    const [folder, name] = this.#place(path)
    removeFrom(folder, name)
  }

  /** All files with their paths. */
  *files(folder = this.root, prefix = ''): Iterable<[path: string, file: FileNode]> {
    for (const [name, node] of folder.entries) {
      if (node.kind === 'file') yield [`${prefix}/${name}`, node]
      else yield* this.files(node, `${prefix}/${name}`)
    }
  }

  #place(path: string): [folder: FolderNode, name: string] {
    const parts = names(path)
    const name = parts.pop()
    if (name === undefined) throw new DiskError('EBUSY', 'the root stays as it is')
    return [this.folder(parts.join('/')), name]
  }
}

function removeFrom(folder: FolderNode, name: string): void {
  const node = folder.entries.get(name)
  if (node?.kind === 'folder') {
    for (const child of [...node.entries.keys()]) removeFrom(node, child)
  }
  folder.change([name, undefined])
}

function refuseReplacement(node: Node, replaced: Node, to: string): void {
  if (replaced.kind === 'file') {
    if (node.kind === 'folder') throw new DiskError('ENOTDIR', `${to} is a file`)
  } else {
    if (node.kind === 'file') throw new DiskError('EISDIR', `${to} is a folder`)
    if (replaced.entries.size > 0) throw new DiskError('ENOTEMPTY', `${to} is not empty`)
  }
}

function names(path: string): string[] {
  return path.split(/[/\\]/).filter(name => name !== '' && name !== '.')
}
