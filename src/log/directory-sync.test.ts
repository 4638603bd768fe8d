import assert from 'node:assert/strict'
import { test } from 'node:test'
import { simulated } from '../sim/world.ts'
import { DirectorySync } from './directory-sync.ts'

test('who comes while a sync runs shares the next, which sees what was made before it began', async () => {
  await simulated().run(async world => {
    const { disk } = world.io()
    await disk.makeDirectory('/data')
    let syncs = 0
    const counted = {
      ...disk,
      async syncDirectory(path: string) {
        syncs++
        await world.sleep(1)
        return disk.syncDirectory(path)
      },
    }
    const names = new DirectorySync(counted, '/data')
    const make = async (name: string) => {
      await disk.makeDirectory(`/data/${name}`)
      await names.sync()
    }
    await Promise.all(Array.from({ length: 50 }, (_, index) => make(`folder-${index}`)))
    assert.ok(syncs >= 1 && syncs <= 3, `${syncs} syncs`)
    await make('later')
    assert.ok(syncs <= 4)
  })
})

test('a failed sync is told to all that shared it, and not to the next', async () => {
  let failures = 1
  const disk = {
    async syncDirectory() {
      if (failures-- > 0) throw new Error('broken')
    },
  } as never
  const names = new DirectorySync(disk, '/data')
  const [first, second] = [names.sync(), names.sync()]
  await assert.rejects(first, /broken/)
  await assert.rejects(second, /broken/)
  await names.sync()
})
