/** The command lines of `ottla configs …`. */
import { Argument } from 'commander'
import { type Command, command, examples, talks } from './command.ts'

/** `ottla configs`. */
export function configs(): Command {
  const configs = command('configs', 'See and change the configs of topics and brokers.')
  configs.usage('<command> [options]').helpCommand(false)
  configs.addCommand(describeConfigs())
  configs.addCommand(setConfigs())
  configs.addCommand(unsetConfigs())
  examples(configs, [
    ['ottla configs describe topic orders', 'what differs from the defaults'],
    ['ottla configs describe topic orders --all', 'every key, and what it does'],
    ['ottla configs set topic orders retention.ms=86400000 compression.type=zstd', ''],
    ['ottla configs unset topic orders retention.ms', ''],
  ])
  return configs
}

function kind(): Argument {
  return new Argument('<kind>', 'topic or broker').choices(['topic', 'broker'])
}

function describeConfigs(): Command {
  const describe = talks(command('describe', 'Configs, where they were set, and what they do.'))
    .addArgument(kind())
    .argument('[name...]', 'a topic, or the id of a broker; `broker default` is what holds for all')
    .option('--all', 'also keys that have their default, each with what it does')
    .option('--json', 'one JSON document a line')
  examples(describe, [
    ['ottla configs describe topic orders', ''],
    ['ottla configs describe broker', 'each broker of the cluster'],
    ['ottla configs describe broker 1 --all', ''],
  ])
  return describe.action(async (kind, names, options) =>
    (await import('./configs.ts')).describe(kind, names, options),
  )
}

function setConfigs(): Command {
  const set = talks(command('set', 'Set configs of a topic, of a broker, or of all brokers.'))
    .usage('[options] topic <name> <key=value...> | broker [id] <key=value...>')
    .addArgument(kind())
    .argument('<name|key=value...>', 'whose, and what; without an id: all brokers')
  examples(set, [
    ['ottla configs set topic orders retention.ms=86400000', ''],
    ['ottla configs set broker log.retention.ms=86400000', 'all brokers'],
    ['ottla configs set broker 1 log.retention.ms=86400000', ''],
  ])
  return set.action(async (kind, words, options) =>
    (await import('./configs.ts')).set(kind, words, options),
  )
}

function unsetConfigs(): Command {
  const unset = talks(command('unset', 'Take configs back to what holds without them.'))
    .usage('[options] topic <name> <key...> | broker [id] <key...>')
    .addArgument(kind())
    .argument('<name|key...>', 'whose, and which; without an id: all brokers')
  examples(unset, [
    ['ottla configs unset topic orders retention.ms', ''],
    ['ottla configs unset broker log.retention.ms', ''],
  ])
  return unset.action(async (kind, words, options) =>
    (await import('./configs.ts')).unset(kind, words, options),
  )
}
