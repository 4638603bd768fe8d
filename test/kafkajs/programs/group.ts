/** Several members: how they share, what a rebalance does to work in hands. */
import kafkajs, { type Consumer, type PartitionAssigner } from 'kafkajs'
import { createTopic, kafka, named, pause, quick, say } from './program.ts'

const { AssignerProtocol, PartitionAssigners } = kafkajs
const topic = await createTopic('shared', 6)
const other = await createTopic('also', 2)
const producer = kafka.producer()
await producer.connect()

interface Member {
  readonly consumer: Consumer
  readonly seen: string[]
  assignment: Record<string, number[]>
  beats: number
}

async function member(group: string, partitionAssigners?: PartitionAssigner[]): Promise<Member> {
  const consumer = kafka.consumer({
    groupId: named(group),
    ...quick,
    rebalanceTimeout: 5_000,
    ...(partitionAssigners ? { partitionAssigners } : {}),
  })
  const made: Member = { consumer, seen: [], assignment: {}, beats: 0 }
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    made.assignment = payload.memberAssignment
  })
  consumer.on(consumer.events.HEARTBEAT, ({ payload }) => {
    if (payload.groupId === named(group) && payload.memberId !== '') made.beats++
  })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic, other], fromBeginning: true })
  await consumer.run({
    eachMessage: async ({ partition, message }) => {
      made.seen.push(`${partition}:${message.value}`)
    },
  })
  return made
}

async function until(isTrue: () => boolean): Promise<boolean> {
  for (let turn = 0; turn < 300; turn++) {
    if (isTrue()) return true
    await pause(50)
  }
  return false
}

const sizes = (members: Member[]) =>
  members.map(({ assignment }) => Object.values(assignment).flat().length).sort()

const first = await member('team')
say(
  'alone',
  Object.entries(first.assignment)
    .map(([name, list]) => [name, list.toSorted()])
    .sort(),
)
const second = await member('team')
say('two share', await until(() => sizes([first, second]).join() === '4,4'))
await producer.send({
  topic,
  messages: Array.from({ length: 60 }, (_, at) => ({ value: `${at}`, partition: at % 6 })),
})
say('all are seen', await until(() => first.seen.length + second.seen.length >= 60))
say('each once', new Set([...first.seen, ...second.seen]).size)
say('heartbeats', await until(() => first.beats > 1 && second.beats > 1))
const { groups } = await (async () => {
  const admin = kafka.admin()
  await admin.connect()
  const described = await admin.describeGroups([named('team')])
  await admin.disconnect()
  return described
})()
say(
  'assignments',
  groups[0]!.members.map(({ memberAssignment }) => {
    const decoded = AssignerProtocol.MemberAssignment.decode(memberAssignment)!
    return Object.values(decoded.assignment).flat().length
  }),
)
say(
  'metadata',
  groups[0]!.members.map(({ memberMetadata }) =>
    AssignerProtocol.MemberMetadata.decode(memberMetadata)!.topics.toSorted(),
  ),
)
await second.consumer.disconnect()
say('one is left', await until(() => sizes([first]).join() === '8'))
await producer.send({ topic, messages: [{ value: 'rest', partition: 5 }] })
say('and reads on', await until(() => first.seen.includes('5:rest')))
await first.consumer.disconnect()

// An assigner of one's own: everything goes to the member that says so in its user data.
const greedy: PartitionAssigner = ({ cluster }) => ({
  name: 'Greedy',
  version: 1,
  async assign({ members, topics }) {
    const said = members.map(({ memberId, memberMetadata }) => ({
      memberId,
      userData: AssignerProtocol.MemberMetadata.decode(memberMetadata)!.userData.toString(),
    }))
    const taker = said.find(({ userData }) => userData === 'all for me')!
    const assignment = Object.fromEntries(
      topics.map(name => [
        name,
        cluster.findTopicPartitionMetadata(name).map(each => each.partitionId),
      ]),
    )
    return [
      {
        memberId: taker.memberId,
        memberAssignment: AssignerProtocol.MemberAssignment.encode({
          version: 1,
          assignment,
          userData: Buffer.alloc(0),
        }),
      },
    ]
  },
  protocol: ({ topics }) => ({
    name: 'Greedy',
    metadata: AssignerProtocol.MemberMetadata.encode({
      version: 1,
      topics,
      userData: Buffer.from('all for me'),
    }),
  }),
})
const modest: PartitionAssigner = config => {
  const { assign, version } = greedy(config)
  return {
    name: 'Greedy',
    version,
    assign,
    protocol: ({ topics }) => ({
      name: 'Greedy',
      metadata: AssignerProtocol.MemberMetadata.encode({
        version: 1,
        topics,
        userData: Buffer.from(''),
      }),
    }),
  }
}
const taker = await member('greedy', [greedy, PartitionAssigners.roundRobin])
const giver = await member('greedy', [modest])
say(
  'an assigner of its own',
  await until(() => sizes([taker, giver]).join() === '0,8' && sizes([taker])[0] === 8),
)
await Promise.all([taker.consumer.disconnect(), giver.consumer.disconnect()])

// A pattern, and a name beside it.
await createTopic('made')
const wide = kafka.consumer({ groupId: named('wide'), ...quick })
const names = new Set<string>()
await wide.connect()
await wide.subscribe({
  topics: [new RegExp(`${named('(shared|also)')}$`), named('made')],
  fromBeginning: true,
})
await wide.run({ eachMessage: async ({ topic: from }) => void names.add(from) })
await producer.send({ topic: named('made'), messages: [{ value: 'x' }] })
await producer.send({ topic: other, messages: [{ value: 'x' }] })
say('by pattern and by name', await until(() => names.size === 3))
say('names', [...names].sort())
await wide.disconnect()
await producer.disconnect()
