/** What is shown while a burst runs, and the table at the end: state in, lines out. */
import type { Handled, Latencies } from './figures.ts'
import type { Line, Span, Style } from './screen.ts'

export interface ServiceView extends Handled {
  readonly name: string
  readonly state: 'up' | 'killed' | 'not yet'
  /** Events that wait for it, as the broker counts them; `undefined` without a broker. */
  readonly backlog: number | undefined
}

export interface View {
  readonly kind: 'events' | 'direct'
  readonly elapsedMs: number
  readonly total: number
  readonly submitted: number
  readonly errors: number
  readonly latencies: Latencies
  readonly stored: number
  readonly pushed: number
  readonly services: readonly ServiceView[]
  readonly news: readonly string[]
}

const titles = {
  events: 'With events: the web service stores, answers, and is done',
  direct: 'With direct calls: the web service calls three services, then answers',
}
const colors: readonly Style[] = ['cyan', 'magenta', 'yellow', 'blue']
const newsShown = 5
const left = 15
const barCells = 26

export function viewLines(view: View): Line[] {
  const { latencies } = view
  return [
    [],
    [
      [` ${view.kind === 'events' ? 1 : 2}  `, 'dim'],
      [titles[view.kind].padEnd(70), 'bold'],
      [clock(view.elapsedMs).padStart(5), 'dim'],
    ],
    [],
    label(
      'users',
      bar(view.submitted / view.total, barCells, 'green', '─'),
      [`  ${count(view.submitted)} of ${count(view.total)}`.padEnd(21), 'plain'],
      [`${count(view.errors)} errors`, view.errors > 0 ? 'red' : 'plain'],
    ),
    label(
      'answered in',
      [sparkline(latencies.p99s, barCells).padEnd(barCells), 'green'],
      [`  p50 ${duration(latencies.at(0.5))}`.padEnd(15), 'plain'],
      [`p99 ${duration(latencies.at(0.99))}`.padEnd(13), 'plain'],
    ),
    ...(view.kind === 'events'
      ? [
          label('stored', [count(view.stored), 'plain']),
          label('pushed', [count(view.pushed), 'plain']),
        ]
      : [
          label('stored', [count(view.stored), 'plain']),
          label('waiting', [
            `${count(view.submitted - latencies.count - view.errors)} users`,
            'plain',
          ]),
        ]),
    [],
    [
      [
        ` ${'service'.padEnd(left)}${(view.kind === 'events' ? 'backlog' : '').padEnd(barCells + 9)}`,
        'dim',
      ],
      [`${'handled'.padStart(9)}${view.kind === 'events' ? '  seen twice' : ''}`, 'dim'],
    ],
    ...view.services.map((service, index) => serviceLine(view, service, colors[index]!)),
    [],
    ...Array.from({ length: newsShown }, (_, index): Line => {
      const text = view.news.slice(-newsShown)[index]
      return text === undefined ? [] : [[` ${text}`, 'plain']]
    }),
  ]
}

function serviceLine(view: View, service: ServiceView, color: Style): Line {
  const { state, backlog = 0 } = service
  if (state === 'not yet') return label(service.name, ['joins later', 'dim'])
  const waiting: Line =
    service.backlog === undefined
      ? [[''.padEnd(barCells + 9), 'plain']]
      : [
          bar(backlog / (view.total * 0.6), barCells, color, ' '),
          [count(backlog).padStart(9), 'plain'],
        ]
  return label(
    service.name,
    ...waiting,
    [count(service.handled).padStart(9), 'plain'],
    [view.kind === 'events' ? count(service.duplicates).padStart(12) : '', 'plain'],
    [state === 'killed' ? '  killed' : '', 'red'],
  )
}

function label(name: string, ...spans: Span[]): Line {
  return [[` ${name.padEnd(left)}`, 'dim'], ...spans]
}

function bar(part: number, cells: number, style: Style, rest: string): Span {
  const eighths = Math.round(Math.min(1, Math.max(0, part)) * cells * 8)
  const full = '█'.repeat(Math.floor(eighths / 8))
  const last = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][eighths % 8]!
  return [(full + last).padEnd(cells, rest), style]
}

/** The last `cells` values on a logarithmic scale: ▁ up to 4 ms, one step up with each factor of 3.5. */
export function sparkline(valuesMs: readonly number[], cells: number): string {
  const each = Math.max(1, Math.ceil(valuesMs.length / cells))
  const columns = Array.from({ length: Math.ceil(valuesMs.length / each) }, (_, index) =>
    Math.max(...valuesMs.slice(index * each, (index + 1) * each)),
  )
  return columns
    .map(
      value => '▁▂▃▄▅▆▇█'[Math.min(7, Math.max(0, Math.ceil(Math.log(value / 4) / Math.log(3.5))))],
    )
    .join('')
}

/** One line for a pipe. */
export function viewText(view: View): string {
  const services = view.services
    .filter(({ state }) => state !== 'not yet')
    .map(service => {
      const amount = service.backlog ?? service.handled
      return `${service.name} ${count(amount)}${service.state === 'killed' ? ' (killed)' : ''}`
    })
  return [
    clock(view.elapsedMs),
    `submitted ${count(view.submitted)}`,
    `errors ${count(view.errors)}`,
    `p50 ${duration(view.latencies.at(0.5))}`,
    `p99 ${duration(view.latencies.at(0.99))}`,
    `${view.kind === 'events' ? 'backlog' : 'handled'}: ${services.join(', ')}`,
  ].join('  ')
}

/** What one burst came to. */
export interface Outcome extends Omit<View, 'elapsedMs' | 'news' | 'submitted'> {
  /** From the first submit to the last answer. */
  readonly answeredAfterMs: number
  /** From the first submit until every service had handled what it got. */
  readonly doneAfterMs: number
  readonly downMs: number
}

export function summaryLines(events: Outcome, direct: Outcome): Line[] {
  const row = (name: string, of: (outcome: Outcome) => string, style: Style = 'plain'): Line => [
    [` ${name.padEnd(38)}`, style === 'plain' ? 'dim' : style],
    [of(events).padStart(18), style],
    [of(direct).padStart(18), style],
  ]
  const handled = (name: string) => (outcome: Outcome) => {
    const service = outcome.services.find(other => other.name === name)
    return service === undefined ? '–' : count(service.handled)
  }
  const latency = (part: number) => (outcome: Outcome) => duration(outcome.latencies.at(part))
  const sum = (outcome: Outcome) =>
    outcome.services.reduce((total, { duplicates }) => total + duplicates, 0)
  const down = `${(events.downMs / 1000).toFixed(1)} s`
  return [
    [],
    row('', outcome => (outcome.kind === 'events' ? 'with events' : 'direct calls'), 'bold'),
    row('comments submitted', outcome => count(outcome.total)),
    row('answered in, p50', latency(0.5)),
    row('             p99', latency(0.99)),
    row('             longest', latency(1)),
    row('answers a second', outcome =>
      count(Math.round(outcome.total / (outcome.answeredAfterMs / 1000))),
    ),
    row('all three services done after', outcome => duration(outcome.doneAfterMs)),
    row(`moderation killed for ${down}`, outcome => `${count(outcome.errors)} errors`),
    row('stored', outcome => count(outcome.stored)),
    row('pushed to the broker', outcome =>
      outcome.kind === 'events' ? count(outcome.pushed) : '–',
    ),
    row('handled by notification', handled('notification')),
    row('           moderation', handled('moderation')),
    row('           statistics', handled('statistics')),
    row('           search, which joined last', handled('search')),
    row('came twice, dropped the second time', outcome =>
      outcome.kind === 'events' ? count(sum(outcome)) : '–',
    ),
    [],
  ]
}

export function count(value: number): string {
  return value.toLocaleString('en-US')
}

export function duration(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}

export function clock(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}
