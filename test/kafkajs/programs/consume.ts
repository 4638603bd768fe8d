/** eachMessage and eachBatch: order, offsets, commits, seek, pause, stop. */
import type { Batch, Consumer, ConsumerConfig, ConsumerRunConfig, EachBatchPayload } from 'kafkajs'
import { counter, createTopic, failure, kafka, named, pause, quick, say } from './program.ts'

const producer = kafka.producer()
const admin = kafka.admin()
await producer.connect()
await admin.connect()
const topic = await createTopic('numbers', 2)
const messages = Array.from({ length: 20 }, (_, at) => ({ value: `${at}`, partition: at % 2 }))
await producer.send({ topic, messages })

const committed = async (groupId: string) =>
  (await admin.fetchOffsets({ groupId, topics: [topic] }))[0]!.partitions
    .map(({ partition, offset }) => `${partition}@${offset}`)
    .sort()

async function consuming(
  group: string,
  how: ConsumerRunConfig,
  done: Promise<void>,
  {
    fromBeginning = true,
    whileRunning = async (_: Consumer) => {},
    config = {} as Partial<ConsumerConfig>,
  } = {},
): Promise<Consumer> {
  const consumer = kafka.consumer({ groupId: named(group), ...quick, ...config })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning })
  await consumer.run(how)
  await whileRunning(consumer)
  await done
  await consumer.stop()
  await consumer.disconnect()
  return consumer
}

const seen = new Map<number, string[]>([
  [0, []],
  [1, []],
])
const twenty = counter(20)
const events: string[] = []
await consuming(
  'each-message',
  {
    partitionsConsumedConcurrently: 2,
    eachMessage: async ({ topic: from, partition, message, heartbeat }) => {
      await heartbeat()
      seen.get(partition)!.push(`${from}@${message.offset}=${message.value}`)
      twenty.add()
    },
  },
  twenty.done,
  {
    whileRunning: async consumer => {
      say('subscribe while it runs', await failure(() => consumer.subscribe({ topic })))
      say('run again', await failure(() => consumer.run({ eachMessage: async () => {} })))
      say('paused', consumer.paused())
    },
  },
)
say('each message', [...seen])
say('committed after each message', await committed(named('each-message')))

// The same group again goes on where it was: only what is new comes.
await producer.send({ topic, messages: [{ value: 'late', partition: 1 }] })
const late = counter(1)
const again: string[] = []
await consuming(
  'each-message',
  {
    eachMessage: async ({ message }) => {
      again.push(`${message.value}`)
      late.add()
    },
  },
  late.done,
)
say('the same group again', again)

// A new group without fromBeginning begins at the end.
const fresh: string[] = []
const afterwards = counter(1)
await consuming(
  'latest',
  {
    eachMessage: async ({ message }) => {
      fresh.push(`${message.value}`)
      afterwards.add()
    },
  },
  afterwards.done,
  {
    fromBeginning: false,
    whileRunning: async () => {
      await pause(1_500)
      await producer.send({ topic, messages: [{ value: 'now', partition: 0 }] })
    },
  },
)
say('from the end', fresh)

const shown = (batch: Batch) => ({
  partition: batch.partition,
  highWatermark: batch.highWatermark,
  values: batch.messages.map(({ value }) => `${value}`),
  isEmpty: batch.isEmpty(),
  first: batch.firstOffset(),
  last: batch.lastOffset(),
  lag: batch.offsetLag(),
  lagLow: batch.offsetLagLow(),
})
const batches: unknown[] = []
const two = counter(2)
await consuming(
  'each-batch',
  {
    eachBatch: async payload => {
      const {
        batch,
        uncommittedOffsets,
        resolveOffset,
        isRunning,
        isStale,
        heartbeat,
        commitOffsetsIfNecessary,
      } = payload
      resolveOffset(batch.messages[2]!.offset)
      await heartbeat()
      await commitOffsetsIfNecessary()
      const mine = uncommittedOffsets()
        .topics.flatMap(each => each.partitions)
        .filter(each => Number(each.partition) === batch.partition)
        .map(each => each.offset)
      batches.push({ ...shown(batch), mine, isRunning: isRunning(), isStale: isStale() })
      two.add()
    },
  },
  two.done,
)
say('each batch', batches.map(each => JSON.stringify(each)).sort())
say('committed after each batch', await committed(named('each-batch')))

// What is not resolved comes again.
const turns: unknown[] = []
const fourTurns = counter(4)
const partly = async ({ batch, resolveOffset, isRunning }: EachBatchPayload) => {
  if (batch.partition !== 0) return resolveOffset(batch.lastOffset())
  if (!isRunning()) return
  turns.push([batch.firstOffset(), batch.lastOffset()])
  if (turns.length <= 4) resolveOffset(batch.messages[1]!.offset)
  fourTurns.add()
  if (turns.length === 4) await pause(200)
}
await consuming('partly', { eachBatchAutoResolve: false, eachBatch: partly }, fourTurns.done)
say('partly resolved', turns.slice(0, 4))

// Commits by hand.
const half = counter(5)
await consuming(
  'by-hand',
  {
    autoCommit: false,
    eachMessage: async ({ partition }) => {
      if (partition === 0) half.add()
    },
  },
  half.done,
  {
    whileRunning: async consumer => {
      await half.done
      await consumer.commitOffsets([{ topic, partition: 0, offset: '5', metadata: 'mine' }])
    },
  },
)
say('committed by hand', await committed(named('by-hand')))
say(
  'metadata',
  (await admin.fetchOffsets({ groupId: named('by-hand'), topics: [topic] }))[0]!.partitions.sort(
    (a, b) => a.partition - b.partition,
  )[0],
)

// Seek right after run, and inside eachMessage.
const sought: string[] = []
const three = counter(3)
let jumped = false
const seeker = kafka.consumer({ groupId: named('seeker'), ...quick })
await seeker.connect()
await seeker.subscribe({ topic, fromBeginning: true })
say('seek before run', await failure(() => seeker.seek({ topic, partition: 0, offset: '1' })))
const running = seeker.run({
  eachMessage: async ({ partition, message }) => {
    if (partition === 1) return
    sought.push(message.offset)
    if (message.offset === '8' && !jumped) {
      jumped = true
      seeker.seek({ topic, partition: 0, offset: '4' })
    }
    if (jumped && sought.length <= 4) three.add()
  },
})
seeker.seek({ topic, partition: 0, offset: '7' })
await running
for (const offset of ['x', '-3', '']) {
  say(`seek to '${offset}'`, await failure(() => seeker.seek({ topic, partition: 0, offset })))
}
await three.done
say('sought', sought.slice(0, 4))
await seeker.disconnect()

// Pause in the middle, resume later.
const order: string[] = []
const paused = counter(1)
const ended = counter(20)
await consuming(
  'pauser',
  {
    eachMessage: async ({ partition, message, pause: hold }) => {
      if (Number(message.offset) >= 10) return
      order.push(`${partition}@${message.offset}`)
      ended.add()
      if (partition !== 0 || message.offset !== '3') return
      const resume = hold()
      paused.add()
      setTimeout(resume, 1_000)
    },
  },
  ended.done,
  {
    whileRunning: async consumer => {
      await paused.done
      say('paused partitions', consumer.paused())
      await pause(500)
      say(
        'while paused',
        order.filter(each => each.startsWith('0@')),
      )
      say('pause of nothing', await failure(() => consumer.pause([{ topic: '' }])))
    },
  },
)
say(
  'after resume',
  order.filter(each => each.startsWith('0@')),
)

// Thresholds inside a batch.
const commits: string[] = []
const ten = counter(10)
const gate = Promise.withResolvers<void>()
const byThreshold = kafka.consumer({ groupId: named('threshold'), ...quick })
byThreshold.on(byThreshold.events.COMMIT_OFFSETS, ({ payload }) => {
  for (const { partitions } of payload.topics) {
    for (const { partition, offset } of partitions)
      if (Number(partition) === 0) commits.push(offset)
  }
})
for (const name of [
  'CONNECT',
  'GROUP_JOIN',
  'START_BATCH_PROCESS',
  'END_BATCH_PROCESS',
  'STOP',
  'DISCONNECT',
  'CRASH',
] as const) {
  byThreshold.on(byThreshold.events[name], event =>
    events.push(`${event.type} ${Object.keys(event.payload ?? {}).length > 0}`),
  )
}
say('an event that is none', await failure(() => byThreshold.on('nothing' as never, () => {})))
const off = byThreshold.on(byThreshold.events.CONNECT, () =>
  say('removed listeners are called', true),
)
off()
await byThreshold.connect()
await byThreshold.subscribe({ topics: [topic], fromBeginning: true })
await byThreshold.run({
  autoCommitThreshold: 4,
  eachMessage: async ({ partition, message }) => {
    if (partition === 1) await gate.promise
    else if (Number(message.offset) < 10) ten.add()
  },
})
await Promise.race([ten.done, pause(3_000)])
gate.resolve()
await ten.done
await pause(300)
await byThreshold.disconnect()
say('committed by threshold', commits.at(-1))
say('events', [...new Set(events)].filter(each => !each.includes('connect')).sort())
say('names of events', Object.entries(byThreshold.events).sort())
await producer.disconnect()
await admin.disconnect()
