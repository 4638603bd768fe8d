import assert from 'node:assert/strict'
import { test } from 'node:test'
import { simulated } from '../sim/world.ts'
import { noteDamage } from './damage.ts'
import { batchOf, config, topicId, valuesFrom, written } from './fixture.ts'
import { LogDirectory } from './log-directory.ts'
import { unheard } from './log-listener.ts'

test('a read that meets damage tells once where; noted, it is refused and all else is served', () =>
  simulated().run(async world => {
    const open = async () => {
      const directory = await LogDirectory.open(world.io(), '/data')
      await directory.begin({ clusterId: 'c', brokerId: 1, brokerEpoch: 1n })
      const log = await directory.openLog({ topic: 't', partition: 0, topicId, config })
      return { directory, log }
    }
    const before = await open()
    for (const letter of ['a', 'b', 'c']) {
      before.log.append(batchOf([letter.repeat(1000)]), 0)
      await written(before.log)
    }
    await before.directory.close([])
    const path = '/data/t-0/00000000000000000000.log'
    world.disk().flip(path, 1500)
    const { directory, log } = await open()
    const met: number[] = []
    log.listener = { ...unheard, onDamage: offset => met.push(offset) }
    const [segment] = log.segments
    for (let round = 0; round < 3; round++) {
      await assert.rejects(log.read(1, 3, 10_000, true), { error: 'CORRUPT_MESSAGE' })
    }
    assert.deepEqual(met, [1])
    assert.equal(await noteDamage(world.io(), log, segment!), true)
    assert.equal(await noteDamage(world.io(), log, segment!), false, 'it is known')
    assert.deepEqual([segment!.holes[0]!.startOffset, segment!.holes[0]!.endOffset], [1, 2])
    await assert.rejects(log.read(1, 3, 10_000, true), { error: 'CORRUPT_MESSAGE' })
    assert.equal((await log.read(0, 1, 10_000, true)).chunks.length, 1)
    assert.deepEqual(await valuesFrom(log, 2), ['c'.repeat(1000)])
    assert.ok(world.disk().content('/data/t-0/damaged-ranges'))
    await log.cutDamage()
    assert.deepEqual([log.isDamaged, log.logEndOffset], [false, 1])
    await directory.close([])
  }))
