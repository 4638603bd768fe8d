/**
 * Appends through Log on the real disk, as a broker does: pipelined, at most 32 batches waiting.
 * `npx node bench/log.ts [MB]` prints a line per batch size: megabytes and batches a second of
 * append (validated, written, not synced), of reads from the tail in memory and from the file.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeIo } from '../src/io/node.ts'
import { batchOf, config, topicId } from '../src/log/fixture.ts'
import type { Log } from '../src/log/log.ts'
import { LogDirectory } from '../src/log/log-directory.ts'
import { unheard } from '../src/log/log-listener.ts'

const megabytes = Number(process.argv[2] ?? 300)
const inFlight = 32

for (const kilobytes of [1, 16, 64]) {
  const folder = mkdtempSync(join(tmpdir(), 'ottla-bench-'))
  try {
    await measure(folder, kilobytes)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function measure(folder: string, kilobytes: number): Promise<void> {
  const directory = await LogDirectory.open(nodeIo(), folder)
  await directory.begin({ clusterId: 'bench', brokerId: 1, brokerEpoch: 1n })
  const log = await directory.openLog({ topic: 'bench', partition: 0, topicId, config })
  await log.becomeLeader(0)
  const batch = batchOf(Array.from({ length: kilobytes }, () => 'x'.repeat(1000)))
  const count = Math.round((megabytes * 1e6) / batch.length)
  await appendAll(log, batch, Math.min(count, 2000)) // Warm.
  const append = await timed(() => appendAll(log, batch, count))
  const tail = await timed(() => readAll(log, log.logEndOffset - 30_000))
  await directory.close([])
  const again = await LogDirectory.open(nodeIo(), folder)
  const reopened = await again.openLog({ topic: 'bench', partition: 0, topicId, config })
  const file = await timed(() => readAll(reopened, 0))
  const line = { append, 'read tail': tail, 'read file': file }
  const figures = Object.entries(line).map(([name, { bytes, seconds, batches }]) => {
    const rate = `${(bytes / 1e6 / seconds).toFixed(0)} MB/s`
    return `${name} ${rate}${batches > 0 ? ` (${(batches / seconds).toFixed(0)} batches/s)` : ''}`
  })
  process.stdout.write(`${kilobytes} KB batches: ${figures.join(', ')}\n`)
  await again.close([])
}

interface Work {
  readonly bytes: number
  readonly batches: number
}

async function timed(run: () => Promise<Work>): Promise<Work & { seconds: number }> {
  const start = performance.now()
  const work = await run()
  return { ...work, seconds: (performance.now() - start) / 1000 }
}

async function appendAll(log: Log, batch: Uint8Array, count: number): Promise<Work> {
  const first = log.logEndOffset
  const perBatch = batch.length
  let appended = 0
  await new Promise<void>(resolve => {
    const perBatchOffsets = log.append(batch.slice(), 0).endOffset - first
    appended++
    const more = (end: number) => {
      const written = (end - first) / perBatchOffsets
      if (written === count) return resolve()
      while (appended < count && appended - written < inFlight) {
        log.append(batch.slice(), 0)
        appended++
      }
    }
    log.listener = { ...unheard, onEnd: more }
  })
  return { bytes: count * perBatch, batches: count }
}

async function readAll(log: Log, from: number): Promise<Work> {
  const end = log.logEndOffset
  let bytes = 0
  for (let offset = Math.max(0, from); offset < end; ) {
    const read = await log.read(offset, log.writtenEndOffset, 1_000_000, true)
    bytes += read.bytes
    offset = endOf(read.chunks.at(-1)!)
  }
  return { bytes, batches: 0 }
}

/** The offset behind the last batch of a chunk; all batches here have one size. */
function endOf(chunk: Uint8Array): number {
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  const size = 12 + view.getInt32(8)
  const at = chunk.length - size
  return Number(view.getBigInt64(at)) + view.getInt32(at + 23) + 1
}
