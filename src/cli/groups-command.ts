/** The command lines of `ottla groups …`. */
import { type Command, collect, command, examples, oneOf, talks, whole } from './command.ts'

/** `ottla groups`. */
export function groups(): Command {
  const groups = command('groups', 'See how far consumers are, and move or delete their offsets.')
  groups.usage('<command> [options]').helpCommand(false)
  groups.addCommand(listGroups())
  groups.addCommand(describeGroups())
  groups.addCommand(resetOffsets())
  groups.addCommand(deleteOffsets())
  groups.addCommand(removeMembers())
  groups.addCommand(deleteGroups())
  examples(groups, [
    ['ottla groups list', ''],
    ['ottla groups describe billing', 'lag of each partition, and who reads it'],
    ['ottla groups reset-offsets billing --all-topics --to-earliest --dry-run', ''],
    ['ottla groups delete billing', ''],
  ])
  return groups
}

const states = [
  'Stable',
  'Empty',
  'PreparingRebalance',
  'CompletingRebalance',
  'Assigning',
  'Reconciling',
  'Dead',
]

/** In any case of letters. */
function collectState(value: string, previous: readonly string[] | undefined): string[] {
  const known = states.find(state => state.toLowerCase() === value.toLowerCase())
  return collect(oneOf(...states)(known ?? value), previous)
}

function listGroups(): Command {
  const list = talks(command('list', 'Names and states of all groups.'))
    .option('--state <state>', `only these: ${states.join(', ')}; can be repeated`, collectState)
    .option('--json', 'one JSON document a line')
  examples(list, [
    ['ottla groups list', ''],
    ['ottla groups list --state Empty', 'groups without members'],
    ['ottla groups list --json | jq -r .group', ''],
  ])
  return list.action(async options => (await import('./groups.ts')).list(options))
}

function describeGroups(): Command {
  const describe = talks(command('describe', 'Committed offsets, lag and members of groups.'))
    .argument('[group...]')
    .option('--all', 'all groups')
    .option('--members', 'members with what they are assigned, instead of partitions')
    .option('--json', 'one JSON document for each group')
    .option('--ndjson', 'one JSON document for each partition')
  examples(describe, [
    ['ottla groups describe billing', ''],
    ['ottla groups describe billing --members', ''],
    ["ottla groups describe --all --ndjson | jq 'select(.lag > 1000)'", 'who is behind'],
  ])
  return describe.action(async (names, options) =>
    (await import('./groups.ts')).describe(names, options),
  )
}

function resetOffsets(): Command {
  const reset = talks(command('reset-offsets', 'Move a group to other offsets.'))
    .argument('<group>', 'a group without members; it comes into being when there is none')
    .option('--topic <topic[:p,...]>', 'a topic or some partitions of it; can be repeated', collect)
    .option('--all-topics', 'all partitions for which the group has committed')
    .option('--to-earliest', 'to the beginning of the log')
    .option('--to-latest', 'to the end of the log')
    .option('--to-datetime <time>', 'to a time: 2026-01-31T12:00Z, @milliseconds')
    .option('--by-duration <duration>', 'so far back from now: 90m, 2d, PT1H30M')
    .option(
      '--shift-by <number>',
      'so many records on, or back if negative',
      whole(Number.MIN_SAFE_INTEGER),
    )
    .option('--to-offset <offset>', 'to this offset', whole(0))
    .option('--to-current', 'to where it is; the end where nothing was committed')
    .option(
      '--from-file <file>',
      'topic,partition,offset a line, or JSON lines; - is standard input',
    )
    .option('-n, --dry-run', 'show what would change, and change nothing')
    .option('--export', 'print what --from-file reads, and change nothing')
    .option('--json', 'one JSON document for each partition')
  examples(reset, [
    ['ottla groups reset-offsets billing --topic orders --to-earliest', 'read it all again'],
    ['ottla groups reset-offsets billing --all-topics --by-duration 2h -n', 'what would change'],
    ['ottla groups reset-offsets billing --topic orders:0,2 --shift-by -100', ''],
    ['ottla groups reset-offsets billing --all-topics --to-current --export > offsets.csv', ''],
    ['ottla groups reset-offsets billing --from-file offsets.csv', 'and back'],
  ])
  return reset.action(async (group, options) =>
    (await import('./group-offsets.ts')).reset(group, options),
  )
}

function deleteOffsets(): Command {
  const remove = talks(command('delete-offsets', 'Forget what a group has committed.'))
    .argument('<group>')
    .requiredOption(
      '--topic <topic[:p,...]>',
      'of a topic, or some partitions of it; can be repeated',
      collect,
    )
  examples(remove, [['ottla groups delete-offsets billing --topic orders', '']])
  return remove.action(async (group, options) =>
    (await import('./group-offsets.ts')).removeOffsets(group, options),
  )
}

function removeMembers(): Command {
  const remove = talks(command('remove-members', 'Take members out of a group, which rebalances.'))
    .argument('<group>')
    .argument('[member...]', 'member ids, or instance ids of static members')
    .option('--all', 'all members')
  examples(remove, [
    ['ottla groups remove-members billing worker-3', 'a static member that will not come back'],
    ['ottla groups remove-members billing --all', 'consumers that are alive join again'],
  ])
  return remove.action(async (group, members, options) =>
    (await import('./groups.ts')).removeFrom(group, members, options),
  )
}

function deleteGroups(): Command {
  const remove = talks(
    command('delete', 'Delete groups without members, with their offsets.'),
  ).argument('<group...>')
  examples(remove, [['ottla groups delete billing', '']])
  return remove.action(async (names, options) =>
    (await import('./groups.ts')).remove(names, options),
  )
}
