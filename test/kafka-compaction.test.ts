/** What we make of a log beside what Apache Kafka 4.4 made of it: record-compaction.ts recorded it. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import type { Io } from '../src/io/io.ts'
import { clean, compacted } from '../src/log/compaction-fixture.ts'
import { openDirectory, openLog } from '../src/log/fixture.ts'
import { type Batch, batches } from '../src/protocol/records/batch.ts'
import { recordsOf } from '../src/protocol/records/records.ts'
import { simulated } from '../src/sim/world.ts'

interface Pass {
  readonly from: number
  readonly to: number
  /** Content in base64, by file name. */
  readonly input: Readonly<Record<string, string>>
  readonly output: Readonly<Record<string, string>>
}

const path = new URL('vectors/kafka-compaction.json.gz', import.meta.url)
const recorded = JSON.parse(gunzipSync(readFileSync(path)).toString()) as {
  readonly deleteRetentionMs: number
  readonly passes: readonly Pass[]
}

const folder = '/data/words-0'

for (const [index, pass] of recorded.passes.entries()) {
  test(`pass ${index + 1} leaves the segments, batches and records that Kafka leaves`, async () => {
    const output = Object.entries(pass.output).map(([name, text]) => [name, bytesOf(text)] as const)
    const nowMs = beganMs(pass.output, pass.input)
    const ours = await compactedByUs(pass, nowMs)
    assert.deepEqual([...ours.keys()], Object.keys(pass.output))
    for (const [name, theirs] of output) {
      assert.deepEqual([...batches(ours.get(name)!)].map(shown), [...batches(theirs)].map(shown))
      const [mine, kafkas] = [ours.get(name)!, theirs].map(plainBatches)
      assert.ok(kafkas!.length > 0)
      assert.deepEqual(mine, kafkas, 'batches without compression are the same bytes')
    }
  })
}

function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, 'base64')
}

/**
 * When the pass began: a horizon that is new is delete.retention.ms later. Where none is, the recording
 * waited until all were over.
 */
function beganMs(output: Pass['output'], input: Pass['input']): number {
  const horizons = (files: Pass['output']) =>
    Object.values(files)
      .flatMap(text => [...batches(bytesOf(text))])
      .filter(batch => batch.hasDeleteHorizon)
      .map(batch => batch.baseTimestamp)
  const known = horizons(input)
  const [begun] = horizons(output).filter(horizon => !known.includes(horizon))
  return begun === undefined ? Math.max(...known) : begun - recorded.deleteRetentionMs
}

async function compactedByUs(pass: Pass, nowMs: number): Promise<Map<string, Uint8Array>> {
  return await simulated().run(async world => {
    const real = world.io()
    const io: Io = { ...real, clock: { ...real.clock, wallMs: () => nowMs } }
    await (await openDirectory(io)).close([])
    await real.disk.makeDirectory(folder)
    const id = Buffer.from('version: 0\ntopic_id: wAbCdEfGhIjKlMnOpQrStA\n')
    await real.disk.replaceFile(`${folder}/partition.metadata`, id)
    for (const [name, text] of Object.entries(pass.input)) {
      await real.disk.replaceFile(`${folder}/${name}`, bytesOf(text))
    }
    const { deleteRetentionMs } = recorded
    const large = { segmentBytes: 1 << 30, segmentIndexBytes: 10 << 20 }
    const log = await openLog(await openDirectory(io), {
      ...compacted,
      ...large,
      deleteRetentionMs,
    })
    log.compaction.cleanedEndOffset = pass.from
    const result = await clean(log, io, { bufferBytes: 1 << 16 })
    assert.equal(result?.endOffset, pass.to)
    const names = world
      .disk()
      .paths()
      .filter(each => each.startsWith(folder))
    const logs = names.filter(each => each.endsWith('.log'))
    return new Map(logs.map(each => [each.slice(folder.length + 1), world.disk().content(each)!]))
  })
}

function shown(batch: Batch) {
  const { baseOffset, lastOffset, partitionLeaderEpoch, attributes, baseTimestamp } = batch
  const { maxTimestamp, producerId, producerEpoch, baseSequence, recordCount } = batch
  return {
    baseOffset,
    lastOffset,
    partitionLeaderEpoch,
    attributes,
    baseTimestamp,
    maxTimestamp,
    producerId,
    producerEpoch,
    baseSequence,
    recordCount,
    records: [...recordsOf(batch, 1e6)].map(({ offset, timestamp, key, value, headers }) =>
      [offset, timestamp, textOf(key), textOf(value), headers.length].join(' '),
    ),
  }
}

function textOf(bytes: Uint8Array | null): string {
  return bytes === null ? 'null' : Buffer.from(bytes).toString()
}

function plainBatches(bytes: Uint8Array): string[] {
  return [...batches(bytes)]
    .filter(({ compression }) => compression === 'none')
    .map(batch => Buffer.from(batch.bytes).toString('hex'))
}
