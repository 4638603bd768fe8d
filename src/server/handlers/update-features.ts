/** UpdateFeatures (key 57), v0–2. All of them are changed, or none. */
import type { FeatureUpdate } from '../../cluster/admin.ts'
import { errorCode, KafkaError } from '../../protocol/errors.ts'
import type {
  UpdateFeaturesRequest,
  UpdateFeaturesResponse,
} from '../../protocol/messages/update-features.ts'
import type { Failure, RequestContext } from '../context.ts'
import { repeated } from '../repeated.ts'

const kinds: readonly FeatureUpdate['kind'][] = [
  'unknown',
  'upgrade',
  'safe-downgrade',
  'unsafe-downgrade',
]

export async function updateFeatures(
  ctx: RequestContext,
  request: UpdateFeaturesRequest,
): Promise<UpdateFeaturesResponse> {
  const names = request.featureUpdates.map(({ feature }) => feature)
  const [twice] = repeated(names)
  if (twice !== undefined) throw new KafkaError('INVALID_REQUEST', `${twice} is there twice`)
  const updates = request.featureUpdates.map(
    ({ feature, maxVersionLevel, allowDowngrade, upgradeType }): FeatureUpdate => ({
      feature,
      level: maxVersionLevel,
      kind: allowDowngrade ? 'safe-downgrade' : (kinds[upgradeType] ?? 'unknown'),
    }),
  )
  await ctx.domain.controller.updateFeatures(updates, {
    validateOnly: request.validateOnly,
    deadlineMs: ctx.deadlineMs(request.timeoutMs),
  })
  const results = names.map(feature => ({ feature, errorCode: 0, errorMessage: null }))
  return { errorCode: 0, errorMessage: null, results }
}

/** Until v1 each feature is told by itself; later the answer as a whole. */
export function updateFeaturesFailure(
  { featureUpdates }: UpdateFeaturesRequest,
  failure: Failure,
  version: number,
): UpdateFeaturesResponse {
  const isOfFeature = version < 2 && failure.errorCode === errorCode('INVALID_UPDATE_VERSION')
  if (!isOfFeature) return { ...failure, results: [] }
  const results = featureUpdates.map(({ feature }) => ({ feature, ...failure }))
  return { errorCode: 0, errorMessage: null, results }
}
