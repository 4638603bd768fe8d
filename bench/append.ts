/**
 * The append path: batches through Log on the real disk, 32 appended at once, as requests that wait
 * come, until all are written (not synced): `node bench/append.ts`. Figures are those of one batch.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bench, run } from 'mitata'
import { nodeIo } from '../src/io/node.ts'
import { batchOf, config, topicId } from '../src/log/fixture.ts'
import type { Log } from '../src/log/log.ts'
import { LogDirectory } from '../src/log/log-directory.ts'
import { unheard } from '../src/log/log-listener.ts'
import { printFigures } from './micro-table.ts'

const atOnce = 32

async function appendUntilWritten(log: Log, batch: Uint8Array): Promise<void> {
  await new Promise<void>(resolve => {
    let last = Number.POSITIVE_INFINITY
    const onEnd = (end: number) => end >= last && resolve()
    log.listener = { ...unheard, onEnd }
    for (let left = atOnce; left > 0; left--) {
      // Offsets are set in the bytes themselves, which the log keeps: each batch is its own.
      const { endOffset } = log.append(batch.slice(), 0)
      if (left === 1) last = endOffset
    }
  })
}

const folder = mkdtempSync(join(tmpdir(), 'ottla-bench-'))
try {
  const directory = await LogDirectory.open(nodeIo(), folder)
  await directory.begin({ clusterId: 'bench', brokerId: 1, brokerEpoch: 1n })
  const log = await directory.openLog({ topic: 'bench', partition: 0, topicId, config })
  await log.becomeLeader(0)
  const bytes = new Map<string, number>()
  for (const records of [1, 15, 60]) {
    const batch = batchOf(Array.from({ length: records }, () => 'x'.repeat(1024)))
    const name = `append a batch of ${records} × 1 KB`
    bytes.set(name, batch.length)
    bench(name, () => appendUntilWritten(log, batch))
  }
  const { benchmarks } = await run({ format: 'quiet' })
  printFigures(benchmarks, name => bytes.get(name), atOnce)
  await directory.close([])
} finally {
  rmSync(folder, { recursive: true, force: true })
}
