/** New overrides from old ones: AlterConfigs and IncrementalAlterConfigs (KIP-339). Pure. */
import { KafkaError } from '../protocol/errors.ts'
import type { ConfigChange, ConfigOp, ConfigRules } from './admin.ts'
import type { ConfigScope } from './keys.ts'

/** Throws INVALID_REQUEST for what cannot be meant, INVALID_CONFIG for what a key cannot take. */
export function changedOverrides(
  change: ConfigChange,
  before: ReadonlyMap<string, string>,
  rules: ConfigRules,
): ReadonlyMap<string, string> {
  return 'ops' in change
    ? applyOps(change.resource.type, change.ops, before, rules)
    : new Map([...change.configs].map(([key, value]) => [key, present(key, value)]))
}

function applyOps(
  scope: ConfigScope,
  ops: readonly ConfigOp[],
  before: ReadonlyMap<string, string>,
  rules: ConfigRules,
): ReadonlyMap<string, string> {
  const after = new Map(before)
  const seen = new Set<string>()
  for (const { key, op, value } of ops) {
    if (seen.has(key)) throw new KafkaError('INVALID_REQUEST', `${key} is there twice`)
    seen.add(key)
    if (op === 'DELETE') {
      after.delete(key)
    } else if (op === 'SET') {
      after.set(key, present(key, value))
    } else {
      if (!rules.isList(scope, key)) {
        throw new KafkaError('INVALID_CONFIG', `${key} is not a list: it takes no ${op}`)
      }
      const old = elements(before.get(key) ?? rules.defaultList(scope, key))
      const given = elements(present(key, value))
      const wanted =
        op === 'APPEND'
          ? [...new Set([...old, ...given])]
          : old.filter(element => !given.includes(element))
      after.set(key, wanted.join(','))
    }
  }
  return after
}

function present(key: string, value: string | null): string {
  if (value === null) throw new KafkaError('INVALID_REQUEST', `${key} has no value`)
  return value
}

function elements(list: string): string[] {
  return list
    .split(',')
    .map(element => element.trim())
    .filter(element => element !== '')
}
