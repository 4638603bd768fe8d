/** A broker of Apache Kafka on a data directory, and the programs of its distribution. */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePort, isTaken } from '../../src/cli/cluster-etcd.ts'

const run = promisify(execFile)
const startDeadlineMs = 60_000
const stopDeadlineMs = 30_000

const root = join(import.meta.dirname, '..')
const classPath = printedBy('kafka-files/setup')
const toolsPath = printedBy('clients/kafka-tools/setup').split('\n')

function printedBy(script: string): string {
  const path = join(root, script)
  return execFileSync(path, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim()
}

/** Runs a class and answers what it printed. Throws when it fails. */
export async function java(name: string, ...args: readonly string[]): Promise<string> {
  const jars = name.includes('DumpLogSegments') ? toolsPath.at(-1)! : classPath
  const options = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', jars]
  const { stdout } = await run('java', [...options, name, ...args], { maxBuffer: 2 ** 30 })
  return stdout
}

/** One node, controller and broker in one, on loopback. */
export class Kafka {
  readonly data: string
  readonly bootstrap: string
  readonly #folder: string
  #child: ChildProcess | undefined

  private constructor(folder: string, port: number) {
    this.#folder = folder
    this.data = join(folder, 'data')
    this.bootstrap = `127.0.0.1:${port}`
  }

  /** On a directory that is formatted first, unless `data` is given: one that a broker has used. */
  static async start(folder: string, data?: string): Promise<Kafka> {
    const port = await freePort()
    const kafka = new Kafka(folder, port)
    mkdirSync(folder, { recursive: true })
    const properties = join(folder, 'server.properties')
    const controller = `127.0.0.1:${await freePort()}`
    const lines = {
      'process.roles': 'broker,controller',
      'node.id': '1',
      'controller.quorum.voters': `1@${controller}`,
      listeners: `PLAINTEXT://${kafka.bootstrap},CONTROLLER://${controller}`,
      'advertised.listeners': `PLAINTEXT://${kafka.bootstrap}`,
      'controller.listener.names': 'CONTROLLER',
      'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
      'log.dirs': data ?? kafka.data,
      'offsets.topic.num.partitions': '3',
      'offsets.topic.replication.factor': '1',
      'transaction.state.log.num.partitions': '2',
      'transaction.state.log.replication.factor': '1',
      'transaction.state.log.min.isr': '1',
      'group.initial.rebalance.delay.ms': '0',
      'log.cleaner.backoff.ms': '300',
    }
    const text = Object.entries(lines).map(([key, value]) => `${key}=${value}\n`)
    writeFileSync(properties, text.join(''))
    if (data === undefined) {
      await java('kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', properties)
    }
    await kafka.#run(properties, port)
    return kafka
  }

  async #run(properties: string, port: number): Promise<void> {
    const logFile = join(this.#folder, 'kafka.out')
    const out = openSync(logFile, 'a')
    const args = [
      '-Xmx512m',
      '-XX:TieredStopAtLevel=1',
      '-cp',
      classPath,
      'kafka.Kafka',
      properties,
    ]
    const child = spawn('java', args, { stdio: ['ignore', out, out] })
    closeSync(out)
    this.#child = child
    process.once('exit', () => child.kill('SIGKILL'))
    const giveUpAtMs = performance.now() + startDeadlineMs
    while (!(await isTaken(port))) {
      if (child.exitCode !== null || performance.now() > giveUpAtMs) {
        throw new Error(`Kafka does not start:\n${readFileSync(logFile, 'utf8')}`)
      }
      await delay(50)
    }
  }

  /** In order. Throws when it takes too long. */
  async stop(): Promise<void> {
    const child = this.#child!
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    const isOver = await Promise.race([ended, delay(stopDeadlineMs, undefined, { ref: false })])
    child.kill('SIGKILL')
    if (isOver === undefined) throw new Error('Kafka does not stop')
  }
}

/** Any. */
const clusterId = 'T3R0bGFDbHVzdGVySWQxMA'
