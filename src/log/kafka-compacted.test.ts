import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildBatch } from '../protocol/records/build.ts'
import { simulated, type World } from '../sim/world.ts'
import { formatOffsets, formatProperties } from './checkpoint-file.ts'
import { openDirectory, openLog, startMs, topicId, written } from './fixture.ts'
import type { Log } from './log.ts'
import { formatSession } from './session-file.ts'
import { verify } from './verify.ts'

/**
 * Segments as Kafka's cleaner leaves them: it keeps the base offset of the first of a group, the
 * newest record of each key, and a last header only where its round ended.
 */
const segments = [
  { base: 0, offsets: [3, 4, 11] },
  { base: 20, offsets: [25] },
  { base: 40, offsets: [] },
  { base: 60, offsets: [61, 79] },
  { base: 80, offsets: [80, 81, 82] },
] as const
const kept = segments.flatMap(({ offsets }) => [...offsets])

const name = (base: number) => `${base}`.padStart(20, '0')

/** A data directory that Kafka did not leave in order. */
async function kafkasDirectory(world: World, files: Record<string, [string, number][]>) {
  const { disk } = world.io()
  await disk.makeDirectory('/data/words-0')
  for (const { base, offsets } of segments) {
    const batches = offsets.map(offset => {
      const options = { baseOffset: offset, partitionLeaderEpoch: 0 }
      return buildBatch(options, [{ key: `k${offset}`, value: `v${offset}`, timestamp: startMs }])
    })
    await disk.replaceFile(`/data/words-0/${name(base)}.log`, Buffer.concat(batches))
  }
  const metadata = [['version', '0'] as const, ['topic_id', topicId] as const]
  await disk.replaceFile('/data/words-0/partition.metadata', formatProperties(metadata, ': '))
  const meta = Object.entries({
    ...{ version: '1', 'cluster.id': 'cluster', 'node.id': '1' },
    'directory.id': 'AAAAAAAAAAAAAAAAAAAABw',
  })
  await disk.replaceFile('/data/meta.properties', formatProperties(meta, '='))
  for (const [file, offsets] of Object.entries(files)) {
    await disk.replaceFile(`/data/${file}`, formatOffsets(new Map(offsets)))
  }
  for (const folder of ['/data/words-0', '/data', '/']) await disk.syncDirectory(folder)
}

async function offsetsOf(log: Log): Promise<number[]> {
  const offsets: number[] = []
  for (let next = 0; next < log.logEndOffset; next = offsets.at(-1)! + 1) {
    const { chunks } = await log.read(next, log.logEndOffset, 1, true)
    for (const bytes of chunks) offsets.push(Number(Buffer.from(bytes).readBigInt64BE(0)))
    if (chunks.length === 0) break
  }
  return offsets
}

const checkpoints = {
  none: {},
  older: {
    'cleaner-offset-checkpoint': [['words 0', 20]],
    'recovery-point-offset-checkpoint': [['words 0', 20]],
  },
  whole: {
    'cleaner-offset-checkpoint': [['words 0', 80]],
    'recovery-point-offset-checkpoint': [['words 0', 80]],
  },
} satisfies Record<string, Record<string, [string, number][]>>

for (const [what, files] of Object.entries(checkpoints)) {
  test(`the gaps of a log that Kafka compacted are no damage after its crash: checkpoints ${what}`, () =>
    simulated().run(async world => {
      await kafkasDirectory(world, files)
      const check = async () => {
        const directory = await openDirectory(world.start(), { tailCacheBytes: 0 })
        const log = await openLog(directory, { cleanupCompact: true })
        assert.deepEqual([log.logEndOffset, await offsetsOf(log)], [83, kept])
        return log
      }
      await check()
      // The session is Ottla's now; what is known of the gaps must be known then, too.
      world.powerLoss()
      const log = await check()
      log.append(buildBatch({}, [{ key: 'k', value: 'new', timestamp: startMs }]), 0)
      await written(log)
      const errors = world.reported.filter(({ level }) => level === 'error')
      assert.deepEqual(errors, [])
      assert.ok(
        !world
          .disk()
          .paths()
          .some(path => path.endsWith('.corrupt')),
      )
      world.kill()
      const { findings } = await verify(world.start().disk, '/data', { deep: true })
      assert.deepEqual(
        findings.filter(({ kind }) => kind === 'damage'),
        [],
      )
    }))
}

test('after an adoption it is the same', () =>
  simulated().run(async world => {
    await kafkasDirectory(world, {})
    const session = formatSession({
      ...{ directoryId: 'AAAAAAAAAAAAAAAAAAAABw', directoryIds: ['AAAAAAAAAAAAAAAAAAAABw'] },
      ...{ lockInode: 0, brokerEpoch: 0n, bootId: undefined },
      ...{ clean: false, allSync: false, lossy: false },
    })
    await world.io().disk.replaceFile('/data/ottla-session', session)
    const log = await openLog(await openDirectory(world.io(), { tailCacheBytes: 0 }))
    assert.deepEqual([log.logEndOffset, await offsetsOf(log)], [83, kept])
  }))

test('in a log of our own a gap that nothing was compacted in is told of, and cut after a power loss', () =>
  simulated().run(async world => {
    await kafkasDirectory(world, {})
    const session = formatSession({
      ...{ directoryId: 'AAAAAAAAAAAAAAAAAAAABw', directoryIds: ['AAAAAAAAAAAAAAAAAAAABw'] },
      ...{ lockInode: 0, brokerEpoch: 7n, bootId: 'another' },
      ...{ clean: false, allSync: false, lossy: false },
    })
    await world.io().disk.replaceFile('/data/ottla-session', session)
    const log = await openLog(await openDirectory(world.io(), { tailCacheBytes: 0 }))
    assert.equal(log.logEndOffset, 12)
    assert.ok(
      world.reported.some(({ message }) => /nothing between offsets 12 and 20/.test(message)),
    )
  }))
