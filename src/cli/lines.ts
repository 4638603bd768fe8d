/** The lines of files and of standard input, cut as they arrive. */
import { createReadStream } from 'node:fs'
import { Failure, fileProblem } from './failure.ts'

/** Where a record came from, for messages. */
export interface LinePlace {
  /** Undefined: standard input. */
  readonly file: string | undefined
  /** From 1. */
  readonly line: number
}

export interface Line {
  readonly text: Uint8Array
  readonly place: LinePlace
}

const maxLineBytes = 256 * 1024 * 1024
const chunkBytes = 1024 * 1024

export type Input = AsyncIterable<Buffer> & { destroy(error?: Error): unknown }

/** Opens a file; errors come with the first line. */
export function fileInput(file: string): Input {
  return createReadStream(file, { highWaterMark: chunkBytes })
}

/**
 * The lines of each chunk of the input, without their ends (\n, also \r\n); a last line needs no
 * end. Throws Failure for a file that cannot be read, and for a line beyond 256 MiB.
 */
export async function* linesOf(input: Input, file?: string): AsyncGenerator<Line[], void> {
  let rest: Buffer[] = []
  let restBytes = 0
  let line = 0
  const take = (end: Buffer): Line => {
    const whole = rest.length === 0 ? end : Buffer.concat([...rest, end])
    rest = []
    restBytes = 0
    const text = whole.at(-1) === carriageReturn ? whole.subarray(0, -1) : whole
    return { text, place: { file, line: ++line } }
  }
  for await (const chunk of readable(input, file)) {
    const lines: Line[] = []
    let start = 0
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      lines.push(take(chunk.subarray(start, end)))
      start = end + 1
    }
    if (start < chunk.length) {
      rest.push(chunk.subarray(start))
      restBytes += chunk.length - start
    }
    if (restBytes > maxLineBytes) {
      const where = placeText({ file, line: line + 1 })
      throw new Failure(`${where} has more than 256 MiB: a record must be smaller than that`)
    }
    yield lines
  }
  if (restBytes > 0) yield [take(Buffer.alloc(0))]
}

const carriageReturn = 13

async function* readable(input: Input, file: string | undefined): AsyncGenerator<Buffer> {
  try {
    yield* input
  } catch (cause) {
    const what = file === undefined ? 'standard input' : file
    throw new Failure(`cannot read ${what}: ${fileProblem(cause)}`, { cause })
  }
}

/** `line 3`, or `events.txt, line 3`; a range when `last` is another line of the same file. */
export function placeText(first: LinePlace, last: LinePlace = first): string {
  const file = first.file === undefined ? '' : `${first.file}, `
  if (first.file !== last.file) return `${placeText(first)} to ${placeText(last)}`
  return first.line === last.line
    ? `${file}line ${first.line}`
    : `${file}lines ${first.line} to ${last.line}`
}
