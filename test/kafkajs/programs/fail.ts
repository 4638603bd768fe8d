/** What happens when user code throws: how often it is called again, and when the consumer crashes. */
import kafkajs, {
  type ConsumerConfig,
  type ConsumerCrashEvent,
  type EachMessageHandler,
  Kafka,
  logLevel,
} from 'kafkajs'
import { createTopic, failure, kafka, named, pause, quick, say } from './program.ts'

const { KafkaJSNonRetriableError } = kafkajs
const producer = kafka.producer()
const admin = kafka.admin()
await producer.connect()
await admin.connect()
const topic = await createTopic('troubled')
await producer.send({ topic, messages: ['a', 'b', 'c'].map(value => ({ value })) })

const committed = async (groupId: string) =>
  (await admin.fetchOffsets({ groupId, topics: [topic] }))[0]!.partitions.map(each => each.offset)

/** Runs until `isOver`, or a crash without a restart. */
async function run(
  group: string,
  eachMessage: EachMessageHandler,
  isOver: (crashes: number) => boolean,
  retry: ConsumerConfig['retry'] = { initialRetryTime: 30, retries: 2 },
): Promise<void> {
  const calls: string[] = []
  const crashes: unknown[] = []
  const consumer = kafka.consumer({ groupId: named(group), ...quick, retry })
  let isDead = false
  consumer.on(
    consumer.events.CRASH,
    ({ payload: { error, groupId, restart } }: ConsumerCrashEvent) => {
      const { retryCount } = error as { retryCount?: number }
      crashes.push({ error, groupId, restart, retryCount })
      isDead ||= !restart
    },
  )
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    eachMessage: async payload => {
      calls.push(`${payload.message.value}`)
      await eachMessage(payload)
    },
  })
  for (let waited = 0; waited < 200 && !isDead && !isOver(crashes.length); waited++) await pause(50)
  await pause(100)
  const seen = [...calls]
  await consumer.disconnect()
  say(`${group}: calls`, seen)
  say(`${group}: crashes`, crashes)
  say(`${group}: committed`, await committed(named(group)))
}

let failures = 0
let calls = 0
await run(
  'recovers',
  async ({ message }) => {
    calls++
    if (`${message.value}` === 'b' && failures++ < 2) throw new Error('not yet')
  },
  () => calls === 5,
)

calls = 0
await run(
  'crashes and restarts',
  async ({ message }) => {
    calls++
    if (`${message.value}` === 'b' && calls <= 4) throw new Error('not yet')
  },
  () => calls >= 6,
)

await run(
  'is not restarted',
  async ({ message }) => {
    if (`${message.value}` === 'b') throw new Error('never')
  },
  () => false,
  { initialRetryTime: 30, retries: 1, restartOnFailure: async () => false },
)

await run(
  'has a mistake',
  async ({ message }) => {
    if (`${message.value}` === 'c') throw new TypeError('x is not a function')
  },
  () => false,
)

await run(
  'gives up',
  async () => {
    throw new KafkaJSNonRetriableError('that is all')
  },
  () => false,
)

const nowhere = new Kafka({
  brokers: ['127.0.0.1:1'],
  logLevel: logLevel.NOTHING,
  retry: { initialRetryTime: 20, retries: 1 },
})
const named2 = (error: unknown) => (error as Error).name
say('connect to nowhere', named2(await failure(() => nowhere.producer().connect())))
const someBrokers = new Kafka({
  brokers: async () => [process.argv[2]!],
  logLevel: logLevel.NOTHING,
})
const byFunction = someBrokers.admin()
await byFunction.connect()
say('brokers by a function', (await byFunction.listTopics()).includes(topic))
await byFunction.disconnect()
say('no group id', named2(await failure(() => kafka.consumer({ groupId: '' }))))
say(
  'heartbeats too far apart',
  named2(
    await failure(() => kafka.consumer({ groupId: 'x', heartbeatInterval: 9, sessionTimeout: 9 })),
  ),
)

for (const [name, value] of Object.entries(kafkajs)) {
  if (!name.startsWith('KafkaJS') || typeof value !== 'function') continue
  const described = { type: 'SOME_TYPE', code: 9, message: 'm', retriable: true }
  const metadata = {
    topic: 't',
    partition: 1,
    broker: 'b:1',
    retryCount: 2,
    retryTime: 3,
    partitions: [],
  }
  const isBase = [
    'KafkaJSError',
    'KafkaJSNonRetriableError',
    'KafkaJSProtocolError',
    'KafkaJSOffsetOutOfRange',
    'KafkaJSNumberOfRetriesExceeded',
    'KafkaJSConnectionError',
    'KafkaJSTimeout',
    'KafkaJSNotImplemented',
  ].includes(name)
  if (!isBase) continue
  const made = new (value as new (...args: unknown[]) => Error & { retriable: boolean })(
    described,
    metadata,
  )
  const { message, retriable } = made
  const fields = made as unknown as Record<string, unknown>
  say(`class ${name}`, {
    name: made.name,
    message,
    retriable,
    isError: made instanceof kafkajs.KafkaJSError,
    topic: fields['topic'],
    type: fields['type'],
    code: fields['code'],
    retryCount: fields['retryCount'],
  })
}
for (const name of [
  'logLevel',
  'CompressionTypes',
  'ConfigResourceTypes',
  'ConfigSource',
  'AclResourceTypes',
  'AclOperationTypes',
  'AclPermissionTypes',
  'ResourcePatternTypes',
] as const) {
  say(name, Object.entries(kafkajs[name]).sort())
}
await producer.disconnect()
await admin.disconnect()
