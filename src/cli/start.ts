/** `ottla start`: runs a broker in the foreground until it is told to stop. */
import { constants } from 'node:os'
import { relative, resolve } from 'node:path'
import { softwareVersion } from '../base/version.ts'
import { Broker } from '../broker/broker.ts'
import { styled } from './output.ts'
import { type StartValues, startProperties } from './start-options.ts'

export async function runStart(values: StartValues): Promise<void> {
  const broker = await Broker.start({ properties: startProperties(values, process.env) })
  let stopping = false
  const stop = (signal: NodeJS.Signals) => {
    if (stopping) process.exit(128 + constants.signals[signal])
    stopping = true
    process.stdout.write('Stopping: finishing what was accepted (once more to stop at once)\n')
    void broker.close().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error('ottla: the broker did not stop cleanly:', error)
        process.exit(1)
      },
    )
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop)
  process.stdout.write(banner(broker))
  const failure = await broker.ended
  if (failure === undefined) return
  console.error(`ottla: the broker cannot go on: ${failure.message}`)
  process.exit(1)
}

function banner(broker: Broker): string {
  const listening = broker.addresses.map(({ host, port }) => addressText(host, port))
  const { host, port } = broker.address
  const wildcard = host === '' || host === '0.0.0.0' || host === '::'
  const bootstrap = addressText(wildcard ? 'localhost' : host, port)
  const rows = [
    ['listening', listening.join(', ')],
    ['data', broker.dataDirectories.map(shortest).join(', ')],
    ['try it', `echo hello | kcat -b ${bootstrap} -P -t greetings`],
    ['', `kcat -b ${bootstrap} -C -t greetings -e`],
    ['stop it', 'Ctrl-C'],
  ]
  const title = `${styled('bold', `Ottla ${softwareVersion}`)} is ready`
  const lines = rows.map(([name, text]) => `  ${styled('dim', name!.padEnd(10))}  ${text}`)
  return `\n  ${title}\n${lines.join('\n')}\n\n`
}

function addressText(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** A directory below the current one is shown relative to it. */
function shortest(directory: string): string {
  const path = relative('.', directory)
  return path === '' || path.startsWith('..') ? resolve(directory) : `./${path}`
}
