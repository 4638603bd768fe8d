import assert from 'node:assert/strict'
import { test } from 'node:test'
import { diskBehaviours } from '../io/disk-conformance.ts'
import { DiskError } from '../io/io.ts'
import { simulated, type World } from './world.ts'

const text = (bytes: Uint8Array | undefined) => (bytes ? new TextDecoder().decode(bytes) : bytes)
const bytes = (value: string) => new TextEncoder().encode(value)

for (const { name, check } of diskBehaviours) {
  test(`simulated disk: ${name}`, async () => {
    for (let seed = 1; seed <= 3; seed++) {
      await simulated(seed).run(async world => {
        const { disk } = world.io('a')
        await disk.makeDirectory('/folder')
        await check({ disk, other: world.start('a').disk, folder: '/folder' })
      })
    }
  })
}

/** What may be in /f after a crash, over many seeds. */
async function outcomes(
  seeds: number,
  scenario: (world: World) => Promise<void>,
): Promise<Map<string | undefined, number>> {
  const seen = new Map<string | undefined, number>()
  for (let seed = 1; seed <= seeds; seed++) {
    await simulated(seed).run(async world => {
      await scenario(world)
      const content = text(await world.io().disk.readFile('/f', 1e6))
      seen.set(content, (seen.get(content) ?? 0) + 1)
    })
  }
  return seen
}

test('a kill keeps all that was written; a write under way is done, undone or torn', async () => {
  const seen = await outcomes(100, async world => {
    const file = await world.io().disk.open('/f', { create: true })
    await file.write([bytes('abc')], 0)
    void file.write([bytes('def')], 3)
    world.kill()
  })
  assert.deepEqual([...seen.keys()].sort(), ['abc', 'abcd', 'abcde', 'abcdef'])
})

test('a power loss keeps what was synced and takes a random part of the rest', async () => {
  const sector = (letter: string) => letter.repeat(512)
  const seen = await outcomes(200, async world => {
    const { disk } = world.io()
    const file = await disk.open('/f', { create: true })
    await file.write([bytes(sector('a') + sector('b'))], 0)
    await file.sync()
    await disk.syncDirectory('/')
    await file.write([bytes(sector('B') + sector('C') + sector('D'))], 512)
    world.powerLoss()
  })
  for (const content of seen.keys()) {
    assert.match(content!, /^a{512}(b{512}|B{512})((C+|\0+)(D+|\0+)?)?$/)
  }
  const count = (pattern: RegExp) => [...seen.keys()].filter(key => pattern.test(key!)).length
  assert.ok(count(/B/) > 0 && count(/b/) > 0, 'an overwritten sector is old or new')
  assert.ok(count(/b.*D/s) > 0, 'a later sector may be there without an earlier one')
  assert.ok(count(/C\0*D/) > 0 && count(/\0D/) > 0)
  assert.ok(
    [...seen.keys()].some(key => key!.length % 512 !== 0),
    'a length may be torn',
  )
})

test('a sync covers the writes before it, not those that came while it ran', async () => {
  const seen = await outcomes(100, async world => {
    const { disk } = world.io()
    await disk.replaceFile('/f', new Uint8Array(0))
    const file = await disk.open('/f')
    await file.write([bytes('a'.repeat(512))], 0)
    const syncing = file.sync()
    const writing = file.write([bytes('b'.repeat(512))], 512)
    await Promise.all([syncing, writing])
    world.powerLoss()
  })
  for (const content of seen.keys()) assert.match(content!, /^a{512}/)
  assert.ok(seen.size > 2, 'what came during the sync may be gone')
})

test('a truncation is undone whole or done whole, and what followed it goes with it', async () => {
  const seen = await outcomes(100, async world => {
    const { disk } = world.io()
    await disk.replaceFile('/f', bytes('a'.repeat(1536)))
    const file = await disk.open('/f')
    await file.truncate(512)
    await file.write([bytes('b'.repeat(512))], 512)
    world.powerLoss()
  })
  for (const content of seen.keys()) assert.match(content!, /^(a{1536}|a{512}[b\0]{0,512})$/)
  assert.ok(seen.has('a'.repeat(1536)) && seen.has('a'.repeat(512) + 'b'.repeat(512)))
})

test('a name is there after a power loss when its folder was synced, else perhaps', async () => {
  const unsynced = await outcomes(50, async world => {
    const file = await world.io().disk.open('/f', { create: true })
    await file.write([bytes('x')], 0)
    await file.sync()
    world.powerLoss()
  })
  assert.deepEqual([...unsynced.keys()].sort(), ['x', undefined])
  const renamed = await outcomes(50, async world => {
    const { disk } = world.io()
    await disk.replaceFile('/f', bytes('old'))
    await disk.replaceFile('/g', bytes('new'))
    await disk.rename('/g', '/f')
    world.powerLoss()
  })
  assert.deepEqual([...renamed.keys()].sort(), ['new', 'old'])
})

test('replaceFile leaves the old or the new content at any crash', async () => {
  const seen = await outcomes(200, async world => {
    const { disk } = world.io()
    await disk.replaceFile('/f', bytes('old'))
    void disk.replaceFile('/f', bytes('new content'))
    const random = world.random('crash')
    await world.sleep(random.between(0, 8))
    if (random.chance(0.5)) world.kill()
    else world.powerLoss()
  })
  assert.deepEqual([...seen.keys()].sort(), ['new content', 'old'])
})

test('the boot id stays at a kill, changes at a power loss; the lock is free after both', async () => {
  await simulated().run(async world => {
    await world.io().disk.lock('/')
    const boot = world.io().disk.bootId()
    world.kill()
    await world.io().disk.lock('/')
    assert.equal(world.io().disk.bootId(), boot)
    world.powerLoss()
    await world.io().disk.lock('/')
    assert.notEqual(world.io().disk.bootId(), boot)
  })
})

test('a full disk takes what fits and says ENOSPC', async () => {
  await simulated().run(async world => {
    const { disk } = world.io()
    world.disk().capacityBytes = 1000
    const file = await disk.open('/f', { create: true })
    await file.write([new Uint8Array(900)], 0)
    await assert.rejects(file.write([new Uint8Array(200)], 900), { code: 'ENOSPC' })
    assert.equal(await file.size(), 1000)
    await file.write([new Uint8Array(1000)], 0)
    assert.equal((await disk.space('/')).availableBytes, 0)
    await disk.remove('/f')
    assert.equal((await disk.space('/')).availableBytes, 1000)
  })
})

test('faults hit the calls they are meant for; a failed sync drops what it should have written', async () => {
  const seen = await outcomes(30, async world => {
    const { disk } = world.io()
    await disk.replaceFile('/f', bytes('old'))
    const file = await disk.open('/f')
    world.disk().fault = (operation, path) =>
      operation === 'sync' && path === '/f' ? 'EIO' : undefined
    await file.write([bytes('new')], 0)
    await assert.rejects(file.sync(), (error: Error) => {
      return error instanceof DiskError && error.code === 'EIO'
    })
    world.disk().fault = undefined
    await file.sync()
    assert.equal(text(await disk.readFile('/f', 10)), 'new')
    world.powerLoss()
  })
  assert.deepEqual([...seen.keys()], ['old'])
  const rewritten = await outcomes(30, async world => {
    const { disk } = world.io()
    await disk.replaceFile('/f', bytes('old'))
    const file = await disk.open('/f')
    world.disk().fault = operation => (operation === 'sync' ? 'EIO' : undefined)
    await file.write([bytes('new')], 0)
    await file.sync().catch(() => {})
    world.disk().fault = undefined
    await file.write([bytes('new')], 0)
    await file.sync()
    world.powerLoss()
  })
  assert.deepEqual([...rewritten.keys()], ['new'])
})

test('bits flip and sectors turn to zeros on request', async () => {
  await simulated().run(async world => {
    const { disk } = world.io()
    await disk.replaceFile('/f', bytes('abcdef'))
    world.disk().flip('/f', 0, 0x20)
    world.disk().zero('/f', 2, 2)
    world.powerLoss()
    assert.equal(text(await world.io().disk.readFile('/f', 10)), 'Ab\0\0ef')
    assert.deepEqual(world.disk().paths(), ['/f'])
  })
})

test('a process that dies while it takes a lock leaves it free', async () => {
  for (let seed = 1; seed <= 10; seed++) {
    await simulated(seed).run(async world => {
      await world.io().disk.makeDirectory('/data')
      void world.io().disk.lock('/data')
      world.kill()
      await (await world.io().disk.lock('/data')).release()
    })
  }
})
