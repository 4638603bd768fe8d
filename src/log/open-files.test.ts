import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Disk, DiskFile } from '../io/io.ts'
import { simulated } from '../sim/world.ts'
import { OpenFiles } from './open-files.ts'

/** A disk that counts how many files are open. */
function counting(disk: Disk) {
  const counts = { now: 0, most: 0 }
  const open = async (path: string, options?: { create?: boolean }): Promise<DiskFile> => {
    const file = await disk.open(path, options)
    counts.most = Math.max(counts.most, ++counts.now)
    return {
      write: (chunks, position) => file.write(chunks, position),
      read: (into, position) => file.read(into, position),
      sync: () => file.sync(),
      truncate: size => file.truncate(size),
      size: () => file.size(),
      close: () => {
        counts.now--
        return file.close()
      },
    }
  }
  return { disk: { open } as Disk, counts }
}

test('however many files are used at once, few more are open than the table holds', async () => {
  await simulated().run(async world => {
    const { disk } = world.io()
    await disk.makeDirectory('/data')
    const { disk: counted, counts } = counting(disk)
    const files = new OpenFiles(counted, 8)
    const write = (index: number) =>
      files.with(
        `/data/${index % 100}`,
        async file => {
          await file.write([Uint8Array.of(index)], 0)
          if (index % 7 === 0) throw new Error('broken')
        },
        { create: true },
      )
    const ends = await Promise.allSettled(Array.from({ length: 300 }, (_, index) => write(index)))
    assert.equal(ends.filter(({ status }) => status === 'rejected').length, 43)
    assert.ok(counts.most <= 16, `${counts.most} were open`)
    await files.closeBelow('/data')
    assert.equal(counts.now, 0)
  })
})

test('a file that was not used for a while is closed, one in use is not', () =>
  simulated().run(async world => {
    const { disk } = world.io()
    await disk.makeDirectory('/data')
    const files = new OpenFiles(disk, 8)
    const use = (name: string, run = async () => {}) =>
      files.with(`/data/${name}`, run, { create: true })
    let release = () => {}
    const longUse = use('long', () => new Promise<void>(resolve => (release = resolve)))
    for (const name of ['a', 'b']) await use(name)
    files.closeIdle()
    await use('a')
    assert.equal(files.count, 3)
    files.closeIdle()
    assert.equal(files.count, 2)
    files.closeIdle()
    assert.equal(files.count, 1)
    release()
    await longUse
    files.closeIdle()
    files.closeIdle()
    assert.equal(files.count, 0)
    await use('a')
    assert.equal(files.count, 1)
  }))
