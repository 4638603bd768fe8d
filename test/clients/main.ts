/**
 * Runs every client against one broker, kills it with `kill -9` in between, and prints a table of
 * what was shown. README.md says how; `run` starts this with the right Node.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { LiveBroker } from '../live-broker.ts'
import { type Client, clients } from './clients.ts'
import { type Fact, runPhase, type Said, setUp } from './program.ts'
import { type Column, clientsPage, failures, type Result, terminalTable } from './report.ts'

const root = join(import.meta.dirname, '../..')
const page = join(root, 'docs/clients.md')
const resultFile = join(root, '.cache/clients/result.json')
const setupsAtOnce = 2
const clientsAtOnce = 3
const startedAt = performance.now()

function say(client: string, what: string): void {
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0).padStart(4)
  console.log(`${seconds} s  ${client.padEnd(13)} ${what}`)
}

const saying = (name: string) => (fact: Fact) =>
  say(name, `${fact.how} ${fact.what}${fact.why && `: ${fact.why}`}`)

/** Runs `work` for every item, a few at a time, in order of the list. */
async function inParallel<Item>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const rest = [...items]
  const worker = async () => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}

/** What is known of a client so far: the command once it is set up, and what it said. */
class Progress {
  readonly client: Client
  readonly facts: Fact[] = []
  command: string[] | undefined
  version = ''
  runtime = ''

  constructor(client: Client) {
    this.client = client
  }

  add({ version, runtime, facts }: Said): void {
    this.version = version ?? this.version
    this.runtime = runtime ?? this.runtime
    this.facts.push(...facts)
  }

  fail(what: string, error: unknown): void {
    const why = (error instanceof Error ? error.message : String(error)).trim()
    const fact: Fact = { what, how: 'FAILED', why }
    this.facts.push(fact)
    saying(this.client.name)(fact)
  }

  column(): Column {
    const { client, version, runtime, facts } = this
    return { ...client, version, runtime, facts }
  }
}

async function setUpAll(all: readonly Progress[]): Promise<void> {
  await inParallel(all, setupsAtOnce, async progress => {
    const from = performance.now()
    try {
      progress.command = await setUp(progress.client)
      const took = (performance.now() - from) / 1000
      if (took > 2) say(progress.client.name, `set up in ${took.toFixed(0)} s`)
    } catch (error) {
      progress.fail('setup', error)
    }
  })
}

/** The types of the clients come with what their setups installed, so they are checked only here. */
async function checkTypes(): Promise<Column[]> {
  try {
    await promisify(execFile)('tsc', ['--project', import.meta.dirname])
    return []
  } catch (error) {
    const why = error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error)
    return [broken('types', why)]
  }
}

const broken = (name: string, why: string): Column => ({
  name,
  title: name,
  version: '',
  runtime: '',
  facts: [{ what: name, how: 'FAILED', why }],
})

async function runAll(
  all: readonly Progress[],
  args: readonly string[],
  phase: 'work' | 'again',
): Promise<void> {
  await inParallel(all, clientsAtOnce, async progress => {
    const { name } = progress.client
    if (progress.command === undefined) return
    const from = performance.now()
    say(name, `begins ${phase}`)
    progress.add(await runPhase(progress.command, args, phase, saying(name)))
    say(name, `ends ${phase} after ${((performance.now() - from) / 1000).toFixed(1)} s`)
  })
}

/** Both phases, against Ottla or the broker at `external`; answers what is wrong with the broker. */
async function runPhases(
  all: readonly Progress[],
  external: string | undefined,
): Promise<Column[]> {
  const time = Date.now() - 3_600_000 // an hour ago: recent, so that no retention removes it
  const broker = external === undefined ? await LiveBroker.start() : undefined
  try {
    const args = [external ?? broker?.bootstrap ?? '', `t${time}`, String(time)]
    await runAll(all, args, 'work')
    if (broker !== undefined) say('broker', 'kill -9')
    await broker?.kill()
    await broker?.restart()
    await runAll(all, args, 'again')
    await broker?.stop()
    return (broker?.surprises() ?? []).map(line => broken('broker', line.slice(0, 1000)))
  } catch (error) {
    return [broken('broker', error instanceof Error ? error.message : String(error))]
  } finally {
    const failed = all.some(progress => progress.facts.some(fact => fact.how === 'FAILED'))
    if (broker !== undefined && failed) {
      console.log(`\nThe broker's last words:\n${broker.logTail()}`)
    }
    await broker?.remove()
  }
}

async function testClients(names: readonly string[]): Promise<void> {
  const unknown = names.find(name => clients.every(client => client.name !== name))
  if (unknown !== undefined) {
    throw new Error(`no client ${unknown}: ${clients.map(client => client.name).join(', ')}`)
  }
  const chosen = clients.filter(({ name }) => names.length === 0 || names.includes(name))
  const all = chosen.map(client => new Progress(client))
  const external = process.env['BOOTSTRAP']
  await setUpAll(all)
  const troubles = names.length === 0 ? await checkTypes() : []
  troubles.push(...(await runPhases(all, external)))
  const result: Result = {
    complete: names.length === 0 && external === undefined,
    columns: [...all.map(progress => progress.column()), ...troubles],
  }
  if (result.complete) {
    mkdirSync(dirname(resultFile), { recursive: true })
    writeFileSync(resultFile, `${JSON.stringify(result, undefined, 2)}\n`)
  }
  console.log(`\n${terminalTable(result)}`)
  const failed = result.columns.flatMap(failures).length
  const shown = result.columns
    .flatMap(({ facts }) => facts)
    .filter(({ how }) => how === 'ok').length
  const took = ((performance.now() - startedAt) / 1000).toFixed(0)
  console.log(`\n${shown} passed, ${failed} failed in ${took} s`)
  process.exitCode = failed === 0 ? 0 : 1
  if (result.complete && failed === 0 && readPage() !== clientsPage(result)) {
    console.log('docs/clients.md says otherwise: node test/clients/main.ts --docs prints it anew')
  }
}

const readPage = () => (existsSync(page) ? readFileSync(page, 'utf8') : '')

function printPage(): void {
  if (!existsSync(resultFile)) throw new Error('no complete run yet: npm run test:clients')
  const result: Result = JSON.parse(readFileSync(resultFile, 'utf8'))
  if (result.columns.flatMap(failures).length > 0) {
    throw new Error('the last complete run was not green: npm run test:clients')
  }
  writeFileSync(page, clientsPage(result))
}

const args = process.argv.slice(2)
try {
  if (args.includes('--docs')) printPage()
  else await testClients(args)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
