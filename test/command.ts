/** The command in processes of its own, and a broker in this one for it to speak to. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { type Broker, type BrokerOptions, startBroker } from '../src/testing.ts'

const bin = join(import.meta.dirname, '..', 'src', 'bin.js')

/** A folder that is removed after the tests of the file. */
export const directory = mkdtempSync(join(tmpdir(), 'ottla-command-'))
const brokers: Broker[] = []
after(async () => {
  await Promise.all(brokers.map(broker => broker.close()))
  rmSync(directory, { recursive: true })
})

/** What a command printed, and how it ended. */
export interface Run {
  readonly code: number | null
  readonly out: string
  readonly error: string
}

/** Runs a command to its end in `directory`. */
export async function ottla(args: readonly string[], input: string | Buffer = ''): Promise<Run> {
  const env = { ...process.env, NO_COLOR: '1' }
  const child = spawn(process.execPath, [bin, ...args], { cwd: directory, env })
  let out = ''
  let error = ''
  child.stdout.setEncoding('utf8').on('data', chunk => (out += chunk))
  child.stderr.setEncoding('utf8').on('data', chunk => (error += chunk))
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const [code] = await once(child, 'close')
  return { code, out, error }
}

/** A broker of this process, in memory; it is closed after the tests of the file. */
export async function localBroker(options: BrokerOptions = {}): Promise<Broker> {
  const broker = await startBroker(options)
  brokers.push(broker)
  return broker
}

/** A broker in a process of its own, and what it prints. */
export interface BrokerProcess {
  readonly port: number
  readonly banner: string
  /** Resolves when it has printed this, after the banner, to either output. */
  said(pattern: RegExp): Promise<void>
  /** Ends it; answers the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

/** Runs `ottla start --memory` on a free port; resolves when its banner is complete. */
export async function brokerProcess(...args: readonly string[]): Promise<BrokerProcess> {
  const command = [bin, 'start', '--port', '0', '--memory', ...args]
  const env = { ...process.env, NO_COLOR: '1' }
  const child = spawn(process.execPath, command, { cwd: directory, env })
  after(() => child.kill('SIGKILL'))
  let printed = ''
  const printing = new EventTarget()
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', chunk => {
      printed += chunk
      printing.dispatchEvent(new Event('more'))
    })
  }
  const said = async (pattern: RegExp) => {
    while (!pattern.test(printed)) {
      if (child.exitCode !== null) throw new Error(`it ended and never said ${pattern}: ${printed}`)
      await Promise.race([once(printing, 'more'), once(child, 'close')])
    }
  }
  await said(/stop it .*\n/)
  return {
    port: Number(/listening +\S+:(\d+)/.exec(printed)![1]),
    banner: printed,
    said,
    async stop(signal = 'SIGTERM') {
      const closed = once(child, 'close')
      child.kill(signal)
      return (await closed)[0]
    },
  }
}
