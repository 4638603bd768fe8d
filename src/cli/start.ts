/** `ottla start`: runs a broker in the foreground until it is told to stop. */
import { constants } from 'node:os'
import { relative, resolve } from 'node:path'
import { softwareVersion } from '../base/version.ts'
import { Broker } from '../broker/broker.ts'
import { plaintextListener } from '../config/listeners.ts'
import { nodeIo } from '../io/node.ts'
import { lineReport, type ReportLevel } from '../io/report.ts'
import { plural, styled } from './output.ts'
import { reportOptions, type StartValues, startProperties, startStorage } from './start-options.ts'

/** Resolves, or ends the process, when the broker has stopped. */
export async function runStart(values: StartValues): Promise<void> {
  const stopped = new AbortController()
  const stopping = stopped.signal
  const starting = started(values, stopping)
  const stop = (signal?: NodeJS.Signals) => {
    if (stopping.aborted) {
      if (signal === undefined) return
      process.stdout.write('Stopped at once: the next start looks its logs through.\n')
      process.exit(128 + constants.signals[signal])
    }
    stopped.abort()
    // Work, as to look logs through, does not hear of it; it may be killed at any moment.
    const unheard = setTimeout(endUnstarted, undoPatienceMs)
    starting.catch(() => {}).finally(() => clearTimeout(unheard))
    starting.then(stopCleanly, () => {})
  }
  // Before it is up: whoever sees the port open may want it to stop again.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop)
  if (values['stop-on-eof'] === true || values['stopOnEof'] === true) {
    process.stdin
      .on('end', () => stop())
      .on('error', () => stop())
      .resume()
  }
  const broker = await starting.catch(error => {
    if (error !== stopping.reason) throw error
    return endUnstarted()
  })
  if (!stopping.aborted) process.stdout.write(banner(broker, startStorage(values) === 'memory'))
  const failure = await broker.ended
  if (failure === undefined) return
  console.error(`ottla: the broker cannot go on: ${failure.message}`)
  process.exit(1)
}

/** Ends the process. */
function endUnstarted(): never {
  process.stdout.write('Stopped before the broker was ready.\n')
  process.exit(0)
}

/** Ends the process. */
async function stopCleanly(broker: Broker): Promise<void> {
  process.stdout.write(stoppingText(broker))
  const waiting = setTimeout(() => process.stdout.write(waitingText(broker)), patienceMs)
  try {
    await broker.close()
    process.exit(0)
  } catch (error) {
    clearTimeout(waiting)
    console.error('ottla: the broker did not stop cleanly:', error)
    process.exit(1)
  }
}

/** After so long a stop says what it waits for. */
const patienceMs = 1000

/** So long a start that is to end may undo what it did. */
const undoPatienceMs = 3000

async function started(values: StartValues, signal: AbortSignal): Promise<Broker> {
  const style = (level: ReportLevel, text: string) =>
    styled(level === 'info' ? 'dim' : level === 'warn' ? 'yellow' : 'red', text, process.stderr)
  const report = lineReport({ ...reportOptions(values, process.stderr.isTTY === true), style })
  const properties = startProperties(values, process.env)
  const storage = startStorage(values)
  // A broker in memory would take any port: one that is started by hand has the one that clients expect.
  if (!properties.has('listeners')) properties.set('listeners', plaintextListener())
  try {
    return await Broker.start({ storage, properties, signal, io: nodeIo({ report }) })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    const { neighbourOf } = await import('./neighbour.ts')
    throw (await neighbourOf(properties, error as Error)) ?? error
  }
}

function stoppingText({ connectionCount }: Broker): string {
  const what =
    connectionCount === 0
      ? 'what was accepted'
      : `the requests of ${plural(connectionCount, 'connection')}`
  // Behind the ^C that a terminal shows.
  const begin = process.stdout.isTTY ? '\n' : ''
  return `${begin}Stopping: finishing ${what} (Ctrl-C again stops at once)\n`
}

function waitingText({ connectionCount }: Broker): string {
  return connectionCount === 0
    ? 'Still stopping: logs and snapshots are being written.\n'
    : `Still stopping: ${plural(connectionCount, 'client')} to be answered, 30 s at most.\n`
}

function banner(broker: Broker, isInMemory: boolean): string {
  const listening = broker.addresses.map(({ host, port }) => addressText(host, port))
  const { bootstrap } = broker
  const data = broker.dataDirectories.map(shortest).join(', ')
  const rows = [
    ['listening', listening.join(', ')],
    ['data', isInMemory ? 'in memory, until it stops' : data],
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
