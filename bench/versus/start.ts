/** Start, memory, and the size of the package: what is there before and after the work. */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '../../src/cli/cluster-etcd.ts'
import { type Installed, kafkaPidFile, kafkaPort, ottlaCommand, stopKafka } from './brokers.ts'
import type { Children } from './children.ts'
import { type Bench, bothOf, byTurns, jsonFigures, rowsOf } from './pairs.ts'
import { type Compared, compared, type LineName, type Row, row } from './row.ts'
import { type Metrics, procs, program } from './shared.ts'

/** Of Apache Kafka: its jars, and they with a Java runtime, in MiB. */
const kafkaMiB = { jars: 43, withRuntime: 227 }

/** From spawn to the first acknowledged record, and the memory of an idle broker: `start-time`. */
export async function measureStart(bench: Bench, line: LineName): Promise<Row[]> {
  const { children, installed, work, at } = bench
  const port = await kafkaPort()
  let turn = 0
  const kafka = async () => {
    try {
      await children.run(program('kafka-start'), ['1', `${port}`, '--format-only'])
      const command = [program('kafka-start'), '1', `${port}`, '--keep', '--no-wait']
      return await startTime(children, `127.0.0.1:${port}`, command, kafkaPidFile(port))
    } finally {
      stopKafka(port)
    }
  }
  const ottla = async () => {
    const bootstrap = `127.0.0.1:${await freePort()}`
    const data = join(work, `start-${++turn}`)
    return startTime(children, bootstrap, ottlaCommand(installed.bin, bootstrap, data))
  }
  // The first start fills Node's compile cache, as the first on a user's machine does.
  at(0, 'a first start, not counted')
  await ottla()
  // Nothing of it depends on records: what others do is told by the range.
  const pairs = await byTurns({ ...bench, maxOther: 100 }, ['ottla', 'kafka'], which =>
    which === 0 ? ottla() : kafka(),
  )
  const memory: LineName = { group: 'memory', name: 'memory-idle', title: 'idle', client: '' }
  return [...rowsOf(line, ['accepts', 'first_ack'], pairs), ...rowsOf(memory, ['resident'], pairs)]
}

async function startTime(
  children: Children,
  bootstrap: string,
  command: readonly string[],
  pidFile?: string,
): Promise<Metrics> {
  const from = pidFile === undefined ? [] : ['--pid-from', pidFile]
  const args = [program('start-time.mjs'), bootstrap, ...from, '--', ...command]
  const figures = jsonFigures(await children.run(process.execPath, args))
  await delay(500)
  const of = (name: string) => figures.get(`start.${name}`) ?? Number.NaN
  return {
    accepts: [of('accepts'), 'ms'],
    first_ack: [of('first-ack'), 'ms'],
    resident: [of('rss-idle'), 'MiB'],
  }
}

/** What both hold of memory now, after all the work of the lines before. */
export async function measureMemory(bench: Bench): Promise<Row[]> {
  const { rssMiB } = await procs()
  const [ottla, kafka] = bothOf(bench).map(({ pid }) => rssMiB([pid])) as [number, number]
  const line: LineName = { group: 'memory', name: 'memory-load', title: 'after load', client: '' }
  return [row(line, 'resident', compared('MiB', [[ottla, kafka]]))]
}

/** Of the package: facts, not measurements. */
export function packageRows({ tarballMiB, installedMiB, runtimeMiB }: Installed): Row[] {
  const line = (name: string, title: string): LineName => ({
    ...{ group: 'package', name, title, client: '' },
  })
  const size = (own: number, peer: number): Compared => compared('MiB', [[own, peer]])
  return [
    row(line('package-tarball', 'tarball'), 'size', size(tarballMiB, Number.NaN)),
    row(line('package', 'with dependencies'), 'size', size(installedMiB, kafkaMiB.jars)),
    row(
      line('package-runtime', 'with the runtime'),
      'size',
      size(installedMiB + runtimeMiB, kafkaMiB.withRuntime),
    ),
  ]
}
