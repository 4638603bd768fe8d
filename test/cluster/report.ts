/** What a campaign found, as a table. */
import type { CampaignResult, FaultRow } from './campaign.ts'

/** Whether everything that is promised was kept; times are goals, not promises. */
export function isGood({ verdict, breaches }: CampaignResult): boolean {
  return (
    breaches.length === 0 &&
    verdict !== undefined &&
    Object.values(verdict).every(count => count === 0)
  )
}

export function linesOf(result: CampaignResult): string[] {
  const { verdict, rows, breaches } = result
  const counts = verdict ?? { lost: '?', duplicates: '?', outOfOrder: '?', shownThenGone: '?' }
  return [
    `${result.system}: ${result.acknowledged} acknowledged, ${result.shown} shown to readers, ` +
      `${result.failedSends} sends failed`,
    `  lost ${counts.lost}, duplicates ${counts.duplicates}, out of order ${counts.outOfOrder}, ` +
      `shown then gone ${counts.shownThenGone}, ` +
      `skipped by a reader ${verdict?.skipped ?? '?'}, elsewhere ${verdict?.elsewhere ?? '?'}`,
    `  ${'time without a writable partition, ms'.padEnd(40)} count  median   worst    goal`,
    ...rows.map(lineOf),
    ...breaches.map(breach => `  BREACH ${breach}`),
  ]
}

function lineOf({ kind, goalMs, outagesMs }: FaultRow): string {
  const figures = [median(outagesMs), Math.max(...outagesMs), goalMs]
  const cells = figures.map(figure =>
    (figure === undefined || !Number.isFinite(figure) ? '–' : figure.toFixed(0)).padStart(8),
  )
  return `  ${kind.padEnd(40)}${`${outagesMs.length}`.padStart(6)}${cells.join('')}`
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN
}
