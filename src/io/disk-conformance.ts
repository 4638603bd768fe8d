/**
 * What every disk does, as one list of behaviours: the real one and the simulated one.
 *
 * Without them a simulated run would say little about the real world. What a power loss takes can
 * be tested on the simulated disk alone.
 */

import assert from 'node:assert/strict'
import { DirectoryLockedError, type Disk, DiskError } from './io.ts'

/** A disk under test and an empty folder of it. */
export interface DiskUnderTest {
  readonly disk: Disk
  /** The same disk, as another process has it. */
  readonly other: Disk
  readonly folder: string
}

/** One behaviour; `check` throws when the disk does not have it. */
export interface DiskBehaviour {
  readonly name: string
  readonly check: (underTest: DiskUnderTest) => Promise<void>
}

const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes)
const bytes = (value: string) => new TextEncoder().encode(value)

async function refused(running: Promise<unknown>, ...codes: string[]): Promise<void> {
  await assert.rejects(running, (error: unknown) => {
    assert.ok(error instanceof DiskError, `${error}`)
    assert.ok(codes.includes(error.code), error.code)
    return true
  })
}

const files: DiskBehaviour[] = [
  {
    name: 'chunks are written in order at their position, a gap reads as zeros',
    async check({ disk, folder }) {
      const file = await disk.open(`${folder}/f`, { create: true })
      await file.write([bytes('ab'), bytes(''), bytes('cd')], 2)
      assert.equal(await file.size(), 6)
      await file.write([bytes('X')], 3)
      const into = new Uint8Array(10).fill(9)
      assert.equal(await file.read(into, 0), 6)
      assert.deepEqual([...into], [0, 0, ...bytes('aXcd'), 9, 9, 9, 9])
      assert.equal(await file.read(into, 6), 0)
      assert.equal(await file.read(into.subarray(0, 2), 4), 2)
      assert.equal(text(into.subarray(0, 2)), 'cd')
      await file.sync()
      await file.close()
    },
  },
  {
    name: 'thousands of chunks are one write',
    async check({ disk, folder }) {
      const file = await disk.open(`${folder}/f`, { create: true })
      const chunks = Array.from({ length: 3000 }, (_, at) => bytes(`${at},`))
      await file.write(chunks, 5)
      await file.write([], 0)
      const content = text(await disk.readFile(`${folder}/f`, 100_000))
      assert.equal(content.slice(5), chunks.map(text).join(''))
      await file.close()
    },
  },
  {
    name: 'a truncated file ends there and grows by zeros',
    async check({ disk, folder }) {
      const file = await disk.open(`${folder}/f`, { create: true })
      await file.write([bytes('abcdef')], 0)
      await file.truncate(3)
      assert.equal(await file.size(), 3)
      await file.truncate(5)
      assert.equal(text(await disk.readFile(`${folder}/f`, 100)), 'abc\0\0')
      await file.write([bytes('z')], 6)
      assert.equal(text(await disk.readFile(`${folder}/f`, 100)), 'abc\0\0\0z')
      await file.close()
    },
  },
  {
    name: 'an absent file is refused unless it is to be made, and made it keeps its content',
    async check({ disk, folder }) {
      await refused(disk.open(`${folder}/f`), 'ENOENT')
      assert.equal(await disk.readFile(`${folder}/f`, 10), undefined)
      assert.equal(await disk.stat(`${folder}/f`), undefined)
      const made = await disk.open(`${folder}/f`, { create: true })
      await made.write([bytes('abc')], 0)
      await made.close()
      const again = await disk.open(`${folder}/f`, { create: true })
      assert.equal(await again.size(), 3)
      await again.close()
      await refused(disk.open(folder), 'EISDIR')
      await refused(disk.open(`${folder}/absent/f`, { create: true }), 'ENOENT')
    },
  },
  {
    name: 'a closed file is refused, closing twice is not',
    async check({ disk, folder }) {
      const file = await disk.open(`${folder}/f`, { create: true })
      await file.close()
      await file.close()
      await refused(file.write([bytes('a')], 0), 'EBADF')
      await refused(file.read(new Uint8Array(1), 0), 'EBADF')
      await refused(file.sync(), 'EBADF')
      await refused(file.size(), 'EBADF')
    },
  },
  {
    name: 'a whole file is read up to a size only',
    async check({ disk, folder }) {
      await disk.replaceFile(`${folder}/f`, bytes('12345'))
      assert.equal(text(await disk.readFile(`${folder}/f`, 5)), '12345')
      await refused(disk.readFile(`${folder}/f`, 4), 'EFBIG')
    },
  },
  {
    name: 'a replaced file has the new content alone',
    async check({ disk, folder }) {
      await disk.replaceFile(`${folder}/f`, bytes('the old content'))
      await disk.replaceFile(`${folder}/f`, bytes('new'))
      assert.equal(text(await disk.readFile(`${folder}/f`, 100)), 'new')
      assert.deepEqual(await disk.list(folder), [{ name: 'f', directory: false }])
    },
  },
  {
    name: 'an open file stays usable when its name goes',
    async check({ disk, folder }) {
      const file = await disk.open(`${folder}/f`, { create: true })
      await file.write([bytes('abc')], 0)
      await disk.rename(`${folder}/f`, `${folder}/g`)
      await file.write([bytes('d')], 3)
      assert.equal(text(await disk.readFile(`${folder}/g`, 10)), 'abcd')
      await disk.remove(`${folder}/g`)
      const into = new Uint8Array(4)
      assert.equal(await file.read(into, 0), 4)
      await file.close()
    },
  },
]

const folders: DiskBehaviour[] = [
  {
    name: 'folders are made with their parents and listed by name',
    async check({ disk, folder }) {
      await disk.makeDirectory(`${folder}/a/b/c`)
      await disk.makeDirectory(`${folder}/a/b`)
      await disk.replaceFile(`${folder}/a/z`, bytes('1'))
      await disk.replaceFile(`${folder}/a/Z`, bytes('1'))
      assert.deepEqual(await disk.list(`${folder}/a`), [
        { name: 'Z', directory: false },
        { name: 'b', directory: true },
        { name: 'z', directory: false },
      ])
      await refused(disk.list(`${folder}/absent`), 'ENOENT')
      await disk.syncDirectory(`${folder}/a`)
      await refused(disk.syncDirectory(`${folder}/absent`), 'ENOENT')
      await refused(disk.makeDirectory(`${folder}/a/z/y`), 'ENOTDIR')
    },
  },
  {
    name: 'stat tells files from folders; a renamed file keeps its inode, a replaced one does not',
    async check({ disk, folder }) {
      await disk.replaceFile(`${folder}/f`, bytes('123'))
      const before = await disk.stat(`${folder}/f`)
      assert.deepEqual([before?.size, before?.directory], [3, false])
      assert.equal((await disk.stat(folder))?.directory, true)
      const { modifiedMs } = before!
      assert.ok(modifiedMs === undefined || (Number.isInteger(modifiedMs) && modifiedMs > 1e12))
      await disk.rename(`${folder}/f`, `${folder}/g`)
      assert.equal((await disk.stat(`${folder}/g`))?.inode, before?.inode)
      await disk.replaceFile(`${folder}/h`, bytes('456'))
      assert.notEqual((await disk.stat(`${folder}/h`))?.inode, before?.inode)
    },
  },
  {
    name: 'a rename takes the content along and replaces a file, not a full folder',
    async check({ disk, folder }) {
      await disk.makeDirectory(`${folder}/from`)
      await disk.makeDirectory(`${folder}/full`)
      await disk.replaceFile(`${folder}/from/f`, bytes('1'))
      await disk.replaceFile(`${folder}/full/f`, bytes('2'))
      await refused(disk.rename(`${folder}/from`, `${folder}/full`), 'ENOTEMPTY', 'EEXIST')
      await refused(disk.rename(`${folder}/absent`, `${folder}/x`), 'ENOENT')
      await disk.rename(`${folder}/from`, `${folder}/to`)
      await disk.rename(`${folder}/to/f`, `${folder}/full/f`)
      assert.equal(text(await disk.readFile(`${folder}/full/f`, 10)), '1')
      assert.deepEqual(await disk.list(`${folder}/to`), [])
    },
  },
  {
    name: 'remove takes a folder with all in it, and nothing when nothing is there',
    async check({ disk, folder }) {
      await disk.makeDirectory(`${folder}/a/b`)
      await disk.replaceFile(`${folder}/a/b/f`, bytes('1'))
      await disk.remove(`${folder}/a`)
      await disk.remove(`${folder}/a`)
      assert.deepEqual(await disk.list(folder), [])
    },
  },
  {
    name: 'space and boot id are told',
    async check({ disk, folder }) {
      const { totalBytes, availableBytes } = await disk.space(folder)
      assert.ok(totalBytes >= availableBytes && availableBytes > 0)
      assert.equal(disk.bootId(), disk.bootId())
    },
  },
  {
    name: 'a directory is locked once, within a process and between two, until it is released',
    async check({ disk, other, folder }) {
      const lock = await disk.lock(folder)
      await assert.rejects(disk.lock(folder), DirectoryLockedError)
      await assert.rejects(other.lock(folder), DirectoryLockedError)
      assert.equal((await disk.stat(`${folder}/.lock`))?.inode, lock.inode)
      assert.deepEqual(await disk.list(folder), [{ name: '.lock', directory: false }])
      await lock.release()
      await lock.release()
      const second = await other.lock(folder)
      await lock.release()
      await assert.rejects(disk.lock(folder), DirectoryLockedError)
      assert.equal(second.inode, lock.inode)
      await second.release()
      await refused(disk.lock(`${folder}/absent`), 'ENOENT')
    },
  },
]

/** All behaviours: run each with an empty folder. */
export const diskBehaviours: readonly DiskBehaviour[] = [...files, ...folders]
