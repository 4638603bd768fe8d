/** A small renderer: lines of styled text, redrawn in place on a terminal. */
import { styleText } from 'node:util'

export type Style =
  | 'plain'
  | 'bold'
  | 'dim'
  | 'red'
  | 'green'
  | 'yellow'
  | 'blue'
  | 'magenta'
  | 'cyan'

/** A piece of a line in one style. */
export type Span = readonly [text: string, style: Style]
export type Line = readonly Span[]

const width = 80

export class Screen {
  /** Whether lines can be redrawn: a terminal wide enough. Otherwise there is text now and then. */
  readonly live: boolean
  #stream: NodeJS.WriteStream
  #drawn = 0

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream
    this.live = stream.isTTY === true && stream.columns >= width && process.env['TERM'] !== 'dumb'
    if (this.live) stream.write('\x1b[?25l')
  }

  /** Draws the lines over those drawn before. */
  draw(lines: readonly Line[]): void {
    if (!this.live) return
    const visible = lines.slice(0, this.#stream.rows - 1)
    const up = this.#drawn > 0 ? `\x1b[${this.#drawn}A` : ''
    this.#stream.write(
      `${up}${visible.map(line => `\x1b[2K${this.#styled(line)}\n`).join('')}\x1b[J`,
    )
    this.#drawn = visible.length
  }

  /** Leaves what was drawn where it is, and writes below it. */
  keep(lines: readonly Line[]): void {
    this.#drawn = 0
    this.#stream.write(lines.map(line => `${this.#styled(line)}\n`).join(''))
  }

  close(): void {
    if (this.live) this.#stream.write('\x1b[?25h')
  }

  #styled(line: Line): string {
    return line
      .map(([text, style]) =>
        style === 'plain' || text === '' ? text : styleText(style, text, { stream: this.#stream }),
      )
      .join('')
  }
}
