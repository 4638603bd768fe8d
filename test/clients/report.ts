/** What a run found, as a table for the terminal and as docs/clients.md. */
import { capabilities } from './capabilities.ts'
import type { Fact } from './program.ts'

/** One client: what it is, and what it said in both phases. */
export interface Column {
  readonly name: string
  readonly title: string
  readonly version: string
  readonly runtime: string
  readonly facts: readonly Fact[]
}

/** A run of every client or of some. */
export interface Result {
  /** All clients, against Ottla, with the `kill -9` in between. */
  readonly complete: boolean
  readonly columns: readonly Column[]
}

export const failures = (column: Column): Fact[] => column.facts.filter(f => f.how === 'FAILED')

const marks = { ok: '✓', absent: '–', FAILED: '✗' } as const

function mark(column: Column, what: string): string {
  const facts = column.facts.filter(fact => fact.what === what)
  const worst = facts.find(fact => fact.how === 'FAILED') ?? facts[0]
  return worst === undefined ? '' : marks[worst.how]
}

const known = new Set(capabilities.map(({ name }) => name))

/** What a client showed beyond the table, each once. */
function further(column: Column): string[] {
  const others = column.facts.filter(fact => fact.how === 'ok' && !known.has(fact.what))
  return [...new Set(others.map(fact => fact.what))]
}

/** The matrix for a terminal: a row for each client, a column for each capability. */
export function terminalTable(result: Result): string {
  const lines: string[] = []
  const names = capabilities.map(({ name }) => name)
  const wide = Math.max(
    ...result.columns.map(({ name }) => name.length),
    ...names.map(n => n.length),
  )
  lines.push(`${' '.repeat(wide)}  ${result.columns.map(({ name }) => name).join('  ')}`)
  for (const name of names) {
    const cells = result.columns.map(column => mark(column, name).padEnd(column.name.length))
    lines.push(`${name.padEnd(wide)}  ${cells.join('  ')}`.trimEnd())
  }
  lines.push('')
  for (const column of result.columns) {
    const failed = failures(column)
    const passed = column.facts.filter(fact => fact.how === 'ok').length
    lines.push(
      `${column.name.padEnd(wide)}  ${column.version || '–'}${column.runtime && ` on ${column.runtime}`}: ` +
        `${passed} shown${failed.length > 0 ? `, ${failed.length} FAILED` : ''}`,
    )
    for (const { what, why } of failed) lines.push(`  FAILED ${what}: ${why}`)
  }
  return lines.join('\n')
}

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

/** docs/clients.md. Nothing in it but what the programs said and the titles of the tables. */
export function clientsPage({ columns }: Result): string {
  const absent = columns.flatMap(column =>
    column.facts
      .filter(fact => fact.how === 'absent')
      .map(fact => `- ${column.title}, \`${fact.what}\`: ${fact.why}`),
  )
  const more = columns
    .filter(column => further(column).length > 0)
    .map(column => `- **${column.title}**: ${further(column).join('; ')}`)
  return `<!-- Printed by \`node test/clients/main.ts --docs\` from the last complete run: do not change it by hand. -->

# Clients

What \`npm run test:clients\` showed: each client runs against one broker, which is killed with \`kill -9\` and started
again, and then looks for what it left there. ✓ shown, – the client has no such thing (below), empty: not tried.

${row(['client', 'version', 'on'])}
|---|---|---|
${columns.map(column => row([column.title, column.version, column.runtime])).join('\n')}

${row(['', ...columns.map(({ title }) => title)])}
|---|${columns.map(() => ':-:|').join('')}
${capabilities
  .map(({ name, title }) => row([title, ...columns.map(column => mark(column, name))]))
  .join('\n')}

## What a client does not have

${absent.join('\n')}

## Also shown

${more.join('\n')}
`
}
