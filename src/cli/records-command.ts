/** The command lines of `ottla produce` and `ottla consume`. */
import { type Command, collect, command, examples, oneOf, talks, whole } from './command.ts'
import { filterNames } from './filter.ts'
import { formatHelp } from './format.ts'

/** `ottla produce`. */
export function produce(): Command {
  const produce = talks(command('produce', 'Send lines of standard input or of files as records.'))
    .argument('<topic>')
    .option('-F, --file <path>', 'read this instead of standard input; can be repeated', collect)
    .option('--json, --ndjson', 'lines are JSON, as `consume --ndjson` prints it')
    .option('-k, --key-separator <text>', 'what stands between key and value in a line')
    .option('--key <key>', 'the key of every record that has none in its line')
    .option('-H, --header <name=value>', 'a header for every record; can be repeated', collect)
    .option('-p, --partition <number>', 'default: by key, or in turn', whole(0))
    .option('--repartition', 'by key, whatever the partition in a line of JSON')
    .option(
      '-z, --compression <codec>',
      'none, gzip, snappy, lz4 or zstd',
      oneOf('none', 'gzip', 'snappy', 'lz4', 'zstd'),
      'none',
    )
    .option('--acks <acks>', 'all, 1 (the leader) or 0 (nobody)', oneOf('all', '1', '0'), 'all')
    .option('-Z, --empty-is-null', 'an empty value becomes null, a tombstone')
    .option('--tombstone', 'send one null value for --key, and read nothing')
  examples(produce, [
    ['echo hello | ottla produce greetings', ''],
    ["echo 'anna:42' | ottla produce scores -k :", 'key anna, value 42'],
    ['ottla produce events -F events.txt -z zstd', ''],
    ['ottla produce users --key anna --tombstone', 'anna is deleted'],
    ['ottla consume a -e --ndjson | ottla produce b --ndjson', 'copy a topic'],
  ])
  return produce.action(async (topic, options) =>
    (await import('./produce.ts')).produce(topic, options),
  )
}

/** `ottla consume`. */
export function consume(): Command {
  const consume = talks(command('consume', 'Print the records of topics.'))
    .argument('<topic...>')
    .option('-o, --from <place>', 'where to begin, see below', 'earliest')
    .option('-g, --group <group>', 'as a member of this group: go on where it was, and commit')
    .option('--to <place>', 'stop before this, see below')
    .option('-e, --exit', 'stop at the end as it is now: --to end')
    .option('-n, --count <number>', 'stop after so many records', whole(1))
    .option('-p, --partition <list>', 'only these: 0 or 0,2 or 4-7; can be repeated', collect)
    .option('--filter <expression>', 'only records for which this JavaScript is true')
    .option('-f, --format <text>', 'see below (default: the value, one a line)')
    .option('-v, --verbose', 'partition, offset, time, key and headers before the value')
    .option('--json, --ndjson', 'one JSON document a line; nothing is lost')
  consume.addHelpText(
    'after',
    `
A place is earliest, latest (or end), an offset, -N (N before the end), a time
as 2026-01-31T12:00Z or @milliseconds, or an age as 15m, 2h or 7d.

${formatHelp}

A filter sees ${filterNames.join(', ')};
json is the value, parsed. It runs as code, with all that you may do yourself.`,
  )
  examples(consume, [
    ['ottla consume orders', 'from the beginning, and on'],
    ['ottla consume orders -o -10 -e', 'the last ten of each'],
    ['ottla consume orders --from 15m -v', 'with keys and times'],
    ["ottla consume orders --filter 'json.total > 100' -n 5", ''],
    ["ottla consume orders payments -f '%t %d %k=%v\\n'", 'two topics'],
    ['ottla consume orders -e --ndjson | jq .value', ''],
    ['ottla consume orders --group audit', 'as a member, committing'],
  ])
  return consume.action(async (topics, options) =>
    (await import('./consume.ts')).consume(topics, options),
  )
}
