/**
 * The command line in the form people see: commands, options, help with examples, messages for
 * mistakes. What a command does lies in a file of its own, loaded when it is called.
 */
import { softwareVersion } from '../base/version.ts'
import { cluster } from './cluster-command.ts'
import { type Command, CommanderError, collect, command, examples } from './command.ts'
import { completion, suggestions } from './completion-command.ts'
import { configs } from './configs-command.ts'
import { doctor } from './doctor-command.ts'
import { Failure } from './failure.ts'
import { groups } from './groups-command.ts'
import { log } from './log-command.ts'
import { consume, produce } from './records-command.ts'
import { startOptions } from './start-options.ts'
import { topics } from './topics-command.ts'

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
  root.addCommand(groups())
  root.addCommand(configs())
  root.addCommand(cluster())
  root.addCommand(doctor())
  root.addCommand(log())
  root.addCommand(completion())
  root.addCommand(suggestions(), { hidden: true })
  examples(root, [
    ['ottla start', 'a broker on 127.0.0.1:9092'],
    ['ottla topics create orders --partitions 3', ''],
    ['echo hello | ottla produce orders', 'each line of the input becomes a record'],
    ['ottla consume orders', 'from the beginning, and on as records come'],
    ['ottla consume --help', 'all that a command can do, with examples'],
  ])
  return root
}

function start(): Command {
  const start = command('start', 'Run a broker in the foreground; Ctrl-C stops it.')
  for (const { name, short, value, multiple, about } of startOptions) {
    const long = value === undefined ? `--${name}` : `--${name} <${value}>`
    const flags = short === undefined ? long : `-${short}, ${long}`
    if (multiple) start.option(flags, about, collect)
    else start.option(flags, about)
  }
  start.addHelpText(
    'after',
    `
Every key of Kafka's server.properties can be given in a file, in the
environment as OTTLA_ and the key in capitals with _ for each dot, or by --set;
the last of these wins.`,
  )
  examples(start, [
    ['ottla start', 'on 127.0.0.1:9092, data in ./ottla-data'],
    ['ottla start --port 0 --data /tmp/try', 'any free port, another directory'],
    ['ottla start --host 0.0.0.0', 'reachable from other machines'],
    ['ottla start --memory --port 0', 'for a test: no file is touched'],
    ['ottla start --set num.partitions=3 --set log.retention.hours=24', ''],
    ['OTTLA_LOG_DIRS=/var/lib/ottla ottla start --config server.properties', ''],
  ])
  return start.action(async options => {
    const { runStart } = await import('./start.ts')
    await runStart(options)
  })
}
