/**
 * Files and folders in memory, as a running process sees them: what a disk in memory and the
 * simulated one have in common. Calls are whole when they return; failures are DiskErrors with the
 * codes of a real file system.
 */
import { DiskError, type FileStat } from './io.ts'

/** The first block of a file grows up to this; every later one has it. */
const blockBytes = 64 * 1024

const smallestBlockBytes = 512

/** One file: its inode. It takes about the memory of its bytes, in blocks that are never moved. */
export class MemoryFile {
  readonly kind = 'file'
  readonly inode: number
  /** Wall time of the last write, where somebody notes it. */
  modifiedMs: number | undefined
  readonly #blocks: Uint8Array[] = []
  #size = 0

  constructor(inode: number) {
    this.inode = inode
  }

  get size(): number {
    return this.#size
  }

  /** Copies `bytes` to `position`; a gap before it reads as zeros. */
  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length
    this.#reserve(end)
    let from = 0
    for (let at = position; at < end; ) {
      const start = at % blockBytes
      const part = bytes.subarray(from, from + blockBytes - start)
      this.#blocks[(at - start) / blockBytes]!.set(part, start)
      from += part.length
      at += part.length
    }
    this.#size = Math.max(this.#size, end)
  }

  /** Copies from `position`; returns the number of bytes, fewer only at the end of the file. */
  read(into: Uint8Array, position: number): number {
    const end = Math.max(position, Math.min(position + into.length, this.#size))
    for (let at = position; at < end; ) {
      const start = at % blockBytes
      const part = this.#blocks[(at - start) / blockBytes]!.subarray(start, start + end - at)
      into.set(part, at - position)
      at += part.length
    }
    return end - position
  }

  /** Cuts, or lengthens with zeros. */
  truncate(size: number): void {
    if (size < this.#size) {
      const kept = Math.ceil(size / blockBytes)
      this.#blocks.length = kept
      if (kept > 0) this.#blocks[kept - 1]!.fill(0, size - (kept - 1) * blockBytes)
    } else {
      this.#reserve(size)
    }
    this.#size = size
  }

  #reserve(size: number): void {
    const first = this.#blocks[0]
    const firstBytes = Math.min(size, blockBytes)
    if (firstBytes > (first?.length ?? 0)) {
      const doubled = Math.max(firstBytes, 2 * (first?.length ?? 0), smallestBlockBytes)
      const grown = new Uint8Array(Math.min(doubled, blockBytes))
      if (first !== undefined) grown.set(first)
      this.#blocks[0] = grown
    }
    while (this.#blocks.length * blockBytes < size) this.#blocks.push(new Uint8Array(blockBytes))
  }
}

/** Names that a change of a folder gives or takes (undefined), together or not at all. */
export type FolderChange = readonly (readonly [name: string, node: MemoryNode | undefined])[]

/** One folder: its inode. */
export class MemoryFolder {
  readonly kind = 'folder'
  readonly inode: number
  readonly entries = new Map<string, MemoryNode>()

  constructor(inode: number) {
    this.inode = inode
  }

  change(...change: FolderChange): void {
    applyChange(this.entries, change)
  }
}

export type MemoryNode = MemoryFile | MemoryFolder

export function applyChange(entries: Map<string, MemoryNode>, change: FolderChange): void {
  for (const [name, node] of change) {
    if (node === undefined) entries.delete(name)
    else entries.set(name, node)
  }
}

/** What a tree is made of. */
export interface NodeKinds<File, Folder> {
  file(inode: number): File
  folder(inode: number): Folder
}

/** The tree of one machine. */
export class FileTree<File extends MemoryFile, Folder extends MemoryFolder> {
  readonly root: Folder
  readonly #kinds: NodeKinds<File, Folder>
  #nextInode = 1

  constructor(kinds: NodeKinds<File, Folder>) {
    this.#kinds = kinds
    this.root = kinds.folder(this.#nextInode++)
  }

  find(path: string): File | Folder | undefined {
    let node: MemoryNode | undefined = this.root
    for (const name of names(path)) {
      if (node?.kind !== 'folder') return undefined
      node = node.entries.get(name)
    }
    // Every node of the tree was made by its own kinds.
    return node as File | Folder | undefined
  }

  folder(path: string): Folder {
    const node = this.find(path)
    if (node === undefined) throw new DiskError('ENOENT', `${path} does not exist`)
    if (node.kind !== 'folder') throw new DiskError('ENOTDIR', `${path} is not a folder`)
    return node
  }

  /** The file at `path`; made when absent and wanted. */
  file(path: string, create: boolean): File {
    const [folder, name] = this.#place(path)
    const node = folder.entries.get(name)
    if (node?.kind === 'file') return node as File
    if (node !== undefined) throw new DiskError('EISDIR', `${path} is a folder`)
    if (!create) throw new DiskError('ENOENT', `${path} does not exist`)
    const file = this.#kinds.file(this.#nextInode++)
    folder.change([name, file])
    return file
  }

  /** A copy of the whole file; undefined when absent. Throws EFBIG beyond `maxBytes`. */
  content(path: string, maxBytes: number): Uint8Array | undefined {
    if (this.find(path) === undefined) return undefined
    const file = this.file(path, false)
    if (file.size > maxBytes) {
      throw new DiskError('EFBIG', `${path} has ${file.size} bytes, more than ${maxBytes}`)
    }
    const content = new Uint8Array(file.size)
    file.read(content, 0)
    return content
  }

  /** As `Disk.stat`. */
  stat(path: string): FileStat | undefined {
    const node = this.find(path)
    if (node === undefined) return undefined
    const { inode } = node
    if (node.kind === 'folder') return { size: 0, directory: true, inode, modifiedMs: undefined }
    return { size: node.size, directory: false, inode, modifiedMs: node.modifiedMs }
  }

  /** As `Disk.list`. */
  list(path: string): { name: string; directory: boolean }[] {
    return [...this.folder(path).entries]
      .map(([name, node]) => ({ name, directory: node.kind === 'folder' }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  makeFolder(path: string): void {
    let folder: MemoryFolder = this.root
    for (const name of names(path)) {
      let next = folder.entries.get(name)
      if (next === undefined) {
        next = this.#kinds.folder(this.#nextInode++)
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
  *files(): Iterable<[path: string, file: File]> {
    yield* filesBelow(this.root, '') as Iterable<[string, File]>
  }

  #place(path: string): [folder: MemoryFolder, name: string] {
    const parts = names(path)
    const name = parts.pop()
    if (name === undefined) throw new DiskError('EBUSY', 'the root stays as it is')
    return [this.folder(parts.join('/')), name]
  }
}

function* filesBelow(
  folder: MemoryFolder,
  prefix: string,
): Iterable<[path: string, file: MemoryFile]> {
  for (const [name, node] of folder.entries) {
    if (node.kind === 'file') yield [`${prefix}/${name}`, node]
    else yield* filesBelow(node, `${prefix}/${name}`)
  }
}

function removeFrom(folder: MemoryFolder, name: string): void {
  const node = folder.entries.get(name)
  if (node?.kind === 'folder') {
    for (const child of [...node.entries.keys()]) removeFrom(node, child)
  }
  folder.change([name, undefined])
}

function refuseReplacement(node: MemoryNode, replaced: MemoryNode, to: string): void {
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
