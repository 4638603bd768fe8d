/** Members of groups, by Ottla's own Consumer: node members.ts BOOTSTRAP TOPIC, see events.ts. */
import { subscribe } from 'node:diagnostics_channel'
import { createInterface } from 'node:readline'
import {
  type AssignorName,
  Consumer,
  type MessageBatch,
  type TopicPartition,
} from '../../src/index.ts'
import type { MemberEvent } from './events.ts'

const [bootstrap = '', topic = ''] = process.argv.slice(2)
const assignor = (process.env['ASSIGNOR'] ?? 'range') as AssignorName
const commitEveryMs = 1000

type Said = MemberEvent extends infer Each
  ? Each extends MemberEvent
    ? Omit<Each, 'at' | 'member'>
    : never
  : never

interface Assigned {
  readonly memberId: string
  readonly generationId: number
}

/** By client id, with which the id of a member begins. */
const memberships = new Map<string, Assigned>()
subscribe('ottla:consumer:assigned', message => {
  const assigned = message as Assigned
  memberships.set(assigned.memberId.slice(0, assigned.memberId.lastIndexOf('@')), assigned)
})

class Member {
  readonly #name: string
  readonly #consumer: Consumer<Buffer | null, number>
  readonly #leaving = new AbortController()
  /** By partition: what is read but not committed yet. */
  readonly #positions = new Map<number, number>()
  #committing = Promise.resolve()
  readonly ended: Promise<void>

  constructor(name: string, group: string) {
    this.#name = name
    this.#consumer = new Consumer({
      bootstrap,
      clientId: `${name}@`,
      groupId: group,
      topics: topic,
      assignors: [assignor],
      offsetReset: 'earliest',
      commit: 'manual',
      sessionTimeoutMs: 6000,
      rebalanceTimeoutMs: 10_000,
      heartbeatIntervalMs: 500,
      value: bytes => Number(bytes),
      onAssigned: () => this.#joined(),
      onRevoked: async partitions => {
        await this.#commit()
        this.#gone(partitions)
      },
      onLost: partitions => this.#gone(partitions),
    })
    this.ended = this.#run().catch(error => this.#say({ event: 'failed', why: `${error}` }))
  }

  leave(): Promise<void> {
    this.#leaving.abort()
    return this.ended
  }

  async #run(): Promise<void> {
    const committing = setInterval(() => void this.#commit(), commitEveryMs)
    try {
      const batches = this.#consumer.batches({ signal: this.#leaving.signal })
      for await (const batch of batches) this.#read(batch)
    } finally {
      clearInterval(committing)
    }
    this.#say({ event: 'left' })
  }

  #read({ partition, messages }: MessageBatch<Buffer | null, number>): void {
    const records = messages.map(({ offset, value }) => [offset, value] as const)
    this.#say({ event: 'read', partition, records })
    this.#positions.set(partition, messages.at(-1)!.offset + 1)
  }

  #joined(): void {
    const { memberId, generationId } = memberships.get(this.#name)!
    const partitions = this.#consumer.assignment().map(({ partition }) => partition)
    this.#say({ event: 'joined', generation: generationId, id: memberId, partitions })
  }

  #gone(partitions: readonly TopicPartition[]): void {
    const gone = partitions.map(({ partition }) => partition)
    for (const partition of gone) this.#positions.delete(partition)
    this.#say({ event: 'revoked', partitions: gone })
  }

  /** One after the other. */
  #commit(): Promise<void> {
    this.#committing = this.#committing.then(() => this.#commitNow())
    return this.#committing
  }

  async #commitNow(): Promise<void> {
    const offsets = [...this.#positions]
    if (offsets.length === 0) return
    const before = memberships.get(this.#name)!
    try {
      await this.#consumer.commit(
        offsets.map(([partition, offset]) => ({ topic, partition, offset })),
      )
    } catch (error) {
      this.#say({ event: 'refused', why: `${error}` })
      return
    }
    const after = memberships.get(this.#name)!
    const generation = after === before ? before.generationId : -1
    this.#say({ event: 'committed', generation, id: before.memberId, offsets })
    for (const [partition, offset] of offsets) {
      if (this.#positions.get(partition) === offset) this.#positions.delete(partition)
    }
  }

  #say(said: Said): void {
    process.stdout.write(`${JSON.stringify({ at: Date.now(), member: this.#name, ...said })}\n`)
  }
}

const members = new Map<string, Member>()
for await (const line of createInterface({ input: process.stdin })) {
  const [command, name = '', group = ''] = line.split(' ')
  if (command === 'start') members.set(name, new Member(name, group))
  else if (command === 'leave') void members.get(name)?.leave()
}
await Promise.all([...members.values()].map(member => member.leave()))
process.exit()
