/**
 * Runs every client against one broker, kills it with `kill -9` in between, and prints a table of
 * what was shown. `run` installs what the clients need and starts this. With BOOTSTRAP in the
 * environment the broker is the one there (Apache Kafka, say) and nothing is killed.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { LiveBroker } from '../live-broker.ts'

const clientDeadlineMs = 180_000
const here = import.meta.dirname
const [classPath = ''] = process.argv.slice(2)

interface Client {
  readonly name: string
  /** The command, to which BOOTSTRAP PREFIX TIME PHASE are added. */
  readonly command: readonly [string, ...string[]]
}

const node = (program: string): Client['command'] => [
  process.execPath,
  '--no-warnings', // kafkajs sets negative timeouts, of which Node complains
  join(here, program),
]

const clients: readonly Client[] = [
  { name: 'java', command: ['java', '-Xmx512m', '-cp', classPath, 'JavaClient'] },
  { name: 'kcat', command: node('kcat.ts') },
  { name: 'kafkajs', command: node('kafkajs/main.ts') },
]

/** One line of the table. `what` says why when it FAILED. */
interface Fact {
  readonly client: string
  readonly version: string
  readonly what: string
  readonly ok: boolean
}

/** Runs one program; its lines become facts, and so does an end that its lines do not explain. */
function runClient(client: Client, args: readonly string[]): Promise<Fact[]> {
  const [file, ...options] = client.command
  const settings = { timeout: clientDeadlineMs, maxBuffer: 64 * 1024 * 1024 }
  return new Promise(resolve => {
    execFile(file, [...options, ...args], settings, (error, stdout, stderr) => {
      const version = /^version (.*)$/m.exec(stdout)?.[1] ?? '?'
      const fact = (what: string, ok: boolean) => ({ client: client.name, version, what, ok })
      const facts = [...stdout.matchAll(/^(ok|FAILED) (.*)$/gm)].map(([, word, what]) =>
        fact(what ?? '', word === 'ok'),
      )
      if (facts.length === 0 || (error !== null && facts.every(({ ok }) => ok))) {
        facts.push(fact(`the program ended with: ${stderr.trim() || error?.message}`, false))
      }
      resolve(facts)
    })
  })
}

function printTable(facts: readonly Fact[]): void {
  const head = ['client', 'version', '', 'what was shown']
  const rows = facts.map(({ client, version, what, ok }) => [
    client,
    version,
    ok ? 'ok' : 'FAILED',
    what,
  ])
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map(row => row[i]?.length ?? 0)))
  for (const row of [head, ...rows]) {
    console.log(row.map((cell, i) => (i === 3 ? cell : cell.padEnd(widths[i] ?? 0))).join('  '))
  }
}

async function runAll(bootstrap: string, prefix: string, time: number, phase: string) {
  const args = [bootstrap, prefix, String(time), phase]
  return (await Promise.all(clients.map(client => runClient(client, args)))).flat()
}

const external = process.env['BOOTSTRAP']
const broker = external === undefined ? await LiveBroker.start() : undefined
const bootstrap = external ?? broker?.bootstrap ?? ''
const time = Date.now() - 3_600_000 // an hour ago: recent, so that no retention removes it
const prefix = `t${time}`
const facts: Fact[] = []
try {
  facts.push(...(await runAll(bootstrap, prefix, time, 'work')))
  await broker?.kill()
  await broker?.restart()
  const again = await runAll(bootstrap, prefix, time, 'again')
  const claim = broker === undefined ? 'read back (nothing was killed): ' : 'after kill -9: '
  facts.push(...again.map(fact => ({ ...fact, what: claim + fact.what })))
  await broker?.stop()
  for (const line of broker?.surprises() ?? []) {
    facts.push({ client: 'broker', version: '', what: line.slice(0, 1000), ok: false })
  }
} finally {
  facts.sort(
    (a, b) =>
      clients.findIndex(c => c.name === a.client) - clients.findIndex(c => c.name === b.client),
  )
  printTable(facts)
  if (broker !== undefined && facts.some(({ ok }) => !ok))
    console.log(`\nThe broker's last words:\n${broker.logTail()}`)
  await broker?.remove()
}
const failed = facts.filter(({ ok }) => !ok).length
console.log(`\n${facts.length - failed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
