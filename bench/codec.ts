/**
 * Throughput of the codecs of Produce and Fetch: `node bench/codec.ts`. Bytes are those of
 * whole frames; records are neither copied nor looked at, so large batches show what a frame costs
 * and many small ones what a partition costs.
 */
import { Buffer } from 'node:buffer'
import { bench, do_not_optimize, run } from 'mitata'
import { decode, encode } from '../src/protocol/compile.ts'
import { fetchRequest, fetchResponse } from '../src/protocol/messages/fetch.ts'
import { produceRequest, produceResponse } from '../src/protocol/messages/produce.ts'
import type { Fields, Message, OutgoingFields } from '../src/protocol/schema.ts'
import { printFigures } from './micro-table.ts'

const topicIds = Array.from({ length: 10 }, (_, i) => Buffer.alloc(16, i + 1).toString('base64url'))

/** One partition: 1 topic of 1; many: 10 topics of 10. */
function partitionsOf<T>(count: 1 | 100, partition: (index: number) => T): [string, T[]][] {
  const each = count === 1 ? 1 : 10
  return topicIds
    .slice(0, each)
    .map(id => [id, Array.from({ length: each }, (_, i) => partition(i))])
}

function produced(
  count: 1 | 100,
  recordBytes: number,
): OutgoingFields<typeof produceRequest.fields> {
  const records = new Uint8Array(recordBytes)
  return {
    acks: -1,
    timeoutMs: 30_000,
    topicData: partitionsOf(count, index => ({ index, records })).map(
      ([topicId, partitionData]) => ({
        topicId,
        partitionData,
      }),
    ),
  }
}

function acknowledged(count: 1 | 100): OutgoingFields<typeof produceResponse.fields> {
  const partition = (index: number) => ({
    index,
    errorCode: 0,
    baseOffset: 1e10,
    logStartOffset: 0,
  })
  return {
    responses: partitionsOf(count, partition).map(([topicId, partitionResponses]) => ({
      topicId,
      partitionResponses,
    })),
  }
}

function asked(count: 1 | 100): OutgoingFields<typeof fetchRequest.fields> {
  const partition = (index: number) => ({
    partition: index,
    fetchOffset: 1e10,
    partitionMaxBytes: 1_048_576,
  })
  return {
    maxWaitMs: 500,
    minBytes: 1,
    topics: partitionsOf(count, partition).map(([topicId, partitions]) => ({
      topicId,
      partitions,
    })),
    forgottenTopicsData: [],
  }
}

function fetched(count: 1 | 100, recordBytes: number): OutgoingFields<typeof fetchResponse.fields> {
  const records = new Uint8Array(recordBytes)
  const partition = (index: number) => ({
    partitionIndex: index,
    errorCode: 0,
    highWatermark: 1e10,
    lastStableOffset: 1e10,
    logStartOffset: 0,
    abortedTransactions: null,
    records,
  })
  return {
    responses: partitionsOf(count, partition).map(([topicId, partitions]) => ({
      topicId,
      partitions,
    })),
  }
}

/** Benches both directions; keeps the size of the frame for the table at the end. */
const frameBytes = new Map<string, number>()
function both<F extends Fields>(
  title: string,
  message: Message<F>,
  version: number,
  value: OutgoingFields<F>,
): void {
  const frame = new Uint8Array(Buffer.concat(encode(message, version, value)))
  for (const [name, work] of [
    [`decode ${title}`, () => do_not_optimize(decode(message, version, frame))],
    [`encode ${title}`, () => do_not_optimize(encode(message, version, value))],
  ] as const) {
    frameBytes.set(name, frame.length)
    bench(name, work)
  }
}

both('Produce request, 1 partition of 100 B', produceRequest, 13, produced(1, 100))
both('Produce request, 1 partition of 16 KiB', produceRequest, 13, produced(1, 16_384))
both('Produce request, 100 partitions of 1 KiB', produceRequest, 13, produced(100, 1024))
both('Produce response, 1 partition', produceResponse, 13, acknowledged(1))
both('Produce response, 100 partitions', produceResponse, 13, acknowledged(100))
both('Fetch request, 1 partition', fetchRequest, 17, asked(1))
both('Fetch request, 100 partitions', fetchRequest, 17, asked(100))
both('Fetch response, 1 partition of 1 MiB', fetchResponse, 17, fetched(1, 1_048_576))
both('Fetch response, 100 partitions of 1 KiB', fetchResponse, 17, fetched(100, 1024))

const { benchmarks } = await run({ format: 'quiet' })
printFigures(benchmarks, name => frameBytes.get(name))
