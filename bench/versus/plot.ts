/**
 * The ratios as an SVG picture: a bar for each row, from 1 (as much as the peer) to its ratio on a
 * logarithmic scale, with the range of the pairs as a whisker and the goal as a mark. Its colours
 * are readable on light and dark ground. Pure.
 */
import { goalOf } from '../goals.ts'
import { figureTitles, type Row } from './row.ts'
import { ratioText } from './table.ts'

const width = 960
const labelsEnd = 440
const plotStart = 455
const plotEnd = 880
const rowHeight = 20
const barHeight = 10
const headHeight = 64
const groupHeight = 28
const footHeight = 28
/** What the scale always shows. */
const leastDecade = 0.1
const mostDecade = 10
const marks = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100]

const style = `
  text { font: 12px system-ui, sans-serif; fill: #374151 }
  .title { font-size: 15px; font-weight: 600 }
  .group { font-weight: 600 }
  .quiet, .quiet text { fill: #6b7280 }
  .grid { stroke: #d1d5db; stroke-width: 1 }
  .one { stroke: #6b7280; stroke-width: 1.5 }
  .met { fill: #0d9488 }
  .missed { fill: #d97706 }
  .plain { fill: #94a3b8 }
  .whisker { stroke: #374151; stroke-width: 1.2 }
  .goal { stroke: #2563eb; stroke-width: 2.5 }
  .aim { fill: #2563eb }
  @media (prefers-color-scheme: dark) {
    text { fill: #d1d5db }
    .quiet, .quiet text { fill: #9ca3af }
    .grid { stroke: #374151 }
    .one { stroke: #9ca3af }
    .met { fill: #2dd4bf }
    .missed { fill: #fbbf24 }
    .plain { fill: #64748b }
    .whisker { stroke: #e5e7eb }
    .goal { stroke: #60a5fa }
    .aim { fill: #60a5fa }
  }`

/** Where a ratio is, in the width of the picture. */
function scale(least: number, most: number): (ratio: number) => number {
  const [from, to] = [Math.log(least), Math.log(most)]
  return ratio => {
    const share = (Math.log(Math.min(most, Math.max(least, ratio))) - from) / (to - from)
    return Math.round((plotStart + share * (plotEnd - plotStart)) * 10) / 10
  }
}

function bounds(rows: readonly Row[]): [number, number] {
  const goals = rows.map(row => goalRatio(row)).filter(ratio => ratio !== undefined)
  const all = [...rows.flatMap(({ least, most }) => [least, most]), ...goals]
  return [Math.min(leastDecade, ...all) * 0.9, Math.max(mostDecade, ...all) * 1.1]
}

function goalRatio({ group, name, figure }: Row): number | undefined {
  const goal = goalOf(group, name, figure)
  return goal?.atLeast ?? goal?.atMost
}

function bar(row: Row, y: number, x: (ratio: number) => number): string {
  const middle = y + rowHeight / 2
  const [from, to] = [Math.min(x(1), x(row.ratio)), Math.max(x(1), x(row.ratio))]
  const goal = goalRatio(row)
  const kind = row.goal === '' ? 'plain' : row.met === 'yes' ? 'met' : 'missed'
  const by = row.client === '' ? '' : ` (${row.client})`
  const beside = row.peerName === 'limit' ? ' : limit' : ''
  const label = `${row.title}${by}: ${figureTitles[row.figure]}${beside}`
  const parts = [
    `<text x="${labelsEnd}" y="${middle + 4}" text-anchor="end">${escaped(label)}</text>`,
    `<rect class="${kind}" x="${from}" y="${middle - barHeight / 2}" width="${Math.max(1, to - from)}" height="${barHeight}"/>`,
  ]
  if (row.pairs > 1) {
    const [least, most] = [x(row.least), x(row.most)]
    parts.push(
      `<path class="whisker" fill="none" d="M${least} ${middle}H${most}M${least} ${middle - 3}v6M${most} ${middle - 3}v6"/>`,
    )
  }
  if (goal !== undefined) {
    parts.push(`<path class="goal" d="M${x(goal)} ${middle - 8}v16"/>`)
  }
  parts.push(`<text x="${plotEnd + 10}" y="${middle + 4}">${ratioText(row.ratio)}</text>`)
  return parts.join('\n')
}

/** `subtitle` says when and on what machine. */
export function plot(allRows: readonly Row[], subtitle: string): string {
  const rows = allRows.filter(({ ratio }) => Number.isFinite(ratio) && ratio > 0)
  const x = scale(...bounds(rows))
  const shown = marks.filter(mark => x(mark) > plotStart && x(mark) < plotEnd)
  const body: string[] = []
  let y = headHeight
  for (const [index, row] of rows.entries()) {
    if (row.group !== rows[index - 1]?.group) {
      body.push(`<text class="group" x="12" y="${y + groupHeight - 8}">${row.group}</text>`)
      y += groupHeight
    }
    body.push(bar(row, y, x))
    y += rowHeight
  }
  const grid = shown.map(
    mark =>
      `<path class="${mark === 1 ? 'one' : 'grid'}" d="M${x(mark)} ${headHeight}V${y + 6}"/>` +
      `<text class="quiet" x="${x(mark)}" y="${headHeight - 6}" text-anchor="middle">${mark}</text>`,
  )
  const height = y + footHeight
  const legend =
    '<tspan class="met">■</tspan> goal met  <tspan class="missed">■</tspan> missed  <tspan class="plain">■</tspan> no goal  <tspan class="aim">┃</tspan> goal  ├─┤ range of the pairs'
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="Ottla beside Apache Kafka: ratios">`,
    `<style>${style}\n</style>`,
    '<text class="title" x="12" y="22">Ottla : Apache Kafka, the same work in one run</text>',
    `<text class="quiet" x="12" y="40">${escaped(subtitle)}</text>`,
    ...grid,
    ...body,
    `<text class="quiet" x="12" y="${height - 8}">${legend}. Of rates more is better; of CPU, time and memory less.</text>`,
    '</svg>\n',
  ].join('\n')
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
