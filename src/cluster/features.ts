/**
 * Features: what formats the brokers of a cluster may use with one another (KIP-584).
 *
 * A release speaks a range of levels of each feature and says so when it registers. The cluster is at
 * one level, in the key `cluster`; all brokers can read it, and whoever writes a key, a value or a
 * file format uses nothing above it. So brokers of two releases run side by side during a rolling
 * upgrade, in the formats of the older one; the level is raised when all are new, and from then on
 * the older release refuses to start, and is not admitted.
 */

/** Levels that a release speaks, both inclusive. */
export interface LevelRange {
  readonly min: number
  readonly max: number
}

/** By name of the feature. */
export type SupportedFeatures = ReadonlyMap<string, LevelRange>

/** The level that a cluster is at, and the oldest release known to speak it. */
export interface FinalizedFeature {
  readonly level: number
  readonly release: string
}

/** By name of the feature. */
export type FinalizedFeatures = ReadonlyMap<string, FinalizedFeature>

/** The level of all formats that brokers share: keys and values of the store, files, messages. */
export const formatFeature = 'ottla.version'

/** What this release speaks. */
export const ourFeatures: SupportedFeatures = new Map([[formatFeature, { min: 1, max: 1 }]])

/** Of clusters and releases that do not say: those before there were features. */
const firstLevel = 1

/** What a new cluster is at: the highest levels of the release that founds it. */
export function founded(supported: SupportedFeatures, release: string): FinalizedFeatures {
  return new Map([...supported].map(([feature, { max }]) => [feature, { level: max, release }]))
}

/** 0 where a feature is not in use. */
export function levelOf(finalized: FinalizedFeatures, feature: string): number {
  return finalized.get(feature)?.level ?? (feature === formatFeature ? firstLevel : 0)
}

/** What a broker speaks of a feature; only level 0 of one that it does not know. */
export function rangeOf(supported: SupportedFeatures, feature: string): LevelRange {
  const unsaid = feature === formatFeature ? firstLevel : 0
  return supported.get(feature) ?? { min: unsaid, max: unsaid }
}

/** Why a broker may not join a cluster, and what to do; undefined when it may. */
export function refusalToJoin(
  finalized: FinalizedFeatures,
  supported: SupportedFeatures,
): string | undefined {
  for (const feature of new Set([formatFeature, ...finalized.keys()])) {
    const level = levelOf(finalized, feature)
    const { min, max } = rangeOf(supported, feature)
    if (level >= min && level <= max) continue
    const known = finalized.get(feature)?.release
    const since = known === undefined ? '' : `, as release ${known} does`
    return level > max
      ? `the cluster is at level ${level} of ${feature}, and this release speaks ${max} at most: use one that speaks it${since}`
      : `the cluster is at level ${level} of ${feature}, and this release speaks ${min} at least: raise the level with an older release first`
  }
  return undefined
}
