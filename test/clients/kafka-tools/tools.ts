/**
 * Runs Kafka's console tools as their shell scripts do: a Java main class each. Half of what they
 * cost is loading classes, so the first run of a tool leaves an archive of them beside the jars,
 * and the next ones map it.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'

const deadlineMs = 30_000

/** The class behind each script. */
const classes = {
  'kafka-topics': 'org.apache.kafka.tools.TopicCommand',
  'kafka-configs': 'kafka.admin.ConfigCommand',
  'kafka-console-producer': 'org.apache.kafka.tools.ConsoleProducer',
  'kafka-console-consumer': 'org.apache.kafka.tools.consumer.ConsoleConsumer',
  'kafka-consumer-groups': 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand',
  'kafka-get-offsets': 'org.apache.kafka.tools.GetOffsetShell',
  'kafka-verifiable-producer': 'org.apache.kafka.tools.VerifiableProducer',
  'kafka-verifiable-consumer': 'org.apache.kafka.tools.VerifiableConsumer',
  'kafka-broker-api-versions': 'org.apache.kafka.tools.BrokerApiVersionsCommand',
  'kafka-reassign-partitions': 'org.apache.kafka.tools.reassign.ReassignPartitionsCommand',
  'kafka-leader-election': 'org.apache.kafka.tools.LeaderElectionCommand',
  'kafka-features': 'org.apache.kafka.tools.FeatureCommand',
  'kafka-cluster': 'org.apache.kafka.tools.ClusterTool',
  'kafka-producer-perf-test': 'org.apache.kafka.tools.ProducerPerformance',
} as const

export type Tool = keyof typeof classes

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** An event that a verifiable tool prints: a line of JSON. */
export interface ToolEvent {
  readonly name: string
  readonly topic?: string
  readonly partition: number
  readonly offset?: number
  readonly value?: string
  readonly partitions?: readonly { readonly partition: number }[]
}

export class Tools {
  readonly #classPath: string
  readonly #bootstrap: string
  #runs = 0

  constructor(classPath: string, bootstrap: string) {
    this.#classPath = classPath
    this.#bootstrap = bootstrap
  }

  #archive(tool: Tool): string {
    return join(dirname(dirname(this.#classPath)), `${tool}.jsa`)
  }

  /** The words after `java`; with `newArchive` it writes an archive when it ends. */
  #words(tool: Tool, args: readonly string[], newArchive?: string): string[] {
    const archive = this.#archive(tool)
    const where = ['--bootstrap-server', this.#bootstrap]
    return [
      ...['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xlog:disable'],
      ...(existsSync(archive) ? [`-XX:SharedArchiveFile=${archive}`] : []),
      ...(newArchive === undefined ? [] : [`-XX:ArchiveClassesAtExit=${newArchive}`]),
      ...['-cp', this.#classPath, classes[tool]],
      // It is an option of the subcommands of this one.
      ...(tool === 'kafka-cluster' ? [...args, ...where] : [...where, ...args]),
    ]
  }

  /** Runs a tool to its end, whatever that is. Throws when it does not come. */
  async tryRun(tool: Tool, args: readonly string[], input = ''): Promise<Ran> {
    const archive = this.#archive(tool)
    const newArchive = existsSync(archive) ? undefined : `${archive}.${process.pid}-${this.#runs++}`
    const words = this.#words(tool, args, newArchive)
    const ran = await new Promise<Ran>((resolve, reject) => {
      const settings = { timeout: deadlineMs, maxBuffer: 64 * 1024 * 1024 }
      const child = execFile('java', words, settings, (error, stdout, stderr) => {
        if (error?.killed) reject(new Error(`${tool} ${args.join(' ')} does not end: ${stderr}`))
        else resolve({ code: child.exitCode ?? -1, stdout, stderr })
      })
      child.stdin?.end(input)
    })
    if (newArchive !== undefined && existsSync(newArchive)) renameSync(newArchive, archive)
    return ran
  }

  /** Answers what a tool prints. Throws with its messages when its exit code is not 0. */
  async run(tool: Tool, args: readonly string[], input = ''): Promise<string> {
    const { code, stdout, stderr } = await this.tryRun(tool, args, input)
    if (code !== 0) throw new Error(`${tool} ended with ${code}: ${stderr.trim() || stdout}`)
    return stdout
  }

  /** Starts a verifiable consumer, which is a member of a group until it is closed. */
  member(...args: string[]): ToolMember {
    return new ToolMember(this.#words('kafka-verifiable-consumer', ['--verbose', ...args]))
  }
}

export class ToolMember {
  /** The partitions it holds, in order. */
  holds: number[] = []
  readonly read: ToolEvent[] = []
  readonly #child: ChildProcess

  constructor(words: readonly string[]) {
    const child = spawn('java', words, { stdio: ['ignore', 'pipe', 'ignore'] })
    this.#child = child
    createInterface(child.stdout).on('line', line => {
      if (line.startsWith('{')) this.#take(JSON.parse(line))
    })
  }

  #take(event: ToolEvent): void {
    const partitions = (event.partitions ?? []).map(({ partition }) => partition)
    if (event.name === 'partitions_assigned') this.holds = [...this.holds, ...partitions].sort()
    if (event.name === 'partitions_revoked') {
      this.holds = this.holds.filter(partition => !partitions.includes(partition))
    }
    if (event.name === 'record_data') this.read.push(event)
  }

  /** Leaves the group. */
  async close(): Promise<void> {
    const closed = once(this.#child, 'close')
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGTERM')
    if ((await Promise.race([closed, delay(deadlineMs, 'late', { ref: false })])) !== 'late') return
    this.#child.kill('SIGKILL')
    throw new Error('kafka-verifiable-consumer does not end')
  }
}

/** Waits until something is so; `instead` says what is there when it does not come. */
export async function until(what: () => boolean, instead: () => unknown): Promise<void> {
  const deadline = performance.now() + deadlineMs
  while (!what()) {
    if (performance.now() > deadline) throw new Error(`not so: ${JSON.stringify(instead())}`)
    await delay(20)
  }
}
