import type { Image } from '../cluster/image.ts'
import {
  type BrokerConfig,
  brokerConfig,
  noProperties,
  parseBrokerConfig,
} from '../config/broker-config.ts'
import { ConfigError } from '../config/key.ts'
import type { Report } from '../io/io.ts'

/** This broker's configuration: the properties of its start, and what was changed while it runs. */
export class LiveConfig {
  /** Sentences about properties that do not act. */
  readonly notices: readonly string[]
  #current: BrokerConfig

  /** Throws ConfigError that says all that is wrong. */
  constructor(properties: ReadonlyMap<string, string> | Readonly<Record<string, string>>) {
    const map = properties instanceof Map ? properties : new Map(Object.entries(properties))
    const { config, notices, errors } = parseBrokerConfig(map)
    if (config === undefined) throw new ConfigError(errors.join('; '))
    this.notices = notices
    this.#current = config
  }

  get current(): BrokerConfig {
    return this.#current
  }

  /**
   * Takes up dynamic configs whenever the image changes; call it before others subscribe who look at
   * the configuration then. A stored value that is invalid here (another release wrote it) changes
   * nothing and is reported.
   */
  follow(image: Image, report: Report): void {
    const own = String(this.#current.nodeId)
    image.subscribe(({ configs }) => {
      if (!configs.has('broker/') && !configs.has(`broker/${own}`)) return
      const { properties } = this.#current.sources
      const clusterWide = image.configs('broker', '') ?? noProperties
      const perBroker = image.configs('broker', own) ?? noProperties
      try {
        this.#current = brokerConfig({ properties, clusterWide, perBroker })
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error
        report.error({ error: error.message }, 'dynamic broker configs are invalid: not taken up')
      }
    })
  }
}
