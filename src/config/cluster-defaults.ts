/** Defaults that are ours for a broker that is alone, and Kafka's where brokers share a metadata store. */
import type { ConfigKey } from './key.ts'

const ofSharedStore: ReadonlyMap<string, string> = new Map([
  // Many members on many machines start and reconnect at their own pace.
  ['group.initial.rebalance.delay.ms', '3000'],
  ['group.disconnect.grace.ms', '-1'],
])

/** The text of a key that is not set, next to these properties of the start; null: there is none. */
export function defaultText(
  { name, defaultValue }: ConfigKey,
  properties: ReadonlyMap<string, string>,
): string | null {
  const isShared = (properties.get('metadata.store') ?? '').trim() !== ''
  return (isShared ? ofSharedStore.get(name) : undefined) ?? defaultValue
}
