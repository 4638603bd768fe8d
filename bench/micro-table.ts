/** What mitata has measured, as a table: the same for all micro-benchmarks. */
import type { run } from 'mitata'

type Benchmarks = Awaited<ReturnType<typeof run>>['benchmarks']

const head = ['', 'bytes', 'median ns', 'bytes/ns', 'allocated B', 'most B']

/**
 * `bytesOf` says how many bytes one operation handles. Allocated is what an operation adds to V8's
 * heap, on average and at most: buffers outside of it do not count, nor do operations in which a
 * collection ran.
 */
export function printFigures(
  benchmarks: Benchmarks,
  bytesOf: (name: string) => number | undefined,
  operations = 1,
): void {
  const rows = benchmarks.flatMap(({ alias, runs }) => {
    const stats = runs[0]?.stats
    if (stats === undefined) return []
    const [bytes, nanoseconds] = [bytesOf(alias) ?? 0, stats.p50 / operations]
    const whole = (value: number | undefined) =>
      value === undefined ? '' : (value / operations).toFixed(0)
    const rate = (bytes / nanoseconds).toPrecision(3)
    const heap = [whole(stats.heap?.avg), whole(stats.heap?.max)]
    return [[alias, String(bytes), nanoseconds.toFixed(0), rate, ...heap]]
  })
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows].map(line => line[column]!.length)),
  )
  for (const line of [head, ...rows]) {
    const cells = line.map((text, column) =>
      column === 0 ? text.padEnd(widths[column]!) : text.padStart(widths[column]!),
    )
    console.log(cells.join('  '))
  }
}
