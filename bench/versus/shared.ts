/** ../shared/bench: where it is (BENCH names another place), and what of it is used in this process. */
import { existsSync } from 'node:fs'
import type { Socket } from 'node:net'
import { homedir } from 'node:os'
import { join } from 'node:path'

export const shared = process.env['BENCH'] ?? join(import.meta.dirname, '../../../shared/bench')
/** Where its programs keep what they downloaded and compiled. */
export const sharedState = process.env['OTTLA_BENCH_DIR'] ?? join(homedir(), '.cache/ottla-bench')
export const librdkafkaProgram = join(sharedState, 'rdk/rdkafka_performance')

/** The path of a program there. */
export function program(name: string): string {
  return join(shared, name)
}

/** What has to be run first, if something has; the words a person can copy. */
export function missingSetup(needsLibrdkafka: boolean): string | undefined {
  if (!existsSync(program('compare.mjs'))) return `there is no ${shared}: BENCH names its place`
  const isThere = ['libs/.got', 'classes/.got'].every(file => existsSync(join(sharedState, file)))
  if (!isThere) return `Apache Kafka is not set up: run ${program('kafka-setup')}`
  if (!needsLibrdkafka || existsSync(librdkafkaProgram)) return undefined
  return `librdkafka's client is not built: run ${program('rdkafka-setup')}, or leave its lines out with --no-librdkafka`
}

/** A figure and its unit, by name, as its programs count them. */
export type Metrics = Record<string, [number, string]>

/** procs.mjs: what /proc says. */
interface Procs {
  cpuSeconds(pids: readonly number[]): number
  childCpuSeconds(): number
  rssMiB(pids: readonly number[]): number
  busySeconds(): number
  quiet(seconds: number): Promise<void>
  claimMemory(bytes: number): void
}

/** A connection on which requests can be sent while others wait for their answers. */
export interface Wire {
  readonly socket: Socket
  topic(name: string): Promise<void>
  produce(frame: Uint8Array): Promise<number>
}

/** wire.mjs: a client that costs almost nothing. */
interface WireModule {
  readonly Wire: { connect(host: string, port: number): Promise<Wire> }
  readonly Drain: {
    connect(
      port: number,
      host: string,
    ): Promise<{ socket: Socket; send(frame: Uint8Array): Promise<number> }>
  }
  recordBatch(count: number, size: number): Buffer
  produceRequest(topic: string, partition: number, batch: Buffer): Buffer
  fetchRequest(topic: string, partition: number, offset: number, maxBytes: number): Buffer
}

/** workloads.mjs: what `perf` and `compare` run, with the Java client. */
interface WorkloadsModule {
  readonly Target: new (
    bootstrap: string,
    options: { pids: number[]; scale: number; quietSeconds: number },
  ) => { run(workload: object): Promise<Metrics>; close(): Promise<void> }
}

export const procs = (): Promise<Procs> => import(program('procs.mjs'))
export const wireModule = (): Promise<WireModule> => import(program('wire.mjs'))
export const workloadsModule = (): Promise<WorkloadsModule> => import(program('workloads.mjs'))
