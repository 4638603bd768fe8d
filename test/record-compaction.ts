/**
 * Lets a running Apache Kafka compact a log, and writes what it had and what it made of it, twice, to
 * vectors/kafka-compaction.json.gz.
 *
 *     kafka-start 1 PORT --set log.cleaner.backoff.ms=500 --set log.cleaner.min.cleanable.ratio=0.01
 *     node test/record-compaction.ts PORT DATA_DIRECTORY
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { nodeIo } from '../src/io/node.ts'
import {
  addPartitionsToTxnRequest,
  addPartitionsToTxnResponse,
} from '../src/protocol/messages/add-partitions-to-txn.ts'
import {
  createTopicsRequest,
  createTopicsResponse,
} from '../src/protocol/messages/create-topics.ts'
import { endTxnRequest, endTxnResponse } from '../src/protocol/messages/end-txn.ts'
import {
  findCoordinatorRequest,
  findCoordinatorResponse,
} from '../src/protocol/messages/find-coordinator.ts'
import {
  incrementalAlterConfigsRequest,
  incrementalAlterConfigsResponse,
} from '../src/protocol/messages/incremental-alter-configs.ts'
import {
  initProducerIdRequest,
  initProducerIdResponse,
} from '../src/protocol/messages/init-producer-id.ts'
import { produceRequest, produceResponse } from '../src/protocol/messages/produce.ts'
import { compressions } from '../src/protocol/records/batch.ts'
import { type BuildOptions, buildBatch } from '../src/protocol/records/build.ts'
import { WireClient } from './wire-client.ts'

const [port, data] = process.argv.slice(2)
const topic = `compacted-${process.pid}`
const folder = join(data!, `${topic}-0`)
const client = await WireClient.connect(nodeIo(), Number(port))
const deleteRetentionMs = 3000
const hourMs = 3_600_000
// As that of the markers, which the broker writes.
let timestamp = Date.now()

function check(...errorCodes: number[]): void {
  for (const errorCode of errorCodes) if (errorCode !== 0) throw new Error(`error ${errorCode}`)
}

async function createTopic(): Promise<void> {
  const configs = {
    'cleanup.policy': 'delete',
    'retention.ms': '-1',
    'segment.ms': String(hourMs),
    'message.timestamp.after.max.ms': String(100 * hourMs),
    'delete.retention.ms': String(deleteRetentionMs),
    'min.cleanable.dirty.ratio': '0.01',
  }
  const { topics } = await client.ask(createTopicsRequest, createTopicsResponse, 5, {
    topics: [
      {
        name: topic,
        numPartitions: 1,
        replicationFactor: 1,
        assignments: [],
        configs: Object.entries(configs).map(([name, value]) => ({ name, value })),
      },
    ],
    timeoutMs: 10_000,
    validateOnly: false,
  })
  check(...topics.map(({ errorCode }) => errorCode))
}

async function setPolicy(value: 'delete' | 'compact'): Promise<void> {
  const { responses } = await client.ask(
    incrementalAlterConfigsRequest,
    incrementalAlterConfigsResponse,
    1,
    {
      resources: [
        {
          resourceType: 2,
          resourceName: topic,
          configs: [{ name: 'cleanup.policy', configOperation: 0, value }],
        },
      ],
      validateOnly: false,
    },
  )
  check(...responses.map(({ errorCode }) => errorCode))
}

/** `a=1` is a record, `a` a tombstone; each has a timestamp of its own. */
async function produce(
  texts: readonly string[],
  options: BuildOptions = {},
  transactionalId: string | null = null,
): Promise<void> {
  const records = texts.map((text, index) => {
    const [key, value] = text.split('=')
    const headers = index % 2 === 0 ? [] : [{ key: 'h', value: Buffer.from('header') }]
    return { key: key!, value: value ?? null, headers, timestamp: timestamp + ((index * 7) % 5) }
  })
  timestamp += 10
  const { responses } = await client.ask(produceRequest, produceResponse, 9, {
    transactionalId,
    acks: -1,
    timeoutMs: 10_000,
    topicData: [
      {
        name: topic,
        partitionData: [{ index: 0, records: [buildBatch(options, records)] }],
      },
    ],
  })
  check(...responses.flatMap(each => each.partitionResponses.map(({ errorCode }) => errorCode)))
}

async function beginProducer(transactionalId: string) {
  await client.ask(findCoordinatorRequest, findCoordinatorResponse, 3, {
    key: transactionalId,
    keyType: 1,
  })
  for (;;) {
    const answer = await client.ask(initProducerIdRequest, initProducerIdResponse, 4, {
      transactionalId,
      transactionTimeoutMs: 60_000,
    })
    if (answer.errorCode === 0) return { ...answer, transactionalId, sequence: 0 }
    await setTimeout(500)
  }
}

type Producer = Awaited<ReturnType<typeof beginProducer>>

async function transaction(producer: Producer, texts: readonly string[], committed: boolean) {
  const { transactionalId, producerId, producerEpoch } = producer
  const added = await client.ask(addPartitionsToTxnRequest, addPartitionsToTxnResponse, 3, {
    v3AndBelowTransactionalId: transactionalId,
    v3AndBelowProducerId: producerId,
    v3AndBelowProducerEpoch: producerEpoch,
    v3AndBelowTopics: [{ name: topic, partitions: [0] }],
  })
  check(
    ...added.resultsByTopicV3AndBelow.flatMap(each =>
      each.resultsByPartition.map(({ partitionErrorCode }) => partitionErrorCode),
    ),
  )
  const baseSequence = producer.sequence
  producer.sequence += texts.length
  const options = {
    transactional: true,
    producerId: Number(producerId),
    producerEpoch,
    baseSequence,
  }
  await produce(texts, options, transactionalId)
  const ended = await client.ask(endTxnRequest, endTxnResponse, 3, {
    transactionalId,
    producerId,
    producerEpoch,
    committed,
  })
  check(ended.errorCode)
  await setTimeout(1000) // The marker is written after the answer.
}

/** The next batch begins a new segment. */
function roll(): void {
  timestamp += 2 * hourMs
}

async function firstRound(alpha: Producer, beta: Producer): Promise<void> {
  await produce(['a=1', 'b=1', 'c=1'])
  await produce(['a=2'], { producerId: 90_001, producerEpoch: 0, baseSequence: 0 })
  await transaction(alpha, ['b=aborted', 'z=aborted'], false)
  await transaction(beta, ['y=committed', 'c=committed'], true)
  roll()
  for (const compression of compressions) {
    await produce([`${compression}=old`, 'd=1', `${compression}=new`], { compression })
    await produce(['d=2', `gone-${compression}`], { compression })
  }
  await produce(['gone', 'a', 'e=1'])
  roll()
  await produce(['d=3', 'e=2'], { producerId: 90_001, producerEpoch: 0, baseSequence: 1 })
  await produce(['f=1', 'f=2', 'f=3'])
  await produce(['f=4'])
  roll()
  await produce(['active=1'])
}

async function secondRound(alpha: Producer): Promise<void> {
  await transaction(alpha, ['y=later'], true)
  await produce(['b=2', 'lz4=later', 'f=5'])
  roll()
  await produce(['active=2'], { producerId: 90_001, producerEpoch: 0, baseSequence: 3 })
  await produce(['active=3'])
}

function files(): Record<string, string> {
  const names = readdirSync(folder).filter(name => name.endsWith('.log'))
  return Object.fromEntries(
    names.sort().map(name => [name, readFileSync(join(folder, name)).toString('base64')]),
  )
}

function cleanedTo(): number {
  const text = readFileSync(join(data!, 'cleaner-offset-checkpoint'), 'utf8')
  const line = text.split('\n').find(each => each.startsWith(`${topic} 0 `))
  return Number(line?.split(' ')[2] ?? -1)
}

/** What the cleaner makes of the log as it is. */
async function compact() {
  const [input, from] = [files(), Math.max(0, cleanedTo())]
  await setPolicy('compact')
  while (cleanedTo() <= from) await setTimeout(100)
  await setPolicy('delete')
  return { from, to: cleanedTo(), input, output: files() }
}

await createTopic()
const alpha = await beginProducer('alpha')
const beta = await beginProducer('beta')
await firstRound(alpha, beta)
const first = await compact()
await setTimeout(deleteRetentionMs + 1000)
await secondRound(alpha)
const second = await compact()
const file = new URL('vectors/kafka-compaction.json.gz', import.meta.url)
const recorded = { deleteRetentionMs, passes: [first, second] }
writeFileSync(file, gzipSync(JSON.stringify(recorded), { level: 9 }))
console.error(recorded.passes.map(({ from, to, output }) => [from, to, Object.keys(output)]))
process.exit()
