/** The keys of a group: names, types and valid values are those of Apache Kafka 4.4. */

import type { ConfigKey } from './key.ts'
import { any, range, section, table, words } from './key-table.ts'

/** All keys of a group (apache/kafka 4.4), by name. */
export const groupKeys: ReadonlyMap<string, ConfigKey> = table(
  section(
    'later',
    [
      ['consumer.assignment.interval.ms', 'INT', '1000', range(0), 'MEDIUM'],
      ['consumer.heartbeat.interval.ms', 'INT', '5000', range(1), 'MEDIUM'],
      ['consumer.session.timeout.ms', 'INT', '45000', range(1), 'MEDIUM'],
      ['errors.deadletterqueue.copy.record.enable', 'BOOLEAN', 'false', any, 'MEDIUM'],
      ['errors.deadletterqueue.topic.name', 'STRING', null, any, 'MEDIUM'],
      ['share.assignment.interval.ms', 'INT', '1000', range(0), 'MEDIUM'],
      ['share.auto.offset.reset', 'STRING', 'latest', any, 'MEDIUM'],
      ['share.delivery.count.limit', 'INT', '5', range(2), 'MEDIUM'],
      ['share.heartbeat.interval.ms', 'INT', '5000', range(1), 'MEDIUM'],
      [
        'share.isolation.level',
        'STRING',
        'read_uncommitted',
        words('read_committed', 'read_uncommitted'),
        'MEDIUM',
      ],
      ['share.partition.max.record.locks', 'INT', '2000', range(100), 'MEDIUM'],
      ['share.record.lock.duration.ms', 'INT', '30000', range(1000), 'MEDIUM'],
      ['share.renew.acknowledge.enable', 'BOOLEAN', 'true', any, 'MEDIUM'],
      ['share.session.timeout.ms', 'INT', '45000', range(1), 'MEDIUM'],
      ['streams.assignment.interval.ms', 'INT', '1000', range(0), 'MEDIUM'],
      ['streams.assignor.name', 'STRING', null, any, 'MEDIUM'],
      ['streams.heartbeat.interval.ms', 'INT', '5000', range(1), 'MEDIUM'],
      ['streams.initial.rebalance.delay.ms', 'INT', '3000', range(0), 'MEDIUM'],
      ['streams.num.standby.replicas', 'INT', '0', range(0), 'MEDIUM'],
      ['streams.rack.aware.assignment.tags', 'LIST', '', any, 'LOW'],
      ['streams.session.timeout.ms', 'INT', '45000', range(1), 'MEDIUM'],
    ],
    'groups are not here yet',
  ),
)
