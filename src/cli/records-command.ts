/** The command lines of `ottla produce` and `ottla consume`. */
import { type Command, collect, command, examples, oneOf, talks, whole } from './command.ts'

/** `ottla produce`. */
export function produce(): Command {
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

/** `ottla consume`. */
export function consume(): Command {
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
