/** Raises the level of a feature (UpdateFeatures, KIP-584): see `features.ts`. */
import { softwareVersion } from '../base/version.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { FeatureUpdate } from './admin.ts'
import type { Plan } from './controller-state.ts'
import { type FinalizedFeature, levelOf, rangeOf, type SupportedFeatures } from './features.ts'
import type { Image } from './image.ts'
import { codecs, keys } from './keys.ts'

/**
 * All of them, or none. Throws INVALID_UPDATE_VERSION when a broker that the cluster knows does not
 * speak the level, one that is down included: it could not come back. Whoever registers meanwhile is
 * admitted by this same controller, after it has decided this.
 */
export function updateFeatures(
  image: Image,
  updates: readonly FeatureUpdate[],
  ours: SupportedFeatures,
): Plan<Record<never, never>> {
  const cluster = image.cluster!
  const features = new Map<string, FinalizedFeature>(cluster.value.features)
  let isChanged = false
  for (const update of updates) {
    const before = levelOf(features, update.feature)
    checkUpdate(image, update, before, ours)
    if (update.level === before) continue
    features.set(update.feature, { level: update.level, release: softwareVersion })
    isChanged = true
  }
  if (!isChanged) return { steps: [], answer: {} }
  const compares = [
    { key: keys.cluster, target: 'modRevision' as const, equals: cluster.modRevision },
  ]
  const value = codecs.cluster.encode({ ...cluster.value, features })
  return { steps: [{ compares, ops: [{ put: keys.cluster, value }] }], answer: {} }
}

function checkUpdate(
  image: Image,
  { feature, level, kind }: FeatureUpdate,
  before: number,
  ours: SupportedFeatures,
): void {
  const refuse = (why: string) =>
    new KafkaError(
      'INVALID_UPDATE_VERSION',
      `Invalid update version ${level} for feature ${feature}. ${why}`,
    )
  if (kind === 'unknown') throw refuse('The controller does not support the given upgrade type.')
  if (level < 0) throw refuse('A feature version cannot be less than 0.')
  const known = ours.get(feature)
  if (known === undefined) {
    throw refuse('The controller does not support this feature.')
  }
  if (level < before) {
    throw refuse('It cannot be lowered: what was written since could no longer be read.')
  }
  if (level > before && kind !== 'upgrade') throw refuse("Can't downgrade to a newer version.")
  if (level < known.min || level > known.max) {
    throw refuse(`The controller only supports versions ${known.min}-${known.max}`)
  }
  for (const brokerId of image.knownBrokers()) {
    const { features, release } = (image.broker(brokerId) ?? image.admitted(brokerId)?.value)!
    const { min, max } = rangeOf(features, feature)
    if (level >= min && level <= max) continue
    throw refuse(
      `Broker ${brokerId} (release ${release || 'unknown'}) only supports versions ${min}-${max}`,
    )
  }
}
