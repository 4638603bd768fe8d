/** What people and programs read: tables, colours, JSON lines, progress. */
import { once } from 'node:events'
import { styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

/** Styles text where `stream` is a terminal that shows colours; NO_COLOR and FORCE_COLOR are heeded. */
export function styled(
  style: Style,
  text: string,
  stream: NodeJS.WriteStream = process.stdout,
): string {
  return styleText(style, text, { stream })
}

/** Writes to standard output; when a pipe is full, resolves after it has drained. */
export async function print(text: string | Uint8Array): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain')
}

/** One JSON document a line; a `bigint` becomes a number or, where that would lose digits, a string. */
export function printJson(value: unknown): Promise<void> {
  return print(`${json(value)}\n`)
}

export function json(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) => {
    if (typeof member !== 'bigint') return member
    const number = Number(member)
    return Number.isSafeInteger(number) ? number : String(member)
  })
}

export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
}

/** Columns as wide as their widest cell, two spaces between, titles dimmed. No lines around. */
export function table(columns: readonly Column[], rows: readonly (readonly unknown[])[]): string {
  const cells = rows.map(row => row.map(cell => printable(String(cell))))
  const widths = columns.map(({ title }, index) =>
    cells.reduce((width, row) => Math.max(width, (row[index] ?? '').length), title.length),
  )
  const line = (row: readonly string[]) =>
    columns
      .map(({ align }, index) => {
        const cell = row[index] ?? ''
        return align === 'right' ? cell.padStart(widths[index]!) : cell.padEnd(widths[index]!)
      })
      .join('  ')
      .trimEnd()
  const titles = styled('dim', line(columns.map(column => column.title)))
  return `${[titles, ...cells.map(line)].join('\n')}\n`
}

/** Foreign text without what could move the cursor or change colours: names of groups and clients. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '?')
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

/** A size for people: `1.5 MiB`. */
export function bytesText(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

/** Wall time for people and machines: ISO 8601 in UTC; `none` where a record has no timestamp. */
export function timeText(timestampMs: number): string {
  if (timestampMs === -1) return 'none'
  const date = new Date(timestampMs)
  return Number.isNaN(date.getTime()) ? String(timestampMs) : date.toISOString()
}

/** A count for people: `1,234,567`. */
export function countText(count: number): string {
  return count.toLocaleString('en-US')
}

/** `1 record`, `2 records`. */
export function plural(count: number, word: string): string {
  return `${countText(count)} ${word}${count === 1 ? '' : 's'}`
}

/** Words in lines that fit beside `indent` columns in the terminal; 80 where there is none. */
export function wrapped(text: string, indent: number): string[] {
  const width = Math.max(20, Math.min(process.stdout.columns || 80, 100) - indent)
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines
}

/** What lasts less says nothing while it lasts. */
const quietMs = 1000
const redrawMs = 200

/**
 * One line on standard error that rewrites itself while something lasts longer than a second. Silent
 * unless standard error is a terminal, or when standard output is one that the same lines go to.
 */
export class Progress {
  readonly #startedMs = performance.now()
  readonly #isShown: boolean
  #shownMs = Number.NEGATIVE_INFINITY

  /** `fillsOutput`: the command prints to standard output as it goes. */
  constructor({ fillsOutput = false } = {}) {
    this.#isShown = process.stderr.isTTY && !(fillsOutput && process.stdout.isTTY)
  }

  /** Milliseconds since it began. */
  get elapsedMs(): number {
    return performance.now() - this.#startedMs
  }

  /** At most five times a second, so it can be called often. */
  show(text: () => string): void {
    if (!this.#isShown) return
    const { elapsedMs } = this
    if (elapsedMs < quietMs || elapsedMs - this.#shownMs < redrawMs) return
    this.#shownMs = elapsedMs
    const columns = process.stderr.columns || 80
    process.stderr.write(`\r\x1b[K${text().slice(0, columns - 1)}`)
  }

  /** Removes the line. */
  clear(): void {
    if (this.#shownMs < 0) return
    this.#shownMs = Number.NEGATIVE_INFINITY
    process.stderr.write('\r\x1b[K')
  }
}

/** On a terminal, says what takes longer than a second, as long as it takes. */
export async function waitingFor<Result>(what: string, work: Promise<Result>): Promise<Result> {
  const progress = new Progress()
  const timer = setInterval(
    () => progress.show(() => `${what} … ${Math.round(progress.elapsedMs / 1000)} s`),
    quietMs,
  )
  try {
    return await work
  } finally {
    clearInterval(timer)
    progress.clear()
  }
}
