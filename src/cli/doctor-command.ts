/** The command line of `ottla doctor`. */
import { type Command, command, examples, talks, whole } from './command.ts'

/** `ottla doctor`. */
export function doctor(): Command {
  const doctor = talks(command('doctor', 'Find out why a client cannot connect, step by step.'))
    .option('-w, --write', 'also send a record there and back, through a topic made for it')
    .option('--apis', 'list the APIs and versions that both sides speak')
    .option('--patience <seconds>', 'how long to wait in each step', whole(1, 600), 5)
    .option('--json', 'one JSON document a line')
  doctor.addHelpText(
    'after',
    `
Looked at: the name, the connection to each of its addresses, what speaks there,
its age, the cluster, the address that each broker tells its clients
(advertised.listeners) and whether that leads to it from here, and the topics.`,
  )
  examples(doctor, [
    ['ottla doctor', 'the broker on this machine'],
    ['ottla doctor -b kafka.example:9092 --write', ''],
  ])
  return doctor.action(async options => (await import('./doctor.ts')).doctor(options))
}
