/** The leader a client should go to instead, told with the refusal (KIP-951). */
import { KafkaError } from '../protocol/errors.ts'
import { reachableBrokers } from './advertised.ts'
import type { RequestContext } from './context.ts'

/** Versions that have a leader per partition, and addresses. */
interface Since {
  readonly leader: number
  readonly endpoints: number
}

/** Collects the leaders that one answer names, and then their addresses. */
export function currentLeaders(ctx: RequestContext, since: Since) {
  const named = new Set<number>()
  return {
    /** The leader, when `error` says that the client has an old one and we know a newer one. */
    after(error: unknown, topicId: string, name: string, index: number) {
      if (ctx.version < since.leader) return undefined
      if (!(error instanceof KafkaError) || !isStale(error)) return undefined
      const topic = ctx.image.topicById(topicId) ?? ctx.image.topicByName(name)
      const state = topic?.partitions[index]
      if (state === undefined) return undefined
      const leaderId = state.leader?.[0] ?? -1
      if (leaderId !== -1) named.add(leaderId)
      return { leaderId, leaderEpoch: state.leaderEpoch }
    },
    /** Where the leaders named so far are reached. */
    endpoints() {
      if (named.size === 0 || ctx.version < since.endpoints) return []
      return reachableBrokers(ctx).filter(({ nodeId }) => named.has(nodeId))
    },
  }
}

export type CurrentLeaders = ReturnType<typeof currentLeaders>

function isStale({ error }: KafkaError): boolean {
  return error === 'NOT_LEADER_OR_FOLLOWER' || error === 'FENCED_LEADER_EPOCH'
}
