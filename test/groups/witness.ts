/**
 * Asks the broker, past all members: what is committed, once a second; and it commits, in the name
 * of members and generations that are gone, offsets that must never be taken.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster } from '../../src/client/cluster.ts'
import { fetchOffsets } from '../../src/client/groups.ts'
import { type ErrorName, errorName } from '../../src/protocol/errors.ts'
import {
  offsetCommitRequest,
  offsetCommitResponse,
} from '../../src/protocol/messages/offset-commit.ts'
import type { Prng } from '../../src/sim/random.ts'
import type { Checks } from './checks.ts'
import type { Joined } from './events.ts'

const everyMs = 1000
/** These say nothing of the member: the question is asked again. */
const passing: readonly ErrorName[] = [
  'COORDINATOR_LOAD_IN_PROGRESS',
  'COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR',
]

export class Witness {
  readonly #cluster: Cluster
  readonly #topic: string
  readonly #topicId: string
  readonly #groups: readonly string[]
  readonly #checks: Checks
  readonly #random: Prng
  /** By group: who once had an assignment. */
  readonly #past = new Map<string, Joined[]>()
  #stopping = false
  polls = 0
  /** How late commits were refused, and how often. */
  readonly refusals = new Map<ErrorName, number>()

  constructor(
    cluster: Cluster,
    topic: { readonly name: string; readonly id: string },
    groups: readonly string[],
    checks: Checks,
    random: Prng,
  ) {
    this.#cluster = cluster
    this.#topic = topic.name
    this.#topicId = topic.id
    this.#groups = groups
    this.#checks = checks
    this.#random = random
  }

  joined(group: string, joined: Joined): void {
    const past = this.#past.get(group) ?? []
    this.#past.set(group, past)
    past.push(joined)
  }

  stop(): void {
    this.#stopping = true
  }

  /** Resolves when it was stopped. Throws when a broker that is up does not answer. */
  async run(): Promise<void> {
    while (!this.#stopping) {
      for (const group of this.#groups) {
        await this.#commitLate(group)
        await this.poll(group)
      }
      await delay(everyMs)
    }
  }

  /** The offsets that are committed now, by partition. */
  async poll(group: string): Promise<Map<number, number>> {
    const floor = this.#checks.floor(group)
    const committed = await fetchOffsets(this.#cluster, group)
    const offsets = new Map(committed.map(({ partition, offset }) => [partition, offset]))
    this.#checks.poll(group, floor, offsets)
    this.polls += 1
    return offsets
  }

  async #commitLate(group: string): Promise<void> {
    const past = this.#past.get(group) ?? []
    const newest = Math.max(...past.map(({ generation }) => generation))
    const late = past.filter(({ generation }) => generation >= 0 && generation < newest)
    const who = late[this.#random.below(late.length)]
    const partition = who?.partitions[0]
    if (who === undefined || partition === undefined) return
    const answer = await this.#cluster.callCoordinator(
      group,
      offsetCommitRequest,
      offsetCommitResponse,
      {
        groupId: group,
        generationIdOrMemberEpoch: who.generation,
        memberId: who.id,
        topics: [
          {
            name: this.#topic,
            topicId: this.#topicId,
            partitions: [{ partitionIndex: partition, committedOffset: 0, committedMetadata: '' }],
          },
        ],
      },
      ({ topics }) => {
        const code = topics[0]?.partitions[0]?.errorCode ?? -1
        return passing.includes(errorName(code)) ? code : 0
      },
    )
    const error = errorName(answer.topics[0]?.partitions[0]?.errorCode ?? -1)
    this.refusals.set(error, (this.refusals.get(error) ?? 0) + 1)
    if (error !== 'NONE') return
    const what = `${group}-${partition} by ${who.id} of generation ${who.generation}`
    this.#checks.breach('a late commit was taken', what)
  }
}
