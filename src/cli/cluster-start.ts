/**
 * `ottla cluster start`: etcd and brokers as processes on this machine, in the foreground. Ctrl-C
 * stops the brokers one after another, so that each hands over what it leads, and etcd last.
 */
import { relative, resolve } from 'node:path'
import { softwareVersion } from '../base/version.ts'
import { freePort, isTaken, needEtcd, startEtcd } from './cluster-etcd.ts'
import { ClusterProcess } from './cluster-process.ts'
import { Failure } from './failure.ts'
import { plural, styled } from './output.ts'

/** What the command is asked to do. */
export interface ClusterStartOptions {
  readonly brokers: number
  /** Of the first broker; the others have the next ones. 0: any that is free. */
  readonly port: number
  readonly data: string
  /** An etcd that runs already. */
  readonly store?: string
  readonly set?: readonly string[]
  readonly logLevel?: string
}

const interruptedCode = 130

/** Ends the process. */
export async function startCluster(options: ClusterStartOptions): Promise<void> {
  if (options.store === undefined) needEtcd()
  const ports = await portsOf(options)
  const cluster = new LocalCluster()
  const onSignal = () => cluster.onSignal()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal)
  try {
    const data = resolve(options.data)
    const url = options.store ?? (await cluster.runEtcd(`${data}/etcd`))
    const settings = (id: number) => settingsOf(id, ports, `${data}/broker-${id}`, url, options)
    if (await cluster.runBrokers(ports.map((_, index) => settings(index + 1)))) {
      process.stdout.write(banner(ports, data, url))
    }
  } catch (error) {
    await cluster.stop()
    throw error
  }
  process.exit(await cluster.ended)
}

/** The processes, in the order in which they are to end. */
class LocalCluster {
  readonly #brokers: ClusterProcess[] = []
  readonly #end = Promise.withResolvers<number>()
  #etcd: ClusterProcess | undefined
  #isStopping = false

  /** Resolves to the exit code when all are gone. */
  get ended(): Promise<number> {
    return this.#end.promise
  }

  async runEtcd(directory: string): Promise<string> {
    const { process: etcd, url } = await startEtcd(directory)
    this.#etcd = etcd
    void etcd.ended.then(how => {
      if (this.#isStopping) return
      say(`etcd ended (${how}): nothing can be decided without it, so the brokers stop, too`)
      void this.stop(1)
    })
    return url
  }

  /** False when Ctrl-C came before they were up. Throws Failure when one does not start. */
  async runBrokers(commands: readonly (readonly string[])[]): Promise<boolean> {
    for (const [index, command] of commands.entries()) this.#runBroker(index + 1, command)
    const isUp = await Promise.all(this.#brokers.map(broker => broker.said(/is ready/)))
    if (this.#isStopping) return false
    const failed = this.#brokers.filter((_, index) => !isUp[index])
    if (failed.length === 0) return true
    const names = failed.map(({ name }) => name).join(', ')
    throw new Failure(`${names} did not start: see the lines above`)
  }

  /** The first asks, the second insists. */
  onSignal(): void {
    if (!this.#isStopping) {
      say('\nStopping the brokers, one after another (Ctrl-C again stops all at once)')
      void this.stop()
      return
    }
    for (const broker of this.#brokers) broker.kill()
    this.#etcd?.kill()
    say('Stopped at once: the next start looks its logs through.')
    process.exit(interruptedCode)
  }

  async stop(code = 0): Promise<void> {
    if (this.#isStopping) return
    this.#isStopping = true
    for (const broker of this.#brokers) await broker.stop()
    await this.#etcd?.stop()
    this.#end.resolve(code)
  }

  #runBroker(id: number, command: readonly string[]): void {
    const broker = new ClusterProcess(`broker ${id}`, command)
    this.#brokers.push(broker)
    // Should this process be killed, etcd waits for the broker.
    if (broker.pid !== undefined) this.#etcd?.tell(String(broker.pid))
    void broker.ended.then(how => {
      if (this.#isStopping) return
      const isLast = this.#brokers.every(({ isOver }) => isOver)
      say(`broker ${id} ended (${how})${isLast ? '' : `; the others go on. To start it again:`}`)
      if (isLast) void this.stop(1)
      else say(`  ottla ${command.filter(word => word !== '--stop-on-eof').join(' ')}`)
    })
  }
}

async function portsOf({ brokers, port }: ClusterStartOptions): Promise<readonly number[]> {
  if (port === 0) {
    const ports: number[] = []
    while (ports.length < brokers) ports.push(await freePort())
    return ports
  }
  if (port + brokers - 1 > 65535) throw new Failure(`--port ${port}: the last one is above 65535`)
  const ports = Array.from({ length: brokers }, (_, index) => port + index)
  for (const each of ports) {
    if (!(await isTaken(each))) continue
    throw new Failure(
      `port ${each} is taken: ${plural(brokers, 'broker')} take ${ports[0]} to ${ports.at(-1)}; choose others with --port, or --port 0`,
    )
  }
  return ports
}

/** Three copies if there are three brokers, and a write is safe with two; what `--set` says is stronger. */
function settingsOf(
  id: number,
  ports: readonly number[],
  directory: string,
  url: string,
  { set = [], logLevel }: ClusterStartOptions,
): string[] {
  const copies = Math.min(3, ports.length)
  const settings = {
    'node.id': id,
    listeners: `PLAINTEXT://127.0.0.1:${ports[id - 1]}`,
    'log.dirs': directory,
    'metadata.store': url,
    'default.replication.factor': copies,
    'offsets.topic.replication.factor': copies,
    'min.insync.replicas': Math.min(2, copies),
  }
  const own = Object.entries(settings).map(([key, value]) => `${key}=${value}`)
  const level = logLevel === undefined ? [] : ['--log-level', logLevel]
  const sets = [...own, ...set].flatMap(pair => ['--set', pair])
  return ['start', '--stop-on-eof', '--log-format', 'text', ...level, ...sets]
}

function banner(ports: readonly number[], data: string, url: string): string {
  const addresses = ports.map(port => `127.0.0.1:${port}`)
  const path = relative('.', data)
  const rows = [
    ['bootstrap', addresses.join(',')],
    ['data', path.startsWith('..') ? data : `./${path}`],
    ['metadata', url],
    ['try it', `ottla topics create orders --partitions 6 -b ${addresses[0]}`],
    ['', `ottla cluster status --watch -b ${addresses[0]}`],
    ['stop it', 'Ctrl-C'],
  ]
  const title = `${styled('bold', `Ottla ${softwareVersion}`)}: ${plural(ports.length, 'broker')} ready`
  const lines = rows.map(([name, text]) => `  ${styled('dim', name!.padEnd(10))}  ${text}`)
  return `\n  ${title}\n${lines.join('\n')}\n\n`
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
