/** Where `consume` puts its records: through the filter, into text, and out in large writes. */
import type { LogRecord } from '../protocol/records/records.ts'
import { type RecordFilter, recordFilter } from './filter.ts'
import { type RecordText, recordFormat, verboseText } from './format.ts'
import { recordJson } from './ndjson.ts'
import { json, plural, print } from './output.ts'

export interface SinkOptions {
  readonly count?: number
  readonly filter?: string
  readonly format?: string
  readonly ndjson?: true
  readonly verbose?: true
}

const outputBytes = 64 * 1024

export class RecordSink {
  readonly #text: RecordText
  readonly #filter: RecordFilter | undefined
  readonly #max: number
  #pieces: Uint8Array[] = []
  #bytes = 0
  /** Records looked at, and those of them that were printed. */
  seen = 0
  printed = 0
  #faults = 0
  #firstFault = ''

  /** Throws Failure for a filter or format that is none. */
  constructor(options: SinkOptions) {
    this.#text = textOf(options)
    this.#filter = options.filter === undefined ? undefined : recordFilter(options.filter)
    this.#max = options.count ?? Number.POSITIVE_INFINITY
  }

  get isFull(): boolean {
    return this.printed >= this.#max
  }

  async add(topic: string, partition: number, record: LogRecord): Promise<void> {
    this.seen += 1
    if (!this.#isWanted(topic, partition, record)) return
    const bytes = this.#text(topic, partition, record)
    this.#pieces.push(bytes)
    this.#bytes += bytes.length
    this.printed += 1
    if (this.#bytes >= outputBytes) await this.flush()
  }

  async flush(): Promise<void> {
    if (this.#pieces.length === 0) return
    const bytes = Buffer.concat(this.#pieces)
    this.#pieces = []
    this.#bytes = 0
    await print(bytes)
  }

  /** What is to be said in the end of records on which the filter failed; undefined when on none. */
  get faults(): string | undefined {
    if (this.#faults === 0) return undefined
    return `--filter failed on ${plural(this.#faults, 'record')}, left out; first ${this.#firstFault}`
  }

  #isWanted(topic: string, partition: number, record: LogRecord): boolean {
    if (this.#filter === undefined) return true
    try {
      return this.#filter(topic, partition, record)
    } catch (error) {
      // One record that the expression did not think of must not hide the others.
      this.#faults += 1
      this.#firstFault ||= `${topic}-${partition}, offset ${record.offset}: ${faultText(error)}`
      return false
    }
  }
}

function faultText(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function textOf({ ndjson, verbose, format }: SinkOptions): RecordText {
  if (ndjson) {
    return (topic, partition, record) =>
      Buffer.from(`${json(recordJson(topic, partition, record))}\n`)
  }
  return verbose ? verboseText : recordFormat(format ?? '%v\\n')
}
