import type { ConfigRules } from '../cluster/admin.ts'
import { type BrokerConfig, validateBrokerChange } from '../config/broker-config.ts'
import { brokerKeys } from '../config/broker-keys.ts'
import { logConfig, topicSynonyms, validateTopicConfigs } from '../config/topic-config.ts'
import { topicKeys } from '../config/topic-keys.ts'
import { KafkaError } from '../protocol/errors.ts'

/** Answers what the controller asks of configs, from the tables and from `config` as it is then. */
export function configRules(config: () => BrokerConfig): ConfigRules {
  return {
    get defaultPartitions() {
      return config().numPartitions
    },
    get defaultReplicationFactor() {
      return config().defaultReplicationFactor
    },
    validate({ type }, configs) {
      const validate = type === 'topic' ? validateTopicConfigs : validateBrokerChange
      const refusal = validate(configs)
      if (refusal !== undefined) throw new KafkaError('INVALID_CONFIG', refusal)
    },
    isList: (scope, key) => keysOf(scope).get(key)?.type === 'LIST',
    defaultList(scope, key) {
      const set = scope === 'topic' ? setOnBroker(config(), key) : undefined
      return set ?? keysOf(scope).get(key)?.defaultValue ?? ''
    },
    minInsyncReplicas: overrides => logConfig(overrides, config()).minInsyncReplicas,
    uncleanElection: overrides => logConfig(overrides, config()).uncleanLeaderElection,
  }
}

function keysOf(scope: 'topic' | 'broker') {
  return scope === 'topic' ? topicKeys : brokerKeys
}

/** What the broker was told that topics have which say nothing themselves; undefined: nothing. */
function setOnBroker({ sources }: BrokerConfig, topicKey: string): string | undefined {
  for (const name of topicSynonyms.get(topicKey) ?? []) {
    for (const texts of [sources.perBroker, sources.clusterWide, sources.properties]) {
      const text = texts.get(name)
      if (text !== undefined) return text
    }
  }
  return undefined
}
