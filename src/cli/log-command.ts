/** The command lines of `ottla log`: a broker's files, without a broker. */
import { type Command, command, examples, whole } from './command.ts'

/** `ottla log`. */
export function log(): Command {
  const log = command('log', "Look into a broker's files.").usage('<command> [options]')
  log.helpCommand(false)
  log.addCommand(dump())
  log.addCommand(verify())
  log.addCommand(adopt())
  examples(log, [
    ['ottla log dump ottla-data/orders-0/00000000000000000000.log --records', ''],
    ['ottla log verify ottla-data', 'all logs, indexes and checkpoints'],
    ['ottla log adopt /var/lib/kafka/data', "Kafka's directory becomes Ottla's"],
  ])
  return log
}

function dump(): Command {
  const dump = command(
    'dump',
    'Print a file of a partition: what is in it, and whether it is sound.',
  )
    .argument(
      '<file>',
      'a .log, .index, .timeindex, .txnindex or .snapshot file; Kafka wrote it or we',
    )
    .option('--records', 'of a .log, also the records')
    .option('-n, --max <number>', 'stop after so many batches or entries', whole(1))
    .option('--json', 'one JSON document a line')
  examples(dump, [
    ['ottla log dump ottla-data/orders-0/00000000000000000000.log', ''],
    ['ottla log dump 00000000000000000000.log --records --json', ''],
  ])
  return dump.action(async (file, options) => (await import('./log-dump.ts')).dump(file, options))
}

function verify(): Command {
  const verify = command(
    'verify',
    'Look through the files of a broker that does not run, and say what is wrong and where.',
  )
    .argument(
      '<directory>',
      'a data directory, or the folder of one partition; Kafka wrote it or we',
    )
    .option('--deep', 'decompress and walk the records, too')
    .option('--repair', 'mend what can be mended; what is cut is kept beside it')
    .option('--json', 'one JSON document a line')
  verify.addHelpText(
    'after',
    `
Nothing is changed without --repair. Exit code 1 if something is wrong. Files
that are made from the log (indexes, snapshots) are mended by the next start as
well; records that are lost or cannot be read are said with their offsets.`,
  )
  examples(verify, [
    ['ottla log verify ottla-data', ''],
    ['ottla log verify ottla-data/orders-0 --deep', ''],
    ['ottla log verify ottla-data --repair', ''],
  ])
  return verify.action(async (directory, options) =>
    (await import('./log-verify.ts')).verifyCommand(directory, options),
  )
}

function adopt(): Command {
  const adopt = command(
    'adopt',
    'Take over the data directories of an Apache Kafka broker that is stopped.',
  )
    .argument('<directory...>', "all of the broker's log.dirs, in that order")
    .option('--json', 'one JSON document')
  adopt.addHelpText(
    'after',
    `
Topics with their ids, partitions and configs, committed offsets and producers
are there afterwards. Kafka's files stay as they are: only Ottla's own are added
beside them. It can be repeated.`,
  )
  examples(adopt, [
    ['ottla log adopt /var/lib/kafka/data', ''],
    ['ottla start --data /var/lib/kafka/data', 'afterwards'],
  ])
  return adopt.action(async (directories, options) =>
    (await import('./log-adopt.ts')).adoptCommand(directories, options),
  )
}
