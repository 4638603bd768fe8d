/** The story: a burst with events, the same burst with direct calls, and the two side by side. */
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, constants, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { connectPositions } from '../events.ts'
import { Act, victim } from './act.ts'
import { Databases } from './figures.ts'
import { Picture } from './picture.ts'
import { Processes, type Running } from './processes.ts'
import { type Line, Screen } from './screen.ts'
import { count, type Outcome, summaryLines, type View } from './view.ts'

/** What 20,000 comments arrive with: more than notification and moderation can handle. */
const submitsPerSecond = 1000

/** The whole must end within two minutes: direct calls get a smaller sample when time is short. */
const budgetMs = 106_000

interface Stage {
  readonly directory: string
  readonly total: number
  readonly downMs: number
  readonly processes: Processes
  readonly screen: Screen
  readonly picture: Picture
}

/** Runs the demo; returns its exit code: 0 when every count is right. */
export async function runDemo(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: { comments: { type: 'string', default: '20000' }, picture: { type: 'string' } },
  })
  const total = Number(values.comments)
  if (!Number.isInteger(total) || total < 100) {
    console.error(`--comments takes a whole number from 100 up, not ${values.comments}`)
    return 1
  }
  const stage: Stage = {
    directory: await mkdtemp(join(tmpdir(), 'ottla-demo-')),
    total,
    downMs: total < 10_000 ? 1000 : 3000,
    processes: new Processes(),
    screen: new Screen(process.stdout),
    picture: new Picture(),
  }
  const stopped = new Promise<number>(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => resolve(128 + constants.signals[signal]))
    }
    process.stdout.on('error', () => resolve(1)) // nobody reads on
  })
  try {
    const code = await Promise.race([play(stage), stage.processes.failed, stopped])
    if (values.picture !== undefined) await writeFile(values.picture, stage.picture.svg())
    return code
  } catch (error) {
    console.error(`\nThe demo failed: ${error instanceof Error ? error.message : error}`)
    return 1
  } finally {
    stage.screen.close()
    await stage.processes.killAll()
    await rm(stage.directory, { recursive: true, force: true })
  }
}

async function play(stage: Stage): Promise<number> {
  const { screen, picture } = stage
  screen.keep([
    [],
    [
      [
        ` Ottla: ${count(stage.total)} comments in a burst, first with events, then with direct calls`,
        'bold',
      ],
    ],
    [[' Every service is a process of its own. Notification mails 500 a second,', 'dim']],
    [[' moderation judges 800, statistics and search are as fast as they can.', 'dim']],
    ...busyNote(),
  ])
  const { outcome: events, inBroker } = await withEvents(stage)
  const direct = await withDirectCalls(stage, events)
  const wrong = wrongCounts(events, inBroker, direct)
  const lines = [...summaryLines(events, direct), ...verdict(wrong, events, direct)]
  screen.keep(lines)
  picture.end(lines)
  return wrong.length === 0 ? 0 : 1
}

/** Times tell little while others use the machine; the counts must be right all the same. */
function busyNote(): Line[] {
  const load = loadavg()[0] ?? 0
  const cores = availableParallelism()
  if (load < cores) return []
  const text = ` This machine is busy (load ${load.toFixed(0)} on ${cores} cores): times will be longer.`
  return [[[text, 'yellow']]]
}

/** The first burst. */
async function withEvents(stage: Stage): Promise<{ outcome: Outcome; inBroker: number }> {
  const { processes, total } = stage
  const bootstrap = process.env['BOOTSTRAP'] ?? (await startOttla(stage))
  const topic = `comment-events-${process.pid}-${Date.now()}`
  const data = join(stage.directory, 'events')
  const env = { BOOTSTRAP: bootstrap, TOPIC: topic, DATA: data, PORT: '0' }
  const service = (name: string) =>
    processes.start({
      name,
      file: `services/${name}.ts`,
      env,
      background: true,
      ready: /: pulling/,
    })
  const [web, moderation] = await Promise.all([
    processes.start({ name: 'web', file: 'web/server.ts', env, ready: /listening on (\S+)/ }),
    service(victim),
    processes.start({ name: 'relay', file: 'web/relay.ts', env, ready: /: pushing/ }),
    service('notification'),
    service('statistics'),
  ])
  const positions = await connectPositions(bootstrap, topic)
  const databases = new Databases(data)
  const act = new Act({ ...settings(stage, 'events', total, databases), positions })
  const users = await startUsers(stage, web, total)
  await act.play(users, async answered => {
    await act.accident(
      () => processes.kill(moderation),
      () => service(victim),
    )
    await answered
    act.tell('every comment is answered; the services go on at their own pace')
    await act.drained()
    await act.join('search', () => service('search'))
    act.tell(`search finds the word “broker” in ${count(databases.found('broker'))} comments`)
  })
  const inBroker = await positions.stored()
  await positions.close()
  databases.close()
  await processes.killAll()
  return { outcome: act.outcome(), inBroker }
}

/** The second burst: same users, same services, same accident, no broker. */
async function withDirectCalls(stage: Stage, events: Outcome): Promise<Outcome> {
  const { processes } = stage
  const total = sampleSize(stage.total, events)
  const data = join(stage.directory, 'direct')
  const service = (name: string, port = '0') =>
    processes.start({
      name,
      file: 'direct/service.ts',
      args: [name],
      env: { DATA: data, PORT: port },
      ready: /listening on (\S+)/,
    })
  const services = await Promise.all(
    ['notification', victim, 'statistics'].map(name => service(name)),
  )
  const urls = services.map(address)
  const web = await processes.start({
    name: 'web',
    file: 'direct/web.ts',
    env: { DATA: data, PORT: '0', SERVICES: urls.join(',') },
    ready: /listening on (\S+)/,
  })
  const databases = new Databases(data)
  const act = new Act(settings(stage, 'direct', total, databases))
  const users = await startUsers(stage, web, total)
  await act.play(users, async answered => {
    await act.accident(
      () => processes.kill(services[1]!),
      () => service(victim, new URL(urls[1]!).port),
    )
    await answered
  })
  const outcome = act.outcome()
  databases.close()
  await processes.killAll()
  return outcome
}

/** All comments if time allows: the slowest service sets the pace now as it did in the first burst. */
function sampleSize(total: number, events: Outcome): number {
  const perSecond = total / (events.doneAfterMs / 1000)
  const leftSeconds = (budgetMs - performance.now()) / 1000
  const fits = leftSeconds * perSecond * 0.9
  return Math.min(total, Math.max(1000, Math.floor(fits / 1000) * 1000))
}

function settings(stage: Stage, kind: View['kind'], total: number, databases: Databases) {
  const { downMs, screen, picture } = stage
  return { kind, total, downMs, databases, screen, onView: (view: View) => picture.add(view) }
}

/** Starts Ottla as this repository has it; returns its address. */
async function startOttla({ processes, directory }: Stage): Promise<string> {
  const file = '../../src/bin.js'
  if (!existsSync(join(import.meta.dirname, '..', file))) {
    throw new Error('no Ottla beside this example: start one, and say where: BOOTSTRAP=host:port')
  }
  const ottla = await processes.start({
    name: 'ottla',
    file,
    args: ['start', '--port', '0', '--data', join(directory, 'ottla')],
    ready: /is ready[\s\S]*?listening\s+(\S+)\s/,
  })
  return address(ottla)
}

function startUsers({ processes }: Stage, web: Running, total: number): Promise<Running> {
  return processes.start({
    name: 'users',
    file: 'demo/users.ts',
    args: [address(web), String(total), String(submitsPerSecond)],
    ready: /users: here/,
  })
}

/** Where a process says that it listens. */
function address({ match }: Running): string {
  return match[1]!
}

/** What is not as it has to be: nothing, or a line for each count that is off. */
function wrongCounts(events: Outcome, inBroker: number, direct: Outcome): string[] {
  const { total } = events
  const counts: [string, number][] = [
    ['comments accepted', events.latencies.count],
    ['comments stored', events.stored],
    ['events pushed', events.pushed],
    ['events in the broker', Math.min(inBroker, total)], // an event pushed twice is no error
    ...events.services.map(({ name, handled }): [string, number] => [
      `handled by ${name}`,
      handled,
    ]),
  ]
  const accepted = direct.latencies.count
  const lost = direct.services.filter(({ handled }) => handled < accepted)
  return [
    ...counts
      .filter(([, is]) => is !== total)
      .map(([name, is]) => `with events: ${name}: ${count(is)} instead of ${count(total)}`),
    ...lost.map(
      ({ name, handled }) =>
        `direct calls: ${name} handled ${count(handled)} of ${count(accepted)} accepted`,
    ),
  ]
}

function verdict(wrong: readonly string[], events: Outcome, direct: Outcome): Line[] {
  if (wrong.length > 0) return [...wrong.map((text): Line => [[` ✗ ${text}`, 'red']]), []]
  const total = count(events.total)
  const sample: Line[] =
    direct.total < events.total
      ? [[[` Direct calls: a sample of ${count(direct.total)}, to end within two minutes.`, 'dim']]]
      : []
  const unseen = direct.stored - direct.services.find(({ name }) => name === victim)!.handled
  return [
    [[` ✓ ${total} submitted = stored = pushed = handled by each of four services.`, 'green']],
    [
      [
        ` ✗ With direct calls ${count(direct.errors)} users got an error while ${victim} was away,`,
        'red',
      ],
    ],
    [[`   and it never heard of ${count(unseen)} comments that were stored.`, 'red']],
    ...sample,
    [],
  ]
}
