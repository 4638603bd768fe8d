/** Reads everything back, and says what is not as it must be. Nothing is being written meanwhile. */
import assert from 'node:assert/strict'
import { type Client, type Message, orThrow } from '../../src/index.ts'
import { type CrashTopic, contentAt, retainedTopic, retentionBytes } from './content.ts'
import type { LoadedPartition } from './load.ts'

/** What a record takes on disk besides its key and value, at most: the header of a batch and its own. */
const overheadBytes = 61 + 24
const deadlineMs = 120_000

export interface CheckedPartition {
  readonly where: string
  readonly start: number
  readonly end: number
  readonly records: number
}

/** Throws AssertionError with the partition and offset at fault. */
export async function checkAll(
  client: Client,
  partitions: readonly LoadedPartition[],
): Promise<CheckedPartition[]> {
  await using admin = client.admin()
  const ask = async (at: 'earliest' | 'latest') => {
    const queries = partitions.map(({ topic, partition }) => ({ ...nameOf(topic, partition), at }))
    const listed = orThrow(await admin.listOffsets(queries))
    return listed.map(({ offset }) => offset)
  }
  const ends = await ask('latest')
  const starts = await ask('earliest')
  const checks = partitions.map((loaded, index) => {
    const check = new Check(loaded, starts[index]!, ends[index]!)
    check.bounds()
    return check
  })
  await readAll(client, checks)
  return checks.map(check => check.end())
}

async function readAll(client: Client, checks: readonly Check[]): Promise<void> {
  const open = new Map(checks.filter(({ isDone }) => !isDone).map(check => [check.where, check]))
  if (open.size === 0) return
  const assignment = [...open.values()].map(({ place, start }) => ({ ...place, offset: start }))
  await using consumer = client.consumer({ assignment, offsetReset: 'earliest', maxWaitMs: 100 })
  const signal = AbortSignal.timeout(deadlineMs)
  for await (const { topic, partition, messages } of consumer.batches({ signal })) {
    const check = open.get(`${topic}-${partition}`)
    if (check === undefined) continue
    for (const message of messages) check.record(message)
    if (check.isDone) open.delete(check.where)
    if (open.size === 0) return
  }
  assert.fail(`${[...open.keys()]} cannot be read to the end within ${deadlineMs} ms`)
}

function nameOf({ topic }: CrashTopic, partition: number) {
  return { topic, partition }
}

class Check {
  readonly where: string
  readonly place: { readonly topic: string; readonly partition: number }
  start: number
  readonly #end: number
  readonly #loaded: LoadedPartition
  #next: number
  #records = 0
  /** Newest offset of each key that was found. */
  readonly #found = new Map<string, number>()

  constructor(loaded: LoadedPartition, start: number, end: number) {
    const { topic, partition } = loaded
    this.#loaded = loaded
    this.place = nameOf(topic, partition)
    this.where = `${topic.topic}-${partition}`
    this.start = start
    this.#next = start
    this.#end = end
  }

  get isDone(): boolean {
    return this.#next >= this.#end
  }

  /** The log ends behind what was sent, and starts where a deletion may have put it. */
  bounds(): void {
    const { topic, sent, acknowledged, deletionAnswered, deletionAsked } = this.#loaded
    assert.equal(acknowledged, sent, `${this.where}: not all is acknowledged`)
    assert.equal(this.#end, sent, `${this.where}: the end`)
    if (topic.topic === retainedTopic) return
    const isRight = this.start >= deletionAnswered && this.start <= deletionAsked
    const range = `${deletionAnswered} to ${deletionAsked}`
    assert.ok(isRight, `${this.where} starts at ${this.start}, deleted were ${range}`)
  }

  /** Retention leaves more than its bound. */
  #retained(): void {
    const { topic, partition } = this.#loaded
    let keptBytes = 0
    for (let offset = this.start; offset < this.#end; offset++) {
      const { key, value } = contentAt(topic, partition, offset)
      keptBytes += key.length + value!.length + overheadBytes
    }
    const isRight = this.start === 0 || keptBytes >= retentionBytes
    assert.ok(isRight, `${this.where} starts at ${this.start}: retention took too much`)
  }

  record({ offset, key, value }: Message): void {
    if (offset >= this.#end) return
    const { topic, partition } = this.#loaded
    const where = `${this.where}, offset ${offset}`
    if (topic.topic === retainedTopic && offset > this.#next) this.#startAt(offset)
    if (topic.isCompacted) assert.ok(offset >= this.#next, `${where}: came after ${this.#next}`)
    else assert.equal(offset, this.#next, `${this.where}: records are missing`)
    const expected = contentAt(topic, partition, offset)
    assert.equal(String(key), expected.key, where)
    if (expected.value === null) assert.equal(value, null, where)
    else assert.ok(value !== null && expected.value.equals(value), `${where}: another value`)
    this.#found.set(expected.key, offset)
    this.#records++
    this.#next = offset + 1
  }

  /** Retention went on while this was read. */
  #startAt(offset: number): void {
    this.start = offset
    this.#next = offset
    this.#records = 0
  }

  /** Of a compacted topic the newest record of each key must have been found. */
  end(): CheckedPartition {
    const { topic, partition } = this.#loaded
    if (topic.topic === retainedTopic) this.#retained()
    if (topic.isCompacted) {
      const newest = new Map<string, number>()
      for (let offset = 0; offset < this.#end; offset++) {
        newest.set(contentAt(topic, partition, offset).key, offset)
      }
      for (const [key, offset] of newest) this.#newest(key, offset)
    }
    const { where, start } = this
    return { where, start, end: this.#end, records: this.#records }
  }

  #newest(key: string, offset: number): void {
    const found = this.#found.get(key)
    const { topic, partition } = this.#loaded
    const { value } = contentAt(topic, partition, offset)
    // Once its time is over a tombstone may be gone, and all it stands for with it.
    const mayBeGone = value === null && topic.tombstonesMs < 10_000 && found === undefined
    assert.ok(found === offset || mayBeGone, `${this.where}: ${key} is of ${found}, not ${offset}`)
  }
}
