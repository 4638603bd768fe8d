import type { Io, Report } from './io.ts'

/** The real world. `report` defaults to text lines on stderr. */
export function nodeIo(options: { report?: Report } = {}): Io {
  throw new Error(`not built yet ${options.report}`)
}
