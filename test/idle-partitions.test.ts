import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'node:test'
import { Admin, orThrow } from '../src/index.ts'
import { MeasuredBroker } from './measured-broker.ts'

test('an idle partition has no timer and no open file and takes at most 2 KiB of memory', async () => {
  // Nothing of it is about disks: where there is one in memory, it takes a third of the time.
  const memory = '/dev/shm'
  const broker = new MeasuredBroker([], existsSync(memory) ? memory : tmpdir())
  try {
    await broker.start()
    await using admin = new Admin({ bootstrap: broker.bootstrap })
    const create = async (topic: string, partitions: number) => {
      orThrow(await admin.createTopics([{ topic, partitions }], { timeoutMs: 60_000 }))
      return broker.usage()
    }
    // What the first topics take is code, and tables that have room for more.
    const before = await create('first', 500)
    const count = 1500
    const after = await create('measured', count)
    const bytes = (after.heapBytes - before.heapBytes) / count
    assert.ok(bytes <= 2048, `${bytes} bytes each`)
    assert.ok(after.openFiles - before.openFiles < 10, `${after.openFiles} open files`)
    assert.ok(after.timers - before.timers < 10, `${after.timers} timers`)
  } finally {
    broker.remove()
  }
})
