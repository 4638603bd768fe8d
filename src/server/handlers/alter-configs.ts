/**
 * AlterConfigs (key 33), v0–2, replaces all overrides of a resource; IncrementalAlterConfigs
 * (key 44), v0–1, changes single ones (KIP-339). Both for topics and brokers; of a broker only what
 * acts without a restart.
 */
import type { ConfigOp, ConfigResource, Outcome } from '../../cluster/admin.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type {
  AlterConfigsRequest,
  AlterConfigsResponse,
} from '../../protocol/messages/alter-configs.ts'
import type {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
} from '../../protocol/messages/incremental-alter-configs.ts'
import { configResource } from '../config-resources.ts'
import type { Failure, RequestContext } from '../context.ts'
import { repeated } from '../repeated.ts'

/** Neither request carries a timeout. */
const timeoutMs = 30_000

const operations: readonly ConfigOp['op'][] = ['SET', 'DELETE', 'APPEND', 'SUBTRACT']

interface Resource {
  readonly resourceType: number
  readonly resourceName: string
}

export async function alterConfigs(
  ctx: RequestContext,
  request: AlterConfigsRequest,
): Promise<AlterConfigsResponse> {
  const options = { validateOnly: request.validateOnly, deadlineMs: ctx.deadlineMs(timeoutMs) }
  return alterEach(
    ctx,
    request.resources,
    (resource, { configs }) => ({
      resource,
      configs: new Map(configs.map(({ name, value }) => [name, value])),
    }),
    changes => ctx.domain.controller.alterConfigs(changes, options),
  )
}

export async function incrementalAlterConfigs(
  ctx: RequestContext,
  request: IncrementalAlterConfigsRequest,
): Promise<IncrementalAlterConfigsResponse> {
  const options = { validateOnly: request.validateOnly, deadlineMs: ctx.deadlineMs(timeoutMs) }
  return alterEach(
    ctx,
    request.resources,
    (resource, { configs }) => ({ resource, ops: configs.map(configOp) }),
    changes => ctx.domain.controller.incrementalAlterConfigs(changes, options),
  )
}

/** Sends what is well-formed to the controller, all in one, and answers in the order asked. */
async function alterEach<R extends Resource, Change>(
  ctx: RequestContext,
  resources: readonly R[],
  changeOf: (resource: ConfigResource, wanted: R) => Change,
  alter: (changes: Change[]) => Promise<Outcome[]>,
) {
  const keyOf = ({ resourceType, resourceName }: R) => `${resourceType}/${resourceName}`
  const twice = repeated(resources.map(keyOf))
  const changes: Change[] = []
  const answers = resources.map(wanted => {
    try {
      if (twice.has(keyOf(wanted))) {
        throw new KafkaError('INVALID_REQUEST', 'the resource is named twice in this request')
      }
      const resource = configResource(ctx, wanted.resourceType, wanted.resourceName)
      return { wanted, index: changes.push(changeOf(resource, wanted)) - 1 }
    } catch (error) {
      return { wanted, refusal: ctx.refusal(error) }
    }
  })
  const outcomes = changes.length === 0 ? [] : await alter(changes)
  return {
    responses: answers.map(({ wanted: { resourceType, resourceName }, index, refusal }) => {
      const error = index === undefined ? undefined : outcomes[index]?.error
      const failure = refusal ?? (error && ctx.refusal(error))
      return { errorCode: 0, errorMessage: null, ...failure, resourceType, resourceName }
    }),
  }
}

function configOp(config: {
  name: string
  configOperation: number
  value: string | null
}): ConfigOp {
  const op = operations[config.configOperation]
  if (op === undefined) {
    throw new KafkaError('INVALID_REQUEST', `unknown operation ${config.configOperation}`)
  }
  return { key: config.name, op, value: config.value }
}

/** Serves both. */
export function alterConfigsFailure(
  request: { readonly resources: readonly Resource[] },
  failure: Failure,
): AlterConfigsResponse {
  return {
    responses: request.resources.map(({ resourceType, resourceName }) => ({
      ...failure,
      resourceType,
      resourceName,
    })),
  }
}
