/** The rows as a table for a screen, and as Markdown for the docs. Pure. */
import { figureTitles, type Row } from './row.ts'

const head = ['', 'work', 'figure', 'unit', 'Ottla', 'Kafka', 'ratio', 'range', 'goal', 'met']
/** Columns of words; the others are set to the right. */
const leftColumns = new Set([0, 1, 2, 3, 8, 9])

/** At most four significant digits, thousands apart; empty for what was not measured. */
export function figureText(value: number): string {
  if (!Number.isFinite(value)) return ''
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en')
  return Math.abs(value) >= 10 ? value.toFixed(1) : value.toPrecision(3)
}

/** Two digits behind the point, three where two would say nothing. */
export function ratioText(ratio: number): string {
  if (!Number.isFinite(ratio)) return ''
  return ratio < 0.1 ? ratio.toFixed(3) : ratio.toFixed(2)
}

function cellsOf(row: Row, before: Row | undefined): string[] {
  const isSameGroup = before?.group === row.group
  const isSameLine = isSameGroup && before?.name === row.name
  const range = row.pairs > 1 ? `${ratioText(row.least)}–${ratioText(row.most)}` : ''
  const peer = figureText(row.peer)
  return [
    isSameGroup ? '' : row.group,
    isSameLine ? '' : row.client === '' ? row.title : `${row.title} (${row.client})`,
    figureTitles[row.figure],
    row.unit,
    figureText(row.ottla),
    row.peerName === 'limit' && peer !== '' ? `limit ${peer}` : peer,
    ratioText(row.ratio),
    row.disturbed > 0 ? `${range} *` : range,
    row.goal,
    row.met,
  ]
}

function cells(rows: readonly Row[]): string[][] {
  return rows.map((row, index) => cellsOf(row, rows[index - 1]))
}

/** For a screen. */
export function table(rows: readonly Row[]): string {
  const all = [head, ...cells(rows)]
  const widths = head.map((_, column) => Math.max(...all.map(line => line[column]!.length)))
  const set = (text: string, column: number) =>
    leftColumns.has(column) ? text.padEnd(widths[column]!) : text.padStart(widths[column]!)
  const lines = all.map(line => line.map(set).join('  ').trimEnd())
  lines.splice(1, 0, widths.map(width => '─'.repeat(width)).join('  '))
  return lines.join('\n')
}

/** For docs/performance.md. */
export function markdown(rows: readonly Row[]): string {
  const line = (each: readonly string[]) => `| ${each.join(' | ')} |`
  const rule = head.map((_, column) => (leftColumns.has(column) ? '---' : '--:'))
  return [line(head), `|${rule.join('|')}|`, ...cells(rows).map(line)].join('\n')
}

/** One sentence: how many goals are met. */
export function summary(rows: readonly Row[]): string {
  const judged = rows.filter(({ goal, met }) => goal !== '' && met !== 'not measured')
  const met = judged.filter(row => row.met === 'yes').length
  const disturbed = rows.some(row => row.disturbed > 0)
  const mark = disturbed ? ' A * marks a range in which other processes were busy.' : ''
  return `${met} of ${judged.length} goals met.${mark}`
}
