/**
 * What a produced batch costs: its checksum, the walk over its records, all of validation.
 *
 * `npx node bench/records.ts [FILTER]` prints the median time of a call, what it allocates and, from
 * the expanded bytes that it handles, bytes/ns.
 */
import { bench, do_not_optimize, run, summary } from 'mitata'
import { crc32c, tableCrc32c } from '../src/base/crc32c.ts'
import type { LogConfig } from '../src/config/log-config.ts'
import { validateForAppend } from '../src/log/validation.ts'
import { compressions, readBatch } from '../src/protocol/records/batch.ts'
import { buildBatch } from '../src/protocol/records/build.ts'
import { decompress } from '../src/protocol/records/compression.ts'
import { recordBytes, recordsOf, walkRecords } from '../src/protocol/records/records.ts'
import { printFigures } from './micro-table.ts'

const nowMs = 1_800_000_000_000
const config = {
  compressionType: 'producer',
  cleanupCompact: false,
  maxMessageBytes: 2 ** 25,
  maxDecompressedMessageBytes: 2 ** 31 - 9,
  timestampType: 'CreateTime',
  timestampBeforeMaxMs: Number.MAX_SAFE_INTEGER,
  timestampAfterMaxMs: 3_600_000,
  segmentBytes: 2 ** 30,
} as LogConfig

/** A value of `length` bytes like JSON: about four times smaller when it is compressed. */
function value(length: number, seed: number): Uint8Array {
  let text = ''
  for (let at = 0; text.length < length; at++) {
    text += `{"id":${(seed * 7919 + at * 104729) % 1_000_003},"name":"user ${at % 17}","ok":true},`
  }
  return Buffer.from(text.slice(0, length))
}

function batch(bytes: number, valueBytes: number, compression = compressions[0] as string) {
  const count = Math.max(1, Math.floor(bytes / (valueBytes + 10)))
  const records = Array.from({ length: count }, (_, index) => ({
    timestamp: nowMs,
    value: value(valueBytes, index),
  }))
  return buildBatch({ compression: compression as 'none' }, records)
}

const sizes = { '1 KB': 1 << 10, '16 KB': 1 << 14, '1 MB': 1 << 20 }
const lengths = new Map<string, number>()

function measure(name: string, bytes: number, work: () => unknown): void {
  lengths.set(name, bytes)
  bench(name, () => do_not_optimize(work()))
}

for (const [size, bytes] of Object.entries(sizes)) {
  summary(() => {
    const plain = batch(bytes, Math.min(1000, bytes - 100))
    measure(`crc32c ${size}`, plain.length, () => crc32c(plain))
    measure(`crc32c, tables ${size}`, plain.length, () => tableCrc32c(plain))
    measure(`validate ${size} of 1 KB records`, plain.length, () =>
      validateForAppend(plain, { config, nowMs }),
    )
    const small = batch(bytes, 100)
    measure(`validate ${size} of 100 B records`, small.length, () =>
      validateForAppend(small, { config, nowMs }),
    )
    const view = readBatch(small)
    const payload = recordBytes(view, 2 ** 30)
    measure(`walk ${size} of 100 B records`, payload.length, () =>
      walkRecords(payload, view.recordCount, () => {}),
    )
    measure(`read ${size} of 100 B records`, payload.length, () => {
      let last = 0
      for (const record of recordsOf(view, 2 ** 30)) last = record.offset
      return last
    })
  })
}

for (const compression of compressions) {
  if (compression === 'none') continue
  for (const [size, bytes] of Object.entries(sizes)) {
    const packed = batch(bytes, 100, compression)
    const view = readBatch(packed)
    const expanded = recordBytes(view, 2 ** 30).length
    summary(() => {
      measure(`${compression} expand ${size}`, expanded, () =>
        decompress(compression, packed.subarray(61), 2 ** 30),
      )
      measure(`${compression} validate ${size} of 100 B records`, expanded, () =>
        validateForAppend(packed, { config, nowMs }),
      )
    })
  }
}

const filter = process.argv[2]
const { benchmarks } = await run({
  ...(filter === undefined ? {} : { filter: new RegExp(filter) }),
  format: 'quiet',
})
printFigures(benchmarks, name => lengths.get(name))
