/**
 * One piece of work against one broker, in a process of its own: what ../shared/bench's workloads lack.
 *
 *     node bench/versus/task.ts NAME JSON      prints one line of JSON: { figure: [value, unit] }
 *
 * `connections`, `partitions` and `newest` speak through a client that costs almost nothing (wire.mjs);
 * `tail` runs librdkafka's own benchmark, its consumers in groups; `paced` Java's.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { Admin, orThrow } from '../../src/index.ts'
import {
  librdkafkaProgram,
  type Metrics,
  procs,
  type Wire,
  wireModule,
  workloadsModule,
} from './shared.ts'

/** What every task is given. */
interface Target {
  readonly bootstrap: string
  readonly pid: number
}

const recordBytes = 1024
/** With these a batch is as long as the Java producer's by default. */
const recordsInBatch = 15
/** As max.in.flight.requests.per.connection. */
const inFlight = 5
const notLeaderYet = /error (3|5|6)$/

const { cpuSeconds, childCpuSeconds, busySeconds, quiet, claimMemory } = await procs()

/** Runs `work`, which moves `bytes`; the broker's CPU, and what others took meanwhile. */
async function measured(pid: number, bytes: number, work: () => Promise<void>): Promise<Metrics> {
  await quiet(5)
  const own = () => childCpuSeconds() + (process.cpuUsage().user + process.cpuUsage().system) / 1e6
  const before = [cpuSeconds([pid]), own(), busySeconds()] as const
  const startedAt = performance.now()
  await work()
  const seconds = (performance.now() - startedAt) / 1000
  const cpu = cpuSeconds([pid]) - before[0]
  const other = busySeconds() - before[2] - cpu - (own() - before[1])
  const share = Math.max(0, other / (seconds * availableParallelism()))
  return {
    throughput: [bytes / 1e6 / seconds, 'MB/s'],
    records: [bytes / recordBytes / seconds, 'records/s'],
    broker_cpu: [cpu / (bytes / 1e9), 's/GB'],
    other: [share * 100, '%'],
  }
}

/** Sends all of `frames` in turn, `count` in all, over the connections; repeats what has no leader yet. */
async function produceAll(
  wires: readonly Wire[],
  frameAt: (index: number) => Uint8Array,
  count: number,
): Promise<void> {
  let next = 0
  const lane = async (wire: Wire) => {
    while (next < count) {
      const frame = frameAt(next++)
      for (;;) {
        try {
          await wire.produce(frame)
          break
        } catch (error) {
          if (!notLeaderYet.test(String(error))) throw error
        }
      }
    }
  }
  await Promise.all(wires.flatMap(wire => Array.from({ length: inFlight }, () => lane(wire))))
}

async function connectAll(bootstrap: string, count: number): Promise<Wire[]> {
  const { Wire } = await wireModule()
  const [host = '', port = ''] = bootstrap.split(':')
  const wires: Wire[] = []
  // One by one: a queue of connections that wait to be accepted may be short.
  while (wires.length < count) wires.push(await Wire.connect(host, Number(port)))
  return wires
}

/** Produce over so many connections, each with five requests in flight, to one partition. */
async function connections({
  bootstrap,
  pid,
  connections: count,
  records,
  topic,
}: Target & {
  connections: number
  records: number
  topic: string
}): Promise<Metrics> {
  const { recordBatch, produceRequest } = await wireModule()
  const wires = await connectAll(bootstrap, count)
  await wires[0]!.topic(topic)
  const frame = produceRequest(topic, 0, recordBatch(recordsInBatch, recordBytes))
  const requests = Math.ceil(records / recordsInBatch)
  await produceAll(wires, () => frame, Math.max(count * inFlight, Math.ceil(requests / 5)))
  claimMemory(records * recordBytes)
  const bytes = requests * recordsInBatch * recordBytes
  const metrics = await measured(pid, bytes, () => produceAll(wires, () => frame, requests))
  for (const wire of wires) wire.socket.destroy()
  await remove(bootstrap, topic)
  return metrics
}

/** Produce to so many partitions in turn over four connections. The topic is kept for the next turn. */
async function partitions({
  bootstrap,
  pid,
  partitions: count,
  records,
  topic,
}: Target & {
  partitions: number
  records: number
  topic: string
}): Promise<Metrics> {
  const { recordBatch, produceRequest } = await wireModule()
  await createTopic(bootstrap, topic, count)
  const wires = await connectAll(bootstrap, 4)
  const one = recordBatch(1, 100)
  await produceAll(wires, index => produceRequest(topic, index, one), count)
  const batch = recordBatch(recordsInBatch, recordBytes)
  const frames = Array.from({ length: count }, (_, index) => produceRequest(topic, index, batch))
  const frameAt = (index: number) => frames[index % count]!
  const requests = Math.ceil(records / recordsInBatch)
  await produceAll(wires, frameAt, Math.ceil(requests / 5))
  claimMemory(records * recordBytes)
  const bytes = requests * recordsInBatch * recordBytes
  const metrics = await measured(pid, bytes, () => produceAll(wires, frameAt, requests))
  for (const wire of wires) wire.socket.destroy()
  return metrics
}

/** Apache Kafka refuses to create 10,000 with one request. */
const createdAtOnce = 5000

async function createTopic(bootstrap: string, topic: string, count: number): Promise<void> {
  await using admin = new Admin({ bootstrap })
  const timeoutMs = 300_000
  if ((await admin.listTopics()).some(each => each.topic === topic)) return
  const first = Math.min(count, createdAtOnce)
  orThrow(await admin.createTopics([{ topic, partitions: first }], { timeoutMs }))
  for (let total = first; total < count; ) {
    total = Math.min(count, total + createdAtOnce)
    orThrow(await admin.createPartitions([{ topic, count: total }], { timeoutMs }))
  }
}

async function remove(bootstrap: string, topic: string): Promise<Metrics> {
  await using admin = new Admin({ bootstrap })
  await admin.deleteTopics([topic], { timeoutMs: 120_000 })
  return {}
}

/** Answers of 1 MiB of the newest records, two at a time, again and again. */
async function newest({
  bootstrap,
  pid,
  bytes,
  topic,
}: Target & { bytes: number; topic: string }): Promise<Metrics> {
  const { recordBatch, produceRequest, fetchRequest, Drain } = await wireModule()
  const [wire] = await connectAll(bootstrap, 1)
  await wire!.topic(topic)
  const perBatch = 63
  const batch = recordBatch(perBatch, recordBytes)
  const inChunk = Math.floor(2 ** 20 / batch.length)
  await produceAll([wire!], () => produceRequest(topic, 0, batch), 4 * inChunk)
  const [host = '', port = ''] = bootstrap.split(':')
  const drain = await Drain.connect(Number(port), host)
  const chunkBytes = inChunk * batch.length
  const frame = fetchRequest(topic, 0, 3 * inChunk * perBatch, chunkBytes)
  const pass = async (total: number) => {
    let left = Math.ceil(total / chunkBytes)
    const lane = async () => {
      while (left-- > 0) {
        const got = await drain.send(frame)
        if (got < chunkBytes) throw new Error(`an answer of ${got} bytes, not ${chunkBytes}`)
      }
    }
    await Promise.all([lane(), lane()])
  }
  await pass(bytes / 5)
  const moved = Math.ceil(bytes / chunkBytes) * chunkBytes
  const metrics = await measured(pid, moved, () => pass(bytes))
  wire!.socket.destroy()
  drain.socket.destroy()
  await remove(bootstrap, topic)
  return metrics
}

/** So many groups with a consumer each follow one producer at full speed. */
async function tail({
  bootstrap,
  pid,
  groups,
  records,
  topic,
}: Target & {
  groups: number
  records: number
  topic: string
}): Promise<Metrics> {
  await createTopic(bootstrap, topic, 1)
  const perGroup = Math.ceil(records / groups)
  const of = ['-b', bootstrap, '-t', topic, '-c', String(perGroup), '-q']
  const readers = Array.from({ length: groups }, (_, index) => {
    const options = ['auto.offset.reset=earliest', 'allow.auto.create.topics=false']
    const args = ['-G', `${topic}-${index}`, ...of, ...options.flatMap(each => ['-X', each])]
    return launch(args.filter(each => each !== '-q'))
  })
  await Promise.all(readers.map(reader => reader.assigned))
  claimMemory(perGroup * recordBytes)
  const writing = ['-P', ...of, '-s', String(recordBytes), '-p', '0']
  const settings = ['-X', 'acks=all', '-X', 'queue.buffering.max.messages=1000000']
  const metrics = await measured(pid, perGroup * groups * recordBytes, async () => {
    const writer = launch([...writing, ...settings])
    await Promise.all([writer.ended, ...readers.map(reader => reader.ended)])
  })
  await remove(bootstrap, topic)
  return metrics
}

/** rdkafka_performance; `assigned` resolves when it has its partition. */
function launch(args: readonly string[]): { assigned: Promise<void>; ended: Promise<void> } {
  const child = spawn(librdkafkaProgram, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  const assigned = new Promise<void>(resolve => {
    const hear = (text: string) => {
      said = (said + text).slice(-2000)
      if (/[1-9]\d* new partition\(s\) assigned/.test(said)) resolve()
    }
    child.stdout.setEncoding('utf8').on('data', hear)
    child.stderr.setEncoding('utf8').on('data', hear)
  })
  const ended = once(child, 'close').then(([code, signal]) => {
    if (code !== 0) throw new Error(`rdkafka_performance ended with ${signal ?? code}: ${said}`)
  })
  return { assigned: Promise.race([assigned, ended]), ended }
}

/** Java's producer at a fixed rate; the first fifth is left out, as in `paced-1k`. */
async function paced({
  bootstrap,
  pid,
  rate,
  records,
}: Target & { rate: number; records: number }): Promise<Metrics> {
  const { Target } = await workloadsModule()
  const target = new Target(bootstrap, { pids: [pid], scale: 1, quietSeconds: 5 })
  try {
    const workload = { kind: 'produce', size: recordBytes, count: records, rate }
    return await target.run({ name: 'paced', ...workload, props: { acks: 'all' } })
  } finally {
    await target.close()
  }
}

const deleteTopic = ({ bootstrap, topic }: Target & { topic: string }) => remove(bootstrap, topic)
const tasks = { connections, partitions, newest, tail, paced, deleteTopic }
const [, , name = '', argument = '{}'] = process.argv
if (!(name in tasks)) throw new Error(`no task ${name}: ${Object.keys(tasks).join(', ')}`)
const task = tasks[name as keyof typeof tasks] as (argument: object) => Promise<Metrics>
console.log(JSON.stringify(await task(JSON.parse(argument))))
process.exit()
