/** What a figure depends on besides the two brokers, and whether something else disturbs them now. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { procs } from './shared.ts'

const lookMs = 3000
/** Above this share of all cores the figures are marked. */
const busyShare = 0.15

export interface Machine {
  readonly cores: number
  readonly processor: string
  readonly memoryGiB: number
  readonly kernel: string
  readonly node: string
  readonly java: string
  readonly load: readonly number[]
  /** The share of all cores that others take while nothing is measured. */
  readonly busy: number
  readonly isDisturbed: boolean
}

/** Looks for three seconds at what others do. */
export async function describeMachine(): Promise<Machine> {
  const { busySeconds } = await procs()
  const before = busySeconds()
  await delay(lookMs)
  const busy = (busySeconds() - before) / ((lookMs / 1000) * availableParallelism())
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model ?? '',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    java: javaVersion(),
    load: loadavg().map(value => Number(value.toFixed(1))),
    busy: Number(busy.toFixed(2)),
    isDisturbed: busy > busyShare,
  }
}

function javaVersion(): string {
  // `java -version` speaks on stderr; this form, of JDK 9 and later, on stdout.
  return execFileSync('java', ['--version'], { encoding: 'utf8' }).split('\n')[0] ?? ''
}

/** Who takes most of the processors now: up to three names, for a person to end. */
export function busiest(): string {
  const out = execFileSync('ps', ['-eo', 'pcpu,pid,comm', '--sort=-pcpu', '--no-headers'], {
    encoding: 'utf8',
  })
  const lines = out.split('\n').filter(line => !line.includes(` ${process.pid} `))
  return lines
    .slice(0, 3)
    .map(line => line.trim().replace(/^(\S+)\s+(\d+)\s+/, '$1 % pid $2 '))
    .join(', ')
}

/** How many files a process may open: 10,000 partitions of Kafka need 30,000. */
export function openFileLimit(): number {
  const limits = readFileSync('/proc/self/limits', 'utf8')
  return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? 0)
}
