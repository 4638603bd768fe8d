/**
 * Publish and subscribe, in the words of this example. The only file that knows which client
 * speaks to the broker; any Kafka client will do.
 */
import { type Admin, Kafka, logLevel, Partitioners } from 'kafkajs'
import type { CommentCreated } from './comment-created.ts'
import { bootstrap, topic } from './settings.ts'

const partitions = 3

/** Resolves once the broker has stored all of `events`; until then nothing may be taken as pushed. */
export type Publish = (events: readonly CommentCreated[]) => Promise<void>

/** Connects; the events of one article stay in order, because they carry it as their key. */
export async function connectPublisher(clientId: string): Promise<Publish> {
  await createTopic()
  const producer = client(clientId).producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  return async events => {
    await producer.send({
      topic,
      acks: -1, // answered when every replica in sync has it
      messages: events.map(event => ({
        key: event.comment.articleId,
        headers: { 'event-id': event.id, 'event-type': event.type, 'event-time': event.time },
        value: JSON.stringify(event),
      })),
    })
  }
}

/**
 * Pulls every event for the group `group`, one by one, the next when `handle` is done; a group
 * that has never been here starts at the very first event. Its position is stored now and then,
 * always behind what was handled: after a crash some events come once more, none is left out.
 * Resolves when the group has let this process in.
 */
export async function subscribe(
  group: string,
  handle: (event: CommentCreated) => Promise<void>,
): Promise<void> {
  await createTopic()
  const consumer = client(group).consumer({
    groupId: group,
    sessionTimeout: 10_000,
    heartbeatInterval: 1000,
    maxWaitTimeInMs: 500,
  })
  const joined = new Promise<void>(resolve => {
    consumer.on(consumer.events.GROUP_JOIN, () => resolve())
  })
  // What cannot be mended by trying again ends the process; whoever started it starts it anew.
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (payload.restart) return
    console.error(`${group}: ${payload.error.message}`)
    process.exit(1)
  })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await consumer.run({
    autoCommitThreshold: 200,
    autoCommitInterval: 500,
    eachMessage: ({ message }) => handle(JSON.parse(String(message.value))),
  })
  await joined
}

/** What the broker knows: how many events it stored, and how many of them a group has yet to handle. */
export interface Positions {
  stored(): Promise<number>
  backlog(group: string): Promise<number>
  close(): Promise<void>
}

/** Asks the broker at `brokers` about the events in `topic`. */
export async function connectPositions(brokers: string, topic: string): Promise<Positions> {
  const admin = client('positions', brokers).admin()
  await admin.connect()
  const stored = async () => sum(await admin.fetchTopicOffsets(topic))
  return {
    stored,
    async backlog(group) {
      const [end, [committed]] = await Promise.all([
        stored(),
        admin.fetchOffsets({ groupId: group, topics: [topic] }),
      ])
      return end - sum(committed?.partitions ?? [])
    },
    close: () => admin.disconnect(),
  }
}

function client(clientId: string, brokers = bootstrap): Kafka {
  return new Kafka({
    clientId,
    brokers: brokers.split(','),
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 100, maxRetryTime: 1000, retries: 20 },
  })
}

async function createTopic(): Promise<void> {
  const admin: Admin = client('setup').admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions }], waitForLeaders: true })
  await admin.disconnect()
}

/** An offset of -1 says that nothing has been committed yet. */
function sum(positions: readonly { readonly offset: string }[]): number {
  return positions.reduce((total, { offset }) => total + Math.max(0, Number(offset)), 0)
}
