/** What a person sees who types `ottla` and nothing else. */
import { softwareVersion } from '../base/version.ts'
import { brokerAt } from './neighbour.ts'
import { print, styled } from './output.ts'

const host = '127.0.0.1'
const port = 9092

/** Prints it; looks whether a broker runs here already. */
export async function welcome(): Promise<void> {
  const running = await brokerAt(host, port)
  const state =
    running === undefined
      ? `No broker runs on ${host}:${port} yet. In one terminal:`
      : `A broker runs on ${host}:${port} (${running}).`
  const start = running === undefined ? [command('ottla start')] : []
  await print(
    [
      '',
      `  ${styled('bold', `Ottla ${softwareVersion}`)}  a message broker that speaks the Kafka protocol`,
      '',
      '  Programs push messages into topics; others pull them, each at its own pace,',
      '  as often as they like. Any Kafka client works, in any language.',
      '',
      `  ${state}`,
      ...start,
      '',
      running === undefined ? '  and in another:' : '  Try it:',
      command('echo hello | ottla produce greetings'),
      command('ottla consume greetings'),
      '',
      aboutLine('all commands', 'ottla --help'),
      aboutLine('does something not connect?', 'ottla doctor'),
      '',
      '',
    ].join('\n'),
  )
}

function aboutLine(about: string, line: string): string {
  return `${command(line)}   ${styled('dim', about)}`
}

function command(line: string): string {
  return `    ${styled('cyan', line.replace('ottla', called()))}`
}

/** As it was called: a checkout or npx has no `ottla` on the path. */
function called(): string {
  switch (process.env.npm_command) {
    case 'run-script':
    case 'run':
      return 'npm run ottla --'
    case 'exec':
      return 'npx ottla'
    default:
      return 'ottla'
  }
}
