/**
 * Members of groups: node members.ts BOOTSTRAP TOPIC, see test/groups/events.ts. kafkajs brings no
 * assignor that other clients have; this one is `range`, as in Kafka.
 */
import { createInterface } from 'node:readline'
import kafkajs, { type Consumer, type LogEntry, type PartitionAssigner } from 'kafkajs'
import type { Joined, MemberEvent } from '../../groups/events.ts'

const {
  AssignerProtocol: { MemberAssignment, MemberMetadata },
  Kafka,
  logLevel,
} = kafkajs
const [bootstrap = '', topic = ''] = process.argv.slice(2)
const userData = Buffer.alloc(0)

/** Each member, in the order of their ids, gets a run of the partitions of each of its topics. */
const range: PartitionAssigner = ({ cluster }) => ({
  name: 'range',
  version: 0,
  protocol: ({ topics }) => ({
    name: 'range',
    metadata: MemberMetadata.encode({ version: 0, topics, userData }),
  }),
  async assign({ members }) {
    const takers = members
      .map(({ memberId, memberMetadata }) => ({
        memberId,
        topics: MemberMetadata.decode(memberMetadata)?.topics ?? [],
        assignment: {} as Record<string, number[]>,
      }))
      .sort((a, b) => (a.memberId < b.memberId ? -1 : 1))
    for (const name of new Set(takers.flatMap(({ topics }) => topics))) {
      const partitions = cluster.findTopicPartitionMetadata(name).map(each => each.partitionId)
      partitions.sort((a, b) => a - b)
      const mine = takers.filter(({ topics }) => topics.includes(name))
      mine.forEach(({ assignment }, i) => {
        const left = mine.length - i
        assignment[name] = partitions.splice(0, Math.ceil(partitions.length / left))
      })
    }
    return takers.map(({ memberId, assignment }) => ({
      memberId,
      memberAssignment: MemberAssignment.encode({ version: 0, assignment, userData }),
    }))
  },
})

type Said = MemberEvent extends infer Each
  ? Each extends MemberEvent
    ? Omit<Each, 'at' | 'member'>
    : never
  : never

function say(member: string, said: Said): void {
  process.stdout.write(`${JSON.stringify({ at: Date.now(), member, ...said })}\n`)
}

/** The generation is in no event of kafkajs, only in what it logs when it has its assignment. */
function joined({ log }: LogEntry): Joined | undefined {
  if (log.message !== 'Received assignment') return undefined
  const { generationId, memberId, memberAssignment } = log
  const partitions = memberAssignment[topic] ?? []
  return { event: 'joined', generation: generationId, id: memberId, partitions }
}

async function start(member: string, group: string): Promise<Consumer> {
  const kafka = new Kafka({
    clientId: member,
    brokers: [bootstrap],
    logLevel: logLevel.DEBUG,
    logCreator: () => entry => {
      const said = joined(entry)
      if (said !== undefined) say(member, said)
    },
    retry: { initialRetryTime: 100, maxRetryTime: 1000, retries: 40 },
  })
  const consumer = kafka.consumer({
    groupId: group,
    partitionAssigners: [range],
    heartbeatInterval: 500,
    sessionTimeout: 6000,
    rebalanceTimeout: 10_000,
    maxWaitTimeInMs: 500,
  })
  consumer.on(consumer.events.REBALANCING, () => say(member, { event: 'revoked' }))
  consumer.on(consumer.events.COMMIT_OFFSETS, ({ payload }) => {
    const offsets = payload.topics.flatMap(({ partitions }) =>
      partitions.map(each => [Number(each.partition), Number(each.offset)] as const),
    )
    const { groupGenerationId, memberId } = payload
    say(member, {
      event: 'committed',
      generation: Number(groupGenerationId),
      id: memberId,
      offsets,
    })
  })
  consumer.on(consumer.events.CRASH, ({ payload: { error, restart } }) => {
    say(member, { event: restart ? 'refused' : 'failed', why: `${error}` })
  })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    eachBatch: async ({ batch: { partition, messages } }) => {
      const records = messages.map(each => [Number(each.offset), Number(each.value)] as const)
      say(member, { event: 'read', partition, records })
    },
  })
  return consumer
}

const members = new Map<string, Promise<Consumer>>()

async function leave(member: string): Promise<void> {
  const starting = members.get(member)
  members.delete(member)
  await (await starting)?.disconnect()
  say(member, { event: 'left' })
}

function orFail(member: string, work: Promise<unknown>): void {
  work.catch(error => say(member, { event: 'failed', why: `${error}` }))
}

for await (const line of createInterface({ input: process.stdin })) {
  const [command, member = '', group = ''] = line.split(' ')
  if (command === 'start') {
    const starting = start(member, group)
    members.set(member, starting)
    orFail(member, starting)
  } else if (command === 'leave') {
    orFail(member, leave(member))
  }
}
await Promise.all([...members.keys()].map(leave))
process.exit()
