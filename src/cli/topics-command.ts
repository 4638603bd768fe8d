/** The command line of `ottla topics`. */
import { type Command, collect, command, examples, talks, whole } from './command.ts'

/** `ottla topics`, with what lies below it. */
export function topics(): Command {
  const topics = command('topics', 'List, create, describe, alter, delete and move topics.')
  topics.usage('<command> [options]').helpCommand(false)
  topics.addCommand(listTopics())
  topics.addCommand(createTopics())
  topics.addCommand(describeTopics())
  topics.addCommand(alterTopic())
  topics.addCommand(deleteTopics())
  topics.addCommand(reassignTopics())
  topics.addCommand(electTopicLeaders())
  examples(topics, [
    ['ottla topics list', ''],
    ['ottla topics create orders --partitions 3 --config retention.ms=86400000', ''],
    ['ottla topics describe orders', 'partitions, sizes, configs that were set'],
    ['ottla topics delete orders', ''],
  ])
  return topics
}

function listTopics(): Command {
  const list = talks(command('list', 'Names, partitions, copies and sizes.'))
    .option('--internal', "also the broker's own topics")
    .option('--json', 'one JSON document a line')
  examples(list, [
    ['ottla topics list', ''],
    ['ottla topics list --json | jq -r .name', ''],
  ])
  return list.action(async options => (await import('./topics.ts')).list(options))
}

function createTopics(): Command {
  const create = talks(command('create', 'Create topics.'))
    .argument('<name...>')
    .option('-p, --partitions <number>', "number of partitions (default: the broker's)", whole(1))
    .option('-r, --replication-factor <number>', "copies (default: the broker's)", whole(1))
    .option('-c, --config <key=value>', 'a topic config; can be repeated', collect)
    .option('--if-not-exists', 'no error for a topic that is there already')
    .option('--json', 'one JSON document a line')
  examples(create, [
    ['ottla topics create orders', ''],
    ['ottla topics create orders payments --partitions 3', ''],
    ['ottla topics create audit --config retention.ms=-1 --config compression.type=zstd', ''],
  ])
  return create.action(async (names, options) =>
    (await import('./topics.ts')).create(names, options),
  )
}

function describeTopics(): Command {
  const describe = talks(command('describe', 'Partitions with offsets and sizes, and configs.'))
    .argument('[name...]', 'default: all topics')
    .option('--configs', 'all configs; those that were set somewhere are marked *')
    .option('--json', 'one JSON document a line')
  examples(describe, [
    ['ottla topics describe orders', ''],
    ['ottla topics describe orders --configs', 'also the defaults'],
  ])
  return describe.action(async (names, options) =>
    (await import('./topics-describe.ts')).describe(names, options),
  )
}

function alterTopic(): Command {
  const alter = talks(command('alter', 'Change configs of a topic, or give it more partitions.'))
    .argument('<name>')
    .option('-c, --config <key=value>', 'set a config; can be repeated', collect)
    .option('--unset <key>', 'back to the default; can be repeated', collect)
    .option('-p, --partitions <number>', 'the new number of partitions', whole(1))
  examples(alter, [
    ['ottla topics alter orders --config retention.ms=3600000', ''],
    ['ottla topics alter orders --unset retention.ms', ''],
    ['ottla topics alter orders --partitions 6', 'keys may go to other partitions then'],
  ])
  return alter.action(async (name, options) => (await import('./topics.ts')).alter(name, options))
}

function deleteTopics(): Command {
  const remove = talks(command('delete', 'Delete topics with all their records.'))
    .argument('<name...>')
    .option('--if-exists', 'no error for a topic that is not there')
  examples(remove, [['ottla topics delete orders payments', '']])
  return remove.action(async (names, options) =>
    (await import('./topics.ts')).remove(names, options),
  )
}

function reassignTopics(): Command {
  const reassign = talks(command('reassign', 'Move replicas to other brokers; have more or fewer.'))
    .argument('[topic...]', 'default with --from-broker: all, internal ones included')
    .option('--all-topics', 'all topics, internal ones included')
    .option('--to <id,...>', 'the brokers that shall hold the replicas, evenly')
    .option('--from-broker <id>', 'the broker that shall hold no replicas', whole(0))
    .option('-r, --replication-factor <number>', 'copies of each partition', whole(1))
    .option('--dry-run', 'only show the plan')
    .option(
      '--throttle <bytes>',
      'at most so many a second for each broker, as 50M; none: no limit',
    )
    .option('--no-wait', 'end when the moves have begun')
    .option('--status', 'show the moves under way')
    .option('--cancel', 'take moves under way back')
    .option('--json', 'one JSON document a line: the plan, or the moves')
  examples(reassign, [
    ['ottla topics reassign orders --to 1,2,4 --dry-run', 'show what would move'],
    ['ottla topics reassign --from-broker 3 --throttle 50M', 'empty a broker, and not too fast'],
    ['ottla topics reassign orders --replication-factor 3', ''],
    ['ottla topics reassign --status', ''],
    ['ottla topics reassign --throttle none', 'let the moves under way go as fast as they can'],
    ['ottla topics reassign orders --cancel', ''],
  ])
  return reassign.action(async (names, options) =>
    (await import('./reassign.ts')).reassign(names, options),
  )
}

function electTopicLeaders(): Command {
  const elect = talks(command('elect-leaders', 'Have partitions led by the replica they prefer.'))
    .argument('[topic...]', 'default: all topics')
    .option('--unclean', 'where no replica in sync is left, one that may have lost records')
    .option('--all-topics', 'needed for --unclean without names')
    .option('--json', 'one JSON document a line')
  examples(elect, [
    ['ottla topics elect-leaders', ''],
    ['ottla topics elect-leaders orders --unclean', 'what is lost is lost'],
  ])
  return elect.action(async (names, options) =>
    (await import('./elect-leaders.ts')).electLeaders(names, options),
  )
}
