/** The command line of `ottla cluster`. */
import { type Command, collect, command, examples, talks, whole } from './command.ts'

/** More processes than this are no trial on one machine. */
const maxBrokers = 30

/** `ottla cluster`, with what lies below it. */
export function cluster(): Command {
  const cluster = command('cluster', 'Run a cluster on this machine; look at one; save metadata.')
  cluster.usage('<command> [options]').helpCommand(false)
  cluster.addCommand(startCluster())
  cluster.addCommand(clusterStatus())
  cluster.addCommand(removeBroker())
  cluster.addCommand(exportMetadata())
  cluster.addCommand(importMetadata())
  cluster.addCommand(etcd(), { hidden: true })
  examples(cluster, [['ottla cluster start --brokers 3', 'etcd and three brokers, until Ctrl-C']])
  return cluster
}

function startCluster(): Command {
  const start = command('start', 'Run etcd and brokers on this machine; Ctrl-C stops them.')
    .option('-n, --brokers <number>', 'how many', whole(1, maxBrokers), 3)
    .option(
      '-p, --port <number>',
      'port of the first broker; the others have the next ones; 0: any',
      whole(0, 65535),
      9092,
    )
    .option('-d, --data <directory>', 'where all of it lies', './ottla-cluster')
    .option('--store <url>', 'an etcd that runs already, instead of one of its own')
    .option('-s, --set <key=value>', 'one config of every broker; can be repeated', collect)
    .option('--log-level <level>', 'info, warn or error (default: info)')
  examples(start, [
    ['ottla cluster start', 'three brokers on ports 9092 to 9094'],
    ['ottla cluster start --brokers 5 --port 0', 'any free ports'],
    ['ottla cluster start --set min.insync.replicas=1', ''],
    ['ottla cluster start --store etcd://127.0.0.1:2379', 'with an etcd that runs already'],
  ])
  return start.action(async options => (await import('./cluster-start.ts')).startCluster(options))
}

function clusterStatus(): Command {
  const status = talks(command('status', 'Brokers, and partitions that lack a leader or copies.'))
    .option('-w, --watch', 'again and again, until Ctrl-C')
    .option('--interval <seconds>', 'how often with --watch', whole(1, 3600), 2)
    .option('--json', 'one JSON document, with --watch one a line')
  examples(status, [
    ['ottla cluster status', ''],
    ['ottla cluster status --watch -b host1:9092,host2:9092', ''],
    ['ottla cluster status --json | jq .troubled', ''],
  ])
  return status.action(async options =>
    (await import('./cluster-status.ts')).clusterStatus(options),
  )
}

function removeBroker(): Command {
  const remove = talks(command('remove-broker', 'Forget a broker that is gone for good.'))
    .argument('<id>', 'its node.id', whole(0))
    .option('--json', 'one JSON document')
  examples(remove, [
    ['ottla topics reassign --from-broker 3', 'first: it must hold nothing, and be stopped'],
    ['ottla cluster remove-broker 3', ''],
  ])
  return remove.action(async (id, options) =>
    (await import('./cluster-removal.ts')).removeBroker(id, options),
  )
}

function exportMetadata(): Command {
  const save = names(
    command('export', 'Write topics, configs and the like of a store to a file.'),
  ).argument('<file>')
  examples(save, [
    ['ottla cluster export metadata.json --store etcd://host1:2379,host2:2379/prefix', ''],
    [
      'ottla cluster export metadata.json --config server.properties',
      'store and credentials of it',
    ],
    [
      'ottla cluster export metadata.json --store ./ottla-data',
      'of a broker without etcd, stopped',
    ],
  ])
  return save.action(async (file, options) =>
    (await import('./cluster-metadata.ts')).exportMetadata(file, options),
  )
}

function importMetadata(): Command {
  const restore = names(command('import', 'Put such a file into a store that is empty.'))
    .argument('<file>')
    .addHelpText(
      'after',
      `
Stop all brokers before. Then start all of them: who leads is decided from the
ends of the copies. See docs/cluster.md.`,
    )
  examples(restore, [['ottla cluster import metadata.json --store etcd://host:2379', '']])
  return restore.action(async (file, options) =>
    (await import('./cluster-metadata.ts')).importMetadata(file, options),
  )
}

/** Which store, and how to be let in. */
function names(to: Command): Command {
  return to
    .option('--store <url>', 'etcd://host:2379/prefix, etcds://…, or a data directory')
    .option('-c, --config <file>', 'a server.properties file; can be repeated', collect)
    .option('-s, --set <key=value>', 'one config, as metadata.store.user; can be repeated', collect)
}

/** What `cluster start` runs to have etcd watched over. */
function etcd(): Command {
  return command('etcd', 'Run etcd until standard input ends.')
    .argument('<flag...>')
    .action(async flags => (await import('./cluster-etcd.ts')).superviseEtcd(flags))
}
