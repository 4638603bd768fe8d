import assert from 'node:assert/strict'
import { test } from 'node:test'
import { simulated, type World } from '../sim/world.ts'
import { batchOf, clean, compacted } from './compaction-fixture.ts'
import { openDirectory, openLog, written } from './fixture.ts'
import type { Log } from './log.ts'

const folder = '/data/words-0'

/** Six segments, each with a transaction index that Kafka left; closed in order, then opened. */
async function movedIn(world: World): Promise<Log> {
  const directory = await openDirectory(world.io())
  const log = await openLog(directory, compacted)
  while (log.segmentCount < 6) log.append(batchOf(['k=v', 'l=w']), 0)
  await written(log)
  await directory.close([])
  const { disk } = world.start()
  for (const path of world
    .disk()
    .paths()
    .filter(name => name.endsWith('.log'))) {
    await disk.replaceFile(path.replace('.log', '.txnindex'), new Uint8Array(34))
  }
  assert.equal(indexes(world).length, 6)
  return await openLog(await openDirectory(world.start()), compacted)
}

function indexes(world: World): string[] {
  return names(world, '.txnindex')
}

function names(world: World, suffix: string): string[] {
  const paths = world
    .disk()
    .paths()
    .filter(path => path.endsWith(suffix))
  return paths.map(path => path.slice(folder.length + 1, -suffix.length))
}

test("Kafka's transaction indexes stay, and go with their segments: deleted, compacted", () =>
  simulated().run(async world => {
    const log = await movedIn(world)
    assert.deepEqual(indexes(world), names(world, '.log'))
    await log.advanceLogStart(log.segments[2]!.baseOffset)
    assert.deepEqual(indexes(world), names(world, '.log'))
    assert.equal(indexes(world).length, 4)
    await clean(log, world.io())
    // What was aborted went with the records; the active segment is as it was.
    assert.deepEqual(indexes(world), names(world, '.log').slice(-1))
    await world.sleep(100)
    assert.deepEqual(names(world, '.deleted'), [])
  }))

test('one whose segment is not there is removed at a start, and what recovery drops takes its own along', () =>
  simulated().run(async world => {
    const log = await movedIn(world)
    const cut = log.segments[3]!.logPath
    world.kill()
    const { disk } = world.start()
    await disk.replaceFile(`${folder}/00000000000000009999.txnindex`, new Uint8Array(34))
    await disk.remove(cut)
    await disk.remove('/data/ottla-session')
    await disk.remove('/data/recovery-point-offset-checkpoint')
    await disk.remove('/data/meta.properties')
    await openLog(await openDirectory(world.start()), compacted)
    assert.equal(names(world, '.log').length, 3)
    assert.deepEqual(indexes(world), names(world, '.log'))
  }))

test('of a swap that Kafka began the transaction index comes along, and those of the old segments go', () =>
  simulated().run(async world => {
    await movedIn(world)
    world.kill()
    const { disk } = world.start()
    const first = `${folder}/${names(world, '.log')[0]}`
    for (const ending of ['.log', '.index', '.timeindex']) {
      await disk.replaceFile(`${first}${ending}.swap`, world.disk().content(first + ending)!)
    }
    await disk.replaceFile(`${first}.txnindex.swap`, new Uint8Array(68))
    await openLog(await openDirectory(world.start()), compacted)
    assert.equal(world.disk().content(`${first}.txnindex`)!.length, 68)
    assert.deepEqual(indexes(world), names(world, '.log'))
  }))
