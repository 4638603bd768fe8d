/** `ottla produce`: lines of files or of standard input as records. */
import { statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Cluster, type ClusterMetadata, refused } from '../client/cluster.ts'
import type { Compression } from '../protocol/records/batch.ts'
import { type BootstrapOptions, withCluster } from './bootstrap.ts'
import { Failure } from './failure.ts'
import { Interrupt } from './interrupt.ts'
import { fileInput, type Input, type Line, linesOf, placeText } from './lines.ts'
import { type ParsedRecord, parseRecordJson } from './ndjson.ts'
import { Outbox } from './outbox.ts'
import { bytesText, countText, Progress, plural } from './output.ts'
import { keyValues } from './topics.ts'

interface ProduceOptions extends BootstrapOptions {
  readonly file?: readonly string[]
  readonly key?: string
  readonly keySeparator?: string
  readonly header?: readonly string[]
  readonly partition?: number
  readonly repartition?: true
  readonly compression: Compression
  readonly acks: 'all' | '1' | '0'
  readonly emptyIsNull?: true
  readonly tombstone?: true
  readonly ndjson?: true
}

const acksOf = { all: -1, '1': 1, '0': 0 } as const

export async function produce(topic: string, options: ProduceOptions): Promise<void> {
  const parse = lineParser(options)
  await withCluster(options, async cluster => {
    const count = await partitionCount(cluster, topic)
    const partitionOf = partitionRule(topic, count, options)
    const { acks, compression } = options
    const outbox = new Outbox(cluster, topic, count, { acks: acksOf[acks], compression })
    const sending = new Sending(outbox, options.file ?? [])
    await sending.all(line => {
      const { partition, ...record } = parse(line)
      const stamped = { timestamp: Date.now(), ...record }
      return outbox.add(stamped, partitionOf(partition, line), line.place)
    }, options.tombstone === true)
    if (process.stderr.isTTY) {
      console.error(`${plural(outbox.sent, 'record')} sent to ${topic}`)
    }
  })
}

/** Reads the inputs one after another and shows how far it is. */
class Sending {
  readonly #outbox: Outbox
  readonly #files: readonly string[]
  readonly #progress = new Progress()
  readonly #interrupt = new Interrupt()
  #readBytes = 0

  constructor(outbox: Outbox, files: readonly string[]) {
    this.#outbox = outbox
    this.#files = files
  }

  /** `isTombstone`: nothing is read, and one line of no bytes is sent. */
  async all(send: (line: Line) => Promise<void> | undefined, isTombstone: boolean): Promise<void> {
    try {
      if (isTombstone) {
        await send({ text: new Uint8Array(0), place: { file: undefined, line: 1 } })
      } else if (this.#files.length === 0) {
        if (process.stdin.isTTY) console.error('Each line becomes a record; Ctrl-D ends.')
        await this.#input(process.stdin, undefined, send)
      }
      for (const file of this.#files) {
        if (!this.#interrupt.isAsked) await this.#input(fileInput(file), file, send)
      }
      await this.#outbox.drained()
    } catch (error) {
      throw await this.#withCount(error)
    } finally {
      this.#progress.clear()
      this.#interrupt.close()
    }
  }

  /** What came before a fault in the input is sent all the same, and the message says so. */
  async #withCount(error: unknown): Promise<unknown> {
    const isSent = await this.#outbox.drained().then(
      () => true,
      () => false,
    )
    const { sent } = this.#outbox
    if (!isSent || sent === 0 || !(error instanceof Failure)) return error
    return new Failure(`${error.message} (${plural(sent, 'record')} sent before)`, { cause: error })
  }

  async #input(
    input: Input,
    file: string | undefined,
    send: (line: Line) => Promise<void> | undefined,
  ): Promise<void> {
    const totalBytes = file === undefined ? undefined : fileBytes(file)
    const before = this.#readBytes
    void this.#interrupt.asked.then(() => input.destroy())
    try {
      for await (const lines of linesOf(input, file)) {
        for (const line of lines) {
          this.#readBytes += line.text.length + 1
          // Most lines find room at once; waiting for nothing would cost more than sending them.
          const room = send(line)
          if (room !== undefined) await room
          if (this.#interrupt.isAsked) return
        }
        this.#outbox.nudge()
        this.#show(file, this.#readBytes - before, totalBytes)
      }
    } catch (error) {
      // Ctrl-C cuts the input off; what was read is still sent.
      if (!this.#interrupt.isAsked) throw error
    }
  }

  #show(file: string | undefined, readBytes: number, totalBytes: number | undefined): void {
    if (process.stdin.isTTY && file === undefined) return
    this.#progress.show(() => {
      const perSecond = bytesText((this.#readBytes * 1000) / this.#progress.elapsedMs)
      const part =
        totalBytes === undefined
          ? ''
          : `  ${Math.floor((readBytes * 100) / totalBytes)}% of ${file}`
      return `${countText(this.#outbox.sent)} records sent  ${perSecond}/s${part}`
    })
  }
}

/** Undefined for what has no size, as a pipe. */
function fileBytes(file: string): number | undefined {
  const found = statSync(file, { throwIfNoEntry: false })
  return found?.isFile() && found.size > 0 ? found.size : undefined
}

/** Creates the topic where the broker allows it; a cluster may take a moment until it has leaders. */
async function partitionCount(cluster: Cluster, topic: string): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const found: ClusterMetadata['topics'][number] = (await cluster.metadata([topic], true))
      .topics[0]!
    const error = refused(found.errorCode)
    if (error === undefined) return found.partitions.length
    if (!error.retriable || attempt === 8) {
      const hint =
        error.error === 'UNKNOWN_TOPIC_OR_PARTITION'
          ? `: \`ottla topics create ${topic}\` makes it`
          : ''
      throw new Failure(`topic ${topic}: ${error.message}${hint}`)
    }
    await sleep(50 * attempt)
  }
}

/** Where a record goes: the option, else its own line. Undefined: by key, or in turn. */
function partitionRule(
  topic: string,
  count: number,
  { partition: fixed, repartition }: ProduceOptions,
): (partition: number | undefined, line: Line) => number | undefined {
  const range = `${topic} has partitions 0 to ${count - 1}`
  if (fixed !== undefined) {
    if (fixed >= count) throw new Failure(`--partition ${fixed}: ${range}`)
    return () => fixed
  }
  return (partition, { place }) => {
    if (partition === undefined || partition === -1 || repartition) return undefined
    if (partition < count) return partition
    throw new Failure(
      `${placeText(place)}: partition ${partition}: ${range}; --repartition chooses anew, by key`,
    )
  }
}

function lineParser(options: ProduceOptions): (line: Line) => ParsedRecord {
  const { keySeparator, tombstone, ndjson, emptyIsNull } = options
  if (tombstone && options.key === undefined) throw new Failure('--tombstone needs a --key')
  const fixed = options.key === undefined ? null : Buffer.from(options.key)
  const added = [...keyValues('--header', options.header ?? [])].map(([key, value]) => ({
    key,
    value: Buffer.from(value),
  }))
  if (tombstone) return () => ({ key: fixed, value: null, headers: added })
  if (ndjson) {
    return ({ text, place }) => {
      const record = parseRecordJson(Buffer.from(text).toString(), placeText(place))
      return { ...record, key: fixed ?? record.key!, headers: [...record.headers!, ...added] }
    }
  }
  const separator = keySeparator === undefined ? undefined : Buffer.from(keySeparator)
  return ({ text }) => {
    const at =
      separator === undefined
        ? -1
        : Buffer.from(text.buffer, text.byteOffset, text.length).indexOf(separator)
    const value = at === -1 ? text : text.subarray(at + separator!.length)
    return {
      key: at === -1 ? fixed : text.subarray(0, at),
      value: value.length === 0 && emptyIsNull ? null : value,
      headers: added,
    }
  }
}
