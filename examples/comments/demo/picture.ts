/** Draws what the terminal showed as an SVG that moves: docs/demo.svg. */
import type { Line, Style } from './screen.ts'
import { type View, viewLines } from './view.ts'

const columns = 82
const cellWidth = 8.4
const lineHeight = 18
const frames = 24
const frameSeconds = 0.75
const lastSeconds = 8

/** One palette for both: the picture brings its own background. */
const colors: Readonly<Record<Style, string>> = {
  plain: '#d6dbe4',
  bold: '#ffffff',
  dim: '#8b95a7',
  red: '#ff7b72',
  green: '#7ee787',
  yellow: '#e3b341',
  blue: '#79c0ff',
  magenta: '#d2a8ff',
  cyan: '#56d4dd',
}

export class Picture {
  #views: (readonly Line[])[] = []
  #end: readonly Line[] = []

  add(view: View): void {
    this.#views.push(viewLines(view))
  }

  /** The table that stays. */
  end(lines: readonly Line[]): void {
    this.#end = lines
  }

  svg(): string {
    const step = Math.max(1, this.#views.length / frames)
    const shown = Array.from(
      { length: Math.min(frames, this.#views.length) },
      (_, index) => this.#views[Math.floor(index * step)]!,
    )
    const all = [...shown, this.#end]
    const seconds = shown.length * frameSeconds + lastSeconds
    const width = Math.round(columns * cellWidth)
    const height = Math.max(...all.map(lines => lines.length)) * lineHeight + 16
    const percent = (part: number) => ((part / seconds) * 100).toFixed(2)
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="npm run demo: comments with events, and with direct calls">
<style>
text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; white-space: pre }
${Object.entries(colors)
  .map(([style, color]) => `.${style} { fill: ${color} }`)
  .join('\n')}
.bold { font-weight: 700 }
.frame { visibility: hidden; animation: frame ${seconds}s step-end infinite }
.last { visibility: hidden; animation: last ${seconds}s step-end infinite }
@keyframes frame { 0% { visibility: visible } ${percent(frameSeconds)}%, 100% { visibility: hidden } }
@keyframes last { 0% { visibility: visible } ${percent(lastSeconds)}%, 100% { visibility: hidden } }
@media (prefers-reduced-motion: reduce) { .frame { animation: none } .last { animation: none; visibility: visible } }
</style>
<rect width="${width}" height="${height}" rx="8" fill="#10151f"/>
${all.map((lines, index) => frame(lines, index, index === shown.length)).join('\n')}
</svg>
`
  }
}

function frame(lines: readonly Line[], index: number, isLast: boolean): string {
  const delay = (index * frameSeconds).toFixed(2)
  return `<g class="${isLast ? 'last' : 'frame'}" style="animation-delay:${delay}s">\n${lines.map(row).join('')}</g>`
}

/** Each piece is placed and stretched by itself, so that columns stand below each other in any font. */
function row(line: Line, index: number): string {
  const y = (index + 1) * lineHeight
  let column = 1
  const pieces: string[] = []
  for (const [text, style] of line) {
    for (const { 0: words, index: at } of text.matchAll(/\S+(?: \S+)*/g)) {
      const x = ((column + at) * cellWidth).toFixed(1)
      const length = (words.length * cellWidth).toFixed(1)
      pieces.push(
        `<text x="${x}" y="${y}" class="${style}" textLength="${length}" lengthAdjust="spacingAndGlyphs">${escaped(words)}</text>\n`,
      )
    }
    column += text.length
  }
  return pieces.join('')
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
