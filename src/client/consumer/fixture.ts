/** A consumer's core for tests, with everything at its default. */
import type { Io } from '../../io/io.ts'
import { Cluster } from '../cluster.ts'
import { Connection } from '../connection.ts'
import type { Brokers } from './brokers.ts'
import { ConsumerCore, type ConsumerNotices, type CoreOptions } from './core.ts'
import { Decoding } from './decoding.ts'
import { handMessage, Iteration } from './iteration.ts'
import type { Message } from './message.ts'

export interface TestOptions extends Partial<Omit<CoreOptions, 'fetch' | 'reading'>> {
  readonly fetch?: Partial<CoreOptions['fetch']>
  readonly reading?: Partial<CoreOptions['reading']>
}

export interface TestConsumer extends AsyncDisposable {
  readonly core: ConsumerCore
  readonly messages: Iteration<Message>
  readonly said: string[]
}

/** Brokers of a cluster as it is now. */
export function brokersOf(io: Io, host: string, port: number): Brokers & { close(): void } {
  const cluster = new Cluster(io, { bootstrap: [{ host, port }], timeoutMs: 5_000 })
  const lanes = new Map<string, Connection>()
  const listeners = new Set<() => void>()
  const ids = new Map<string, string>()
  const addresses = new Map<number, { host: string; port: number }>()
  return {
    async partitions(topic) {
      const answer = await cluster.metadata([topic])
      for (const each of answer.brokers) addresses.set(each.nodeId, each)
      const found = answer.topics[0]!
      ids.set(topic, found.topicId)
      return found.partitions.map(each => ({ ...each, partition: each.partitionIndex }))
    },
    topicId: topic => ids.get(topic),
    invalidate() {},
    onMetadata(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async connection(brokerId, lane, deadlineMs = io.clock.monotonicMs() + 5_000) {
      const key = `${brokerId} ${lane}`
      const open = lanes.get(key)
      if (open !== undefined && open.failure === undefined) return open
      const address = addresses.get(brokerId)!
      const made = await Connection.open(io, { ...address, clientId: 'test', deadlineMs })
      lanes.set(key, made)
      return made
    },
    nextBackoffMs: attempt => Math.min(1_000, 20 * 2 ** attempt),
    callBroker: (id, request, response, body) => cluster.callBroker(id, request, response, body),
    listOffsets: queries => cluster.listOffsets(queries),
    close: () => cluster.close(),
  }
}

export function testConsumer(io: Io, brokers: Brokers, options: TestOptions): TestConsumer {
  const said: string[] = []
  const notices: ConsumerNotices = {
    assigned: partitions => said.push(`assigned ${partitions.map(name).join(' ')}`),
    revoked: partitions => said.push(`revoked ${partitions.map(name).join(' ')}`),
    lost: partitions => said.push(`lost ${partitions.map(name).join(' ')}`),
    committed: offsets => said.push(`committed ${offsets.map(at).join(' ')}`),
    commitFailed: error => said.push(`commit failed: ${error}`),
    standstill: each => said.push(`${each.kind} ${name(each)}@${each.offset}`),
    warn: message => said.push(message),
  }
  const decoding = new Decoding<unknown, unknown>({
    key: undefined,
    value: undefined,
    interceptors: [],
    onDecodeError: 'throw',
    onSkipped: error => said.push(error.message),
  })
  const { fetch, reading, ...rest } = options
  const core = new ConsumerCore(
    io,
    brokers,
    {
      offsetReset: 'earliest',
      commit: 'auto',
      autoCommitMs: 5_000,
      maxProcessingMs: 60_000,
      maxUnfetchedMs: 30_000,
      closeTimeoutMs: 10_000,
      onAssigned: undefined,
      onRevoked: undefined,
      onLost: undefined,
      assignment: undefined,
      subscription: undefined,
      group: undefined,
      ...rest,
      fetch: {
        maxBytes: 16 * 1024 * 1024,
        partitionMaxBytes: 1024 * 1024,
        maxWaitMs: 500,
        minBytes: 1,
        readCommitted: false,
        rack: '',
        requestTimeoutMs: 5_000,
        preferredReplicaMs: 60_000,
        lane: 'fetch-1',
        ...fetch,
      },
      reading: {
        maxBatchBytes: 1024 * 1024,
        checkCrcs: true,
        maxBatchMessages: 500,
        decode: message => decoding.decode(message),
        skips: error => decoding.skips(error),
        ...reading,
      },
    },
    notices,
    async () => {},
  )
  const messages = new Iteration<Message>(
    core,
    handMessage<Message['key'], Message['value']>,
    undefined,
  )
  return { core, messages, said, [Symbol.asyncDispose]: () => core.close() }
}

function name({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}-${partition}`
}

function at(offset: { topic: string; partition: number; offset: number }): string {
  return `${name(offset)}@${offset.offset}`
}
