/**
 * How fast moves may be (KIP-73): brokers have a rate, topics say which replicas it is for: those that
 * are added when they take, all that were there when they send.
 */
import type { Cluster } from '../client/cluster.ts'
import { alterConfigs, describeTopicConfigs } from '../client/configs.ts'
import { throttledReplicasKeys } from '../config/throttle-config.ts'
import { explain, Failure } from './failure.ts'
import type { PlannedMove } from './reassign-plan.ts'

const rateKeys = ['leader.replication.throttled.rate', 'follower.replication.throttled.rate']
const replicasKeys = Object.values(throttledReplicasKeys)

/** Topics of which configs are asked for at once. */
const topicsAtOnce = 500

const units: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 }

/** Bytes a second of `50M`; undefined for `none`. Throws Failure. */
export function rateOf(text: string): number | undefined {
  if (text === 'none') return undefined
  const [, number, unit] = /^(\d+)([KMG]?)(?:i?B)?$/.exec(text) ?? []
  const rate = Number(number) * (units[unit ?? ''] ?? Number.NaN)
  if (Number.isSafeInteger(rate) && rate > 0) return rate
  throw new Failure(`--throttle ${text}: write bytes a second, as 50000000 or 50M, or none`)
}

/** Sets the rate of every broker, and which replicas of the topics it is for. Throws KafkaError. */
export async function throttleMoves(
  cluster: Cluster,
  moves: readonly Pick<PlannedMove, 'topic' | 'partition' | 'before' | 'adding'>[],
  brokerIds: readonly number[],
  rate: number,
): Promise<void> {
  const rates = new Map(rateKeys.map(key => [key, String(rate)]))
  for (const id of brokerIds) await alterConfigs(cluster, { kind: 'broker', name: `${id}` }, rates)
  for (const [name, ofTopic] of Map.groupBy(moves, ({ topic }) => topic)) {
    const list = (side: 'before' | 'adding') =>
      ofTopic.flatMap(each => each[side].map(id => `${each.partition}:${id}`)).join(',')
    const changes = new Map([
      [throttledReplicasKeys.leader, list('before')],
      [throttledReplicasKeys.follower, list('adding')],
    ])
    await alterConfigs(cluster, { kind: 'topic', name }, changes)
  }
}

/** Those of the topics that name replicas. */
export async function throttledTopics(
  cluster: Cluster,
  names: readonly string[],
): Promise<string[]> {
  const found: string[] = []
  for (let at = 0; at < names.length; at += topicsAtOnce) {
    const all = await describeTopicConfigs(cluster, names.slice(at, at + topicsAtOnce))
    for (const [name, configs] of all) {
      const isThrottled = configs.some(
        config => (replicasKeys as readonly string[]).includes(config.name) && config.value,
      )
      if (isThrottled) found.push(name)
    }
  }
  return found
}

/** Takes it off; what cannot be reached is said on standard error, with what to do later. */
export async function unthrottle(
  cluster: Cluster,
  topics: readonly string[],
  brokerIds: readonly number[],
): Promise<void> {
  const resources = [
    ...brokerIds.map(id => ({ kind: 'broker' as const, name: `${id}`, keys: rateKeys })),
    ...topics.map(name => ({ kind: 'topic' as const, name, keys: replicasKeys })),
  ]
  for (const { kind, name, keys } of resources) {
    try {
      await alterConfigs(cluster, { kind, name }, new Map(keys.map(key => [key, null])))
    } catch (error) {
      const why = explain(error)
      if (why === undefined) throw error
      console.error(
        `ottla: ${kind} ${name} stays throttled (${why}): \`ottla configs unset ${kind} ${name} ${keys.join(' ')}\``,
      )
    }
  }
}
