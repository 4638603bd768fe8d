/**
 * Watches a cluster: node prober.ts BOOTSTRAP[,…] TOPIC PARTITIONS [WATCHED TOPIC…]
 *
 * Writes one record after another to each partition of TOPIC, acks=all, 50 ms after the last was
 * acknowledged, and tries again at once, with what any broker says of leaders, when it was not. So the
 * time between two acknowledgements tells how long a partition was not writable. It has no patience
 * by which a client would hide that: an attempt is given up after half a second.
 *
 * Prints `ack PARTITION SENT-AT ACKNOWLEDGED-AT` (ms of the wall clock), and twice a second a JSON line
 * with what is known of the cluster (View).
 */
import { setTimeout as delay } from 'node:timers/promises'
import { Connection } from '../../src/client/connection.ts'
import { nodeIo } from '../../src/io/node.ts'
import {
  describeQuorumRequest,
  describeQuorumResponse,
} from '../../src/protocol/messages/describe-quorum.ts'
import { metadataRequest, metadataResponse } from '../../src/protocol/messages/metadata.ts'
import { produceRequest, produceResponse } from '../../src/protocol/messages/produce.ts'
import { buildBatch } from '../../src/protocol/records/build.ts'
import type { Incoming } from '../../src/protocol/schema.ts'
import type { PartitionView, View } from './observer.ts'

const everyMs = 50
const attemptMs = 500
const retryMs = 20
const viewEveryMs = 250

const [bootstraps = '', topic = '', count = '', ...watched] = process.argv.slice(2)
const addresses = bootstraps.split(',')
const topics = [topic, ...watched]
const io = nodeIo()
const connections = new Map<string, Promise<Connection>>()
/** By topic and partition: what the broker with the newest leader epoch told. */
const known = new Map<string, PartitionView>()
const leaders = new Map<number, string>()
let topicId = ''
let controllerId = -1
/** By address: when it last answered. */
const heard = new Map<string, number>()
let asking: Promise<void> | undefined

/** `lane`: an answer of Metadata does not wait behind a Produce that waits for replicas. */
async function connected(address: string, lane: string): Promise<Connection> {
  const key = `${address} ${lane}`
  const open = await connections.get(key)?.catch(() => undefined)
  if (open !== undefined && open.failure === undefined) return open
  const [host = '', port = ''] = address.split(':')
  const deadlineMs = io.clock.monotonicMs() + attemptMs
  const opening = Connection.open(io, {
    host,
    port: Number(port),
    clientId: 'prober',
    deadlineMs,
  })
  connections.set(key, opening)
  return opening
}

async function askOne(address: string): Promise<void> {
  const connection = await connected(address, 'metadata')
  const deadlineMs = io.clock.monotonicMs() + attemptMs
  const answer = await connection.request(
    metadataRequest,
    metadataResponse,
    { topics: topics.map(name => ({ name })), allowAutoTopicCreation: false },
    deadlineMs,
  )
  heard.set(address, Date.now())
  for (const { nodeId, host, port } of answer.brokers) leaders.set(nodeId, `${host}:${port}`)
  controllerId = (await quorumLeader(connection, deadlineMs)) ?? answer.controllerId
  learn(answer)
}

/** Apache Kafka names any broker as controller in Metadata. */
async function quorumLeader(
  connection: Connection,
  deadlineMs: number,
): Promise<number | undefined> {
  try {
    connection.versionOf(describeQuorumRequest)
  } catch {
    return undefined
  }
  const topics = [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }]
  const answer = await connection.request(
    describeQuorumRequest,
    describeQuorumResponse,
    { topics },
    deadlineMs,
  )
  return answer.topics[0]?.partitions[0]?.leaderId
}

function learn(answer: Incoming<typeof metadataResponse>): void {
  for (const each of answer.topics) {
    if (each.name === topic && each.errorCode === 0) topicId = each.topicId
    for (const told of each.partitions) {
      const key = `${each.name}/${told.partitionIndex}`
      const old = known.get(key)
      if (old !== undefined && old.epoch > told.leaderEpoch) continue
      // Of one epoch several broker tell, of which one may lag behind: the last word counts.
      const { leaderId: leader, leaderEpoch: epoch, isrNodes: isr } = told
      known.set(key, { topic: each.name ?? '', partition: told.partitionIndex, leader, epoch, isr })
    }
  }
}

/** Asks every broker; resolves at the first answer. */
function ask(): Promise<void> {
  asking ??= Promise.any(addresses.map(askOne))
    .catch(() => {})
    .finally(() => (asking = undefined))
  return asking
}

async function write(partition: number): Promise<void> {
  const sentAt = Date.now()
  const address = leaders.get(known.get(`${topic}/${partition}`)?.leader ?? -1)
  if (address === undefined) throw new Error('no leader is known')
  const connection = await connected(address, `produce ${partition}`)
  const records = buildBatch({}, [{ timestamp: sentAt, value: String(sentAt) }])
  const answer = await connection.request(
    produceRequest,
    produceResponse,
    {
      acks: -1,
      timeoutMs: attemptMs,
      topicData: [{ name: topic, topicId, partitionData: [{ index: partition, records }] }],
    },
    io.clock.monotonicMs() + attemptMs,
  )
  const code = answer.responses[0]?.partitionResponses[0]?.errorCode
  if (code !== 0) throw new Error(`refused: ${code}`)
  process.stdout.write(`ack ${partition} ${sentAt} ${Date.now()}\n`)
}

async function probe(partition: number): Promise<never> {
  for (;;) {
    try {
      await write(partition)
      await delay(everyMs)
    } catch {
      await Promise.all([ask(), delay(retryMs)])
    }
  }
}

process.stdin.on('end', () => process.exit()).resume()
await ask()
for (let partition = 0; partition < Number(count); partition++) void probe(partition)
for (;;) {
  await ask()
  const since = Date.now() - 4 * viewEveryMs
  const answering = addresses.filter(address => (heard.get(address) ?? 0) >= since)
  const view: View = { controllerId, answering, partitions: [...known.values()] }
  process.stdout.write(`${JSON.stringify(view)}\n`)
  await delay(viewEveryMs)
}
