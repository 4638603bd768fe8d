/**
 * The command line in the form people see: commands, options, help with examples, messages for
 * mistakes. What a command does lies in a file of its own, loaded when it is called.
 */
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { softwareVersion } from '../base/version.ts'
import { Failure } from './failure.ts'
import { styled } from './output.ts'
import { startOptions } from './start-options.ts'

/** Parses and runs. Throws Failure for a mistake on the command line. */
export async function runProgram(argv: readonly string[]): Promise<void> {
  try {
    await program().parseAsync(argv, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    // A command that only groups others, called alone, has shown its help: that is an answer.
    if (error.exitCode === 0 || error.code === 'commander.help') return
    throw new Failure(oneLine(error.message))
  }
}

/** Commander puts its suggestion on a line of its own and begins with a word that we say already. */
function oneLine(message: string): string {
  return message
    .replace(/^error: /u, '')
    .replace(/\n\(Did you mean (.+)\?\)/su, ' (did you mean $1?)')
    .replaceAll('\n', ' ')
}

function program(): Command {
  const root = command('ottla', 'A message broker that speaks the Kafka protocol.')
    .usage('<command> [options]')
    .version(softwareVersion, '-V, --version', 'print the version')
    .helpCommand(false)
  root.addCommand(start())
  root.addCommand(topics())
  root.addCommand(produce())
  root.addCommand(consume())
  root.addCommand(log())
  examples(root, [
    ['ottla start', 'a broker on 127.0.0.1:9092, data in ./ottla-data'],
    ['ottla topics create orders --partitions 3', ''],
    ['echo hello | ottla produce orders', 'each line of the input becomes a record'],
    ['ottla consume orders', 'from the beginning, and on as records come'],
    ['ottla consume --help', 'all that a command can do, with examples'],
  ])
  return root
}

/** A command that throws instead of exiting, and leaves it to `main` to say what was wrong. */
function command(name: string, about: string): Command {
  return new Command(name)
    .description(about)
    .exitOverride()
    .helpOption('-h, --help', 'show this')
    .configureOutput({ writeErr: text => process.stdout.write(text), outputError: () => {} })
    .configureHelp({ styleTitle: title => styled('bold', title) })
    .showSuggestionAfterError()
}

function examples(to: Command, lines: readonly (readonly [string, string])[]): void {
  const explained = lines.filter(([, about]) => about !== '')
  const width = Math.max(0, ...explained.map(([example]) => example.length))
  const text = lines.map(([example, about]) =>
    about === '' ? `  ${example}` : `  ${example.padEnd(width)}  ${styled('dim', about)}`,
  )
  to.addHelpText('after', `\n${styled('bold', 'Examples:')}\n${text.join('\n')}`)
}

/** What each command needs that talks to a broker. */
function talks(to: Command): Command {
  return to.option(
    '-b, --bootstrap <host:port,...>',
    'where to find the cluster; one broker that answers is enough',
    'localhost:9092',
  )
}

/** For options that can be repeated. */
function collect(value: string, previous: readonly string[] | undefined): string[] {
  return [...(previous ?? []), value]
}

/** A parser of whole numbers within bounds, both inclusive. */
function whole(min: number, max = Number.MAX_SAFE_INTEGER): (value: string) => number {
  return value => {
    const number = value.trim() === '' ? Number.NaN : Number(value)
    if (Number.isSafeInteger(number) && number >= min && number <= max) return number
    const upper = max === Number.MAX_SAFE_INTEGER ? 'or more' : `to ${max}`
    throw new InvalidArgumentError(`It must be a whole number, ${min} ${upper}.`)
  }
}

function oneOf(...choices: readonly string[]): (value: string) => string {
  return value => {
    if (choices.includes(value)) return value
    throw new InvalidArgumentError(`It must be one of ${choices.join(', ')}.`)
  }
}

function start(): Command {
  const start = command('start', 'Run a broker in the foreground; Ctrl-C stops it.')
  for (const { name, short, value, multiple, about } of startOptions) {
    const flags = `${short === undefined ? '' : `-${short}, `}--${name} <${value}>`
    if (multiple) start.option(flags, about, collect)
    else start.option(flags, about)
  }
  start.addHelpText(
    'after',
    `
Every key of Kafka's server.properties can be given in a file, in the environment as
OTTLA_ and the key in capitals with _ for each dot, or by --set; the last of these wins.`,
  )
  examples(start, [
    ['ottla start', 'on 127.0.0.1:9092, data in ./ottla-data'],
    ['ottla start --port 0 --data /tmp/try', 'any free port, another directory'],
    ['ottla start --host 0.0.0.0', 'reachable from other machines'],
    ['ottla start --set num.partitions=3 --set log.retention.hours=24', ''],
    ['OTTLA_LOG_DIRS=/var/lib/ottla ottla start --config server.properties', ''],
  ])
  return start.action(async options => {
    const { runStart } = await import('./start.ts')
    await runStart(options)
  })
}

function topics(): Command {
  const topics = command('topics', 'List, create, describe, alter and delete topics.')
  topics.usage('<command> [options]').helpCommand(false)
  topics.addCommand(listTopics())
  topics.addCommand(createTopics())
  topics.addCommand(describeTopics())
  topics.addCommand(alterTopic())
  topics.addCommand(deleteTopics())
  examples(topics, [
    ['ottla topics list', ''],
    ['ottla topics create orders --partitions 3 --config retention.ms=86400000', ''],
    ['ottla topics describe orders', 'partitions, offsets, configs that were set'],
    ['ottla topics delete orders', ''],
  ])
  return topics
}

function listTopics(): Command {
  const list = talks(command('list', 'Names, partitions and replication factors.'))
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
  const describe = talks(command('describe', 'Partitions with their offsets, and configs.'))
    .argument('[name...]', 'default: all topics')
    .option('--configs', 'all configs, not only those that were set')
    .option('--json', 'one JSON document a line')
  examples(describe, [
    ['ottla topics describe orders', ''],
    ['ottla topics describe orders --configs', 'with every default'],
  ])
  return describe.action(async (names, options) =>
    (await import('./topics.ts')).describe(names, options),
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

function produce(): Command {
  const produce = talks(command('produce', 'Send the lines of standard input as records.'))
    .argument('<topic>')
    .option('-k, --key-separator <text>', 'what stands between key and value in a line')
    .option('-H, --header <name=value>', 'a header for every record; can be repeated', collect)
    .option('-p, --partition <number>', 'default: by key, or in turn', whole(0))
    .option(
      '-z, --compression <codec>',
      'none, gzip, snappy, lz4 or zstd',
      oneOf('none', 'gzip', 'snappy', 'lz4', 'zstd'),
      'none',
    )
    .option('--acks <acks>', 'all, 1 (the leader) or 0 (nobody)', oneOf('all', '1', '0'), 'all')
    .option('-Z, --empty-is-null', 'an empty value becomes null, a tombstone')
    .option('--json', 'lines are JSON as `consume --json` prints it')
  examples(produce, [
    ['echo hello | ottla produce greetings', ''],
    ["echo 'anna:42' | ottla produce scores --key-separator :", 'key anna, value 42'],
    ['ottla produce events -z zstd < events.txt', ''],
    ['ottla consume a --json -e | ottla produce b --json', 'copy a topic'],
  ])
  return produce.action(async (topic, options) =>
    (await import('./produce.ts')).produce(topic, options),
  )
}

function consume(): Command {
  const consume = talks(command('consume', 'Print the records of a topic.'))
    .argument('<topic>')
    .option(
      '-o, --from <where>',
      'beginning, end, an offset, -N (the last N), or a time: 2026-01-31T12:00Z, @milliseconds',
      'beginning',
    )
    .option('-p, --partition <number>', 'only this one; can be repeated', collect)
    .option('-n, --max <number>', 'stop after so many records', whole(1))
    .option('-e, --exit', 'stop at the end, as it is now')
    .option('-f, --format <text>', 'see below (default: the value, one a line)')
    .option('--json', 'one JSON document a line')
  consume.addHelpText(
    'after',
    `
In a format %s is the value, %k the key, %h the headers, %t the topic, %p the partition,
%o the offset, %T the timestamp in milliseconds, %d as a date, %% a percent sign; \\n and \\t work.`,
  )
  examples(consume, [
    ['ottla consume orders', 'from the beginning, and on as records come'],
    ['ottla consume orders -o -10 -e', 'the last ten of each partition'],
    ["ottla consume orders -o 2026-01-31T12:00Z -f '%d %k=%s\\n'", 'since noon'],
    ['ottla consume orders --json -e | jq .value', ''],
  ])
  return consume.action(async (topic, options) =>
    (await import('./consume.ts')).consume(topic, options),
  )
}

function log(): Command {
  const log = command('log', "Look into a broker's files.").usage('<command> [options]')
  log.helpCommand(false)
  const dump = command(
    'dump',
    'Print a file of a partition: what is in it, and whether it is sound.',
  )
    .argument('<file>', 'a .log, .index, .timeindex or .snapshot file; Kafka wrote it or we')
    .option('--records', 'of a .log, also the records')
    .option('-n, --max <number>', 'stop after so many batches or entries', whole(1))
    .option('--json', 'one JSON document a line')
  examples(dump, [
    ['ottla log dump ottla-data/orders-0/00000000000000000000.log', ''],
    ['ottla log dump 00000000000000000000.log --records --json', ''],
  ])
  dump.action(async (file, options) => (await import('./log-dump.ts')).dump(file, options))
  log.addCommand(dump)
  examples(log, [['ottla log dump ottla-data/orders-0/00000000000000000000.log --records', '']])
  return log
}
