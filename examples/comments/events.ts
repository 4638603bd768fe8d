/**
 * Publish and subscribe, in the words of this example. The only file that knows which client
 * speaks to the broker; any Kafka client will do.
 */
import { Admin, Client, orThrow, serializers } from 'ottla'
import type { CommentCreated } from './comment-created.ts'
import { bootstrap, topic } from './settings.ts'

const partitions = 3

/** Resolves once the broker has stored all of `events`; until then nothing may be taken as pushed. */
export type Publish = (events: readonly CommentCreated[]) => Promise<void>

/** Connects; the events of one article stay in order, because they carry it as their key. */
export async function connectPublisher(clientId: string): Promise<Publish> {
  const client = new Client({ bootstrap, clientId })
  await createTopic(client.admin())
  const producer = client.producer({ value: serializers.json<CommentCreated>() })
  return async events => {
    await producer.send(
      events.map(event => ({
        topic,
        key: event.comment.articleId,
        headers: { 'event-id': event.id, 'event-type': event.type, 'event-time': event.time },
        value: event,
      })),
    )
  }
}

/**
 * Pulls every event for the group `group`, one by one, the next when `handle` is done; a group
 * that has never been here starts at the very first event. Its position is stored now and then,
 * always behind what was handled: after a crash some events come once more, none is left out.
 * Resolves when the group has given this process its share.
 */
export async function subscribe(
  group: string,
  handle: (event: CommentCreated) => Promise<void>,
): Promise<void> {
  const client = new Client({ bootstrap, clientId: group })
  await createTopic(client.admin())
  await new Promise<void>(resolve => {
    const consumer = client.consumer({
      groupId: group,
      topics: topic,
      offsetReset: 'earliest',
      value: serializers.json<CommentCreated>(),
      autoCommitMs: 500,
      sessionTimeoutMs: 10_000,
      heartbeatIntervalMs: 1000,
      onAssigned: () => resolve(),
    })
    // What cannot be mended by trying again ends the process; whoever started it starts it anew.
    consumer
      .run({ each: ({ value }) => (value === null ? undefined : handle(value)) })
      .catch(error => {
        console.error(`${group}: ${error.message}`)
        process.exit(1)
      })
  })
}

/** What the broker knows: how many events it stored, and how many of them a group has yet to handle. */
export interface Positions {
  stored(): Promise<number>
  backlog(group: string): Promise<number>
  close(): Promise<void>
}

/** Asks the broker at `brokers` about the events in `topic`. */
export async function connectPositions(brokers: string, topic: string): Promise<Positions> {
  const admin = new Admin({ bootstrap: brokers, clientId: 'positions' })
  const [description] = orThrow(await admin.describeTopics([topic]))
  const ends = description!.partitions.map(({ partition }) => ({
    topic,
    partition,
    at: 'latest' as const,
  }))
  const stored = async () => sum(orThrow(await admin.listOffsets(ends)))
  return {
    stored,
    async backlog(group) {
      const [end, [committed]] = await Promise.all([
        stored(),
        admin.listGroupOffsets([group]).then(orThrow),
      ])
      return end - sum(committed!.offsets.filter(each => each.topic === topic))
    },
    close: () => admin.close(),
  }
}

async function createTopic(admin: Admin): Promise<void> {
  const [made] = await admin.createTopics([{ topic, partitions }])
  if (made?.error && made.error.error !== 'TOPIC_ALREADY_EXISTS') throw made.error
}

function sum(positions: readonly { readonly offset: number }[]): number {
  return positions.reduce((total, { offset }) => total + offset, 0)
}
