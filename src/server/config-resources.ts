/** The resources that have configs, between the numbers of the wire and the words of the domain. */
import type { ConfigResource } from '../cluster/admin.ts'
import { checkTopicName } from '../cluster/topic-rules.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { RequestContext } from './context.ts'

const resourceNames = new Map([
  [2, 'TOPIC'],
  [4, 'BROKER'],
  [8, 'BROKER_LOGGER'],
  [16, 'CLIENT_METRICS'],
  [32, 'GROUP'],
])

/**
 * The resource of a request: a topic that exists, a broker, or '' for all brokers. Throws
 * INVALID_TOPIC_EXCEPTION, UNKNOWN_TOPIC_OR_PARTITION, INVALID_REQUEST.
 */
export function configResource(ctx: RequestContext, type: number, name: string): ConfigResource {
  switch (type) {
    case 2:
      checkTopicName(name)
      ctx.topicByName(name)
      return { type: 'topic', name }
    case 4:
      return { type: 'broker', name }
    default:
      throw new KafkaError(
        'INVALID_REQUEST',
        `configs of ${resourceNames.get(type) ?? `resource type ${type}`} are not served yet`,
      )
  }
}
