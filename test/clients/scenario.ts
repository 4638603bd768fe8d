/**
 * What the JavaScript clients show, said once: a client says in an adapter how it does each step,
 * and `show` runs them and compares. README.md has the words.
 */
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { absent, shown } from './shown.ts'

const deadlineMs = 20_000
const partitions = [0, 1, 2]

export interface Message {
  readonly key: string | null
  readonly value: string
  /** Milliseconds. */
  readonly timestamp: number
}

/** A message where it was found. */
export interface Found extends Message {
  readonly partition: number
  readonly offset: number
}

export type Codec = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'
const codecs: readonly Codec[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

/** One consumer in a group; it reads on by itself and commits only when it is told. */
export interface Member {
  /** Everything it has read, in the order it came. */
  readonly found: readonly Found[]
  /** What it was given, each time that it was given something. */
  readonly given: readonly number[][]
  /** The partitions it holds now, in order; none while the group rebalances. */
  holds(): number[]
  /** Commits an offset for each partition named. */
  commit(offsets: Readonly<Record<number, number>>): Promise<void>
  close(): Promise<void>
}

export interface MemberOptions {
  readonly instanceId?: string
  readonly cooperative?: boolean
}

/** `acks`: -1 (all) unless it is given. */
export interface ProduceOptions {
  readonly codec?: Codec
  readonly idempotent?: boolean
  readonly acks?: 0 | 1
}

export interface Adapter {
  /** In the names of topics and groups; also its client id. */
  readonly name: string
  /** What it has not, and why. */
  readonly absent: Readonly<Record<string, string>>
  /** Three partitions; answers whether it was created, false when it exists. */
  create(topic: string): Promise<boolean>
  partitionsOf(topic: string): Promise<number[]>
  produce(
    topic: string,
    messages: readonly (Message & { readonly partition?: number })[],
    options: ProduceOptions,
  ): Promise<void>
  /** The end of each partition. */
  ends(topic: string): Promise<number[]>
  /** The first offset of each partition that is not older. */
  offsetsAt(topic: string, timestamp: number): Promise<number[]>
  /** A member that starts where the group committed, else at the start; or at `from` if given. */
  join(group: string, topic: string, options: MemberOptions, from?: number[]): Promise<Member>
  /** As the broker knows them; -1 for none. */
  committed(group: string, topic: string): Promise<number[]>
  groups(): Promise<string[]>
  describe(
    group: string,
  ): Promise<{ state: string; members: { clientId: string; partitions: number[] }[] }>
  /** Headers are pairs; some clients give them no order. */
  headers?(topic: string): Promise<void>
  resetOffsets?(group: string, topic: string, offsets: number[]): Promise<void>
  deleteOffsets?(group: string, topic: string, partition: number): Promise<void>
  removeMembers?(group: string): Promise<void>
  deleteGroup?(group: string): Promise<void>
}

/** Waits until `done`, or throws at the deadline. */
export async function until(what: string, done: () => boolean): Promise<void> {
  const end = performance.now() + deadlineMs
  while (!done()) {
    if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`)
    await delay(5)
  }
}

/** Checks again and again until it holds, or throws why not at the deadline. */
export async function eventually(check: () => Promise<void>): Promise<void> {
  const end = performance.now() + deadlineMs
  for (;;) {
    try {
      return await check()
    } catch (error) {
      if (performance.now() > end) throw error
      await delay(5)
    }
  }
}

/** The same messages for the same topic in every run: half with one of ten keys. */
function messagesOf(topic: string, firstTime: number): Message[] {
  return Array.from({ length: 300 }, (_, i) => ({
    key: i % 2 === 0 ? `key-${(i / 2) % 10}` : null,
    value: `${topic} message ${i} ${'é'.repeat(i % 50)}`,
    timestamp: firstTime + i * 1000,
  }))
}

const asMessage = ({ key, value, timestamp }: Message): Message => ({ key, value, timestamp })

/** Each once, wherever it was found. */
function sameMessages(found: readonly Found[], messages: readonly Message[]): void {
  const byTime = found.map(asMessage).sort((a, b) => a.timestamp - b.timestamp)
  assert.deepEqual(byTime, messages)
}

/** Every message once, in the order of writing in each partition, each key in one partition. */
function holdsAll(found: readonly Found[], messages: readonly Message[]): void {
  sameMessages(found, messages)
  const homes = new Map<string, number>()
  for (const partition of partitions) {
    const part = found.filter(message => message.partition === partition)
    assert.deepEqual(
      part.map(message => message.offset),
      part.map((_, i) => i),
    )
    const times = part.map(message => message.timestamp)
    assert.deepEqual(times, times.toSorted(), `order in partition ${partition}`)
    for (const { key } of part) {
      if (key === null) continue
      assert.equal(homes.get(key) ?? partition, partition, `${key} lies in two partitions`)
      homes.set(key, partition)
    }
  }
  assert.equal(homes.size, 10)
}

/** Next offset to read in each partition where something was found. */
function ends(found: readonly Found[]): Record<number, number> {
  return Object.fromEntries(found.map(({ partition, offset }) => [partition, offset + 1]))
}

/** They hold the three partitions together: each some, none twice. */
function share(first: Member, second: Member): boolean {
  const [a, b] = [first.holds(), second.holds()]
  return a.length > 0 && b.length > 0 && sameParts([...a, ...b])
}

function sameParts(held: readonly number[]): boolean {
  return held.toSorted().join() === partitions.join()
}

class Scenario {
  readonly #client: Adapter
  readonly #prefix: string
  readonly #firstTime: number
  /** How far the group commits that `again` finds. */
  readonly #offsets = [10, 20, 30]
  #readers = 0

  constructor(client: Adapter, prefix: string, firstTime: number) {
    this.#client = client
    this.#prefix = prefix
    this.#firstTime = firstTime
  }

  name(what: string): string {
    return `${this.#prefix}-${this.#client.name}-${what}`
  }

  /** Creates a topic and waits until each partition has a leader that knows it: a client that sends
   *  earlier sends some partitions twice. */
  async #create(topic: string): Promise<void> {
    assert.equal(await this.#client.create(topic), true, `${topic} exists`)
    await eventually(async () => assert.deepEqual(await this.#client.ends(topic), [0, 0, 0]))
  }

  /** Everything in a topic now: at least so many. */
  async #readAll(topic: string, atLeast = 0): Promise<Found[]> {
    const now = (await this.#client.ends(topic)).reduce((sum, end) => sum + end, 0)
    const count = Math.max(now, atLeast)
    const group = this.name(`reader-${process.pid}-${this.#readers++}`)
    const reader = await this.#client.join(group, topic, {})
    await until(`all ${count} messages of ${topic}`, () => reader.found.length >= count)
    await reader.close()
    return reader.found.toSorted((a, b) => a.partition - b.partition || a.offset - b.offset)
  }

  /** Message i into partition i % 3. */
  async #spread(topic: string, messages: readonly Message[]): Promise<void> {
    const placed = messages.map((message, i) => ({ ...message, partition: i % 3 }))
    await this.#client.produce(topic, placed, {})
  }

  async topic(): Promise<void> {
    const topic = this.name('topic')
    await this.#create(topic)
    assert.deepEqual(await this.#client.partitionsOf(topic), partitions)
    assert.equal(await this.#client.create(topic), false, 'created twice')
  }

  async produce(what: string, options: ProduceOptions): Promise<void> {
    const topic = this.name(what)
    const messages = messagesOf(topic, this.#firstTime)
    await this.#create(topic)
    await this.#client.produce(topic, messages, options)
    holdsAll(await this.#readAll(topic, messages.length), messages) // acks=0 is in no hurry
  }

  async partitioner(): Promise<void> {
    const topic = this.name('partitioner')
    await this.#create(topic)
    const messages = Array.from({ length: 10 }, (_, i) => ({
      key: `key-${i}`,
      value: 'value',
      timestamp: this.#firstTime,
    }))
    await this.#client.produce(topic, messages, {})
    const found = await this.#readAll(topic)
    const homes = messages.map(({ key }) => found.find(m => m.key === key)?.partition)
    assert.deepEqual(homes, [1, 0, 2, 2, 0, 2, 2, 1, 1, 0])
  }

  async timestamp(): Promise<void> {
    const topic = this.name('none')
    const time = this.#firstTime + 122_500
    const all = await this.#readAll(topic)
    const next = partitions.map(p => all.find(m => m.partition === p && m.timestamp >= time))
    const offsets = await this.#client.offsetsAt(topic, time)
    assert.deepEqual(
      offsets,
      next.map(message => message?.offset),
    )
    const reader = await this.#client.join(this.name('seek'), topic, {}, offsets)
    const first = (p: number) => reader.found.find(message => message.partition === p)
    await until('a message of each partition', () => partitions.every(p => first(p) !== undefined))
    await reader.close()
    assert.deepEqual(partitions.map(first), next)
  }

  async headers(): Promise<void> {
    const topic = this.name('headers')
    await this.#create(topic)
    await this.#client.headers?.(topic)
  }

  async group(): Promise<void> {
    const [topic, group] = [this.name('group'), this.name('group')]
    const messages = messagesOf(topic, this.#firstTime)
    await this.#create(topic)
    const first = await this.#client.join(group, topic, {})
    let second: Member | undefined
    const found = () => [...first.found, ...(second?.found ?? [])]
    await shown('group of two', async () => {
      await until('all partitions held by one', () => sameParts(first.holds()))
      const other = await this.#client.join(group, topic, {})
      second = other
      await until('partitions shared by two', () => share(first, other))
      await this.#spread(topic, messages.slice(0, 150))
      await until('150 messages', () => found().length >= 150)
      sameMessages(found(), messages.slice(0, 150))
      for (const member of [first, other]) {
        const read = new Set(member.found.map(message => message.partition))
        assert.deepEqual([...read].sort(), member.holds())
        await member.commit(ends(member.found))
      }
    })
    await shown('leave', async () => {
      await second?.close()
      await until('all partitions held by the one left', () => sameParts(first.holds()))
      await this.#spread(topic, messages.slice(150))
      await until('300 messages', () => found().length >= 300)
      sameMessages(found(), messages)
    })
    await shown('describe group', async () => {
      const { state, members } = await this.#client.describe(group)
      assert.deepEqual(
        { state, members },
        { state: 'Stable', members: [{ clientId: this.#client.name, partitions }] },
      )
    })
    await shown('list groups', async () => {
      const groups = await this.#client.groups()
      assert.ok(groups.includes(group), `no ${group} in ${groups}`)
    })
    await first.close()
  }

  async commit(): Promise<void> {
    const [topic, group] = [this.name('resume'), this.name('resume')]
    await this.#create(topic)
    await this.#spread(topic, messagesOf(topic, this.#firstTime))
    const member = await this.#client.join(group, topic, {})
    await until('300 messages', () => member.found.length >= 300)
    await member.commit({ ...this.#offsets })
    assert.deepEqual(await this.committed(), this.#offsets)
    await member.close()
    assert.deepEqual(await this.committed(), this.#offsets, 'after it left')
  }

  committed(): Promise<number[]> {
    return this.#client.committed(this.name('resume'), this.name('resume'))
  }

  /** A new member begins at the committed offsets and reads to the end, each offset once. */
  async #resumed(): Promise<Member> {
    const member = await this.#client.join(this.name('resume'), this.name('resume'), {})
    await until('240 messages', () => member.found.length >= 240)
    for (const p of partitions) {
      const read = member.found.filter(m => m.partition === p).map(m => m.offset)
      const from = this.#offsets[p] ?? 0
      assert.deepEqual(
        read,
        Array.from({ length: 100 - from }, (_, i) => from + i),
      )
    }
    return member
  }

  async resume(): Promise<void> {
    await (await this.#resumed()).close()
    assert.deepEqual(await this.committed(), this.#offsets)
  }

  /** What a member keeps is not revoked: so the second one first gets nothing (KIP-429). */
  async cooperative(): Promise<void> {
    const [topic, group] = [this.name('cooperative'), this.name('cooperative')]
    await this.#create(topic)
    const first = await this.#client.join(group, topic, { cooperative: true })
    await until('all partitions held by one', () => sameParts(first.holds()))
    const second = await this.#client.join(group, topic, { cooperative: true })
    await until('partitions shared by two', () => share(first, second))
    assert.deepEqual(second.given[0], [])
    for (const given of first.given) {
      assert.deepEqual(
        first.holds().filter(p => !given.includes(p)),
        [],
        'was taken and given back',
      )
    }
    await second.close()
    await first.close()
  }

  /** A static member closes and comes back: the other one is given nothing anew (KIP-345). */
  async static(): Promise<void> {
    const [topic, group] = [this.name('static'), this.name('static')]
    await this.#create(topic)
    const other = await this.#client.join(group, topic, { instanceId: 'other' })
    const before = await this.#client.join(group, topic, { instanceId: 'restarted' })
    await until('partitions shared by two', () => share(other, before))
    const [heard, held] = [other.given.length, before.holds()]
    await before.close()
    const after = await this.#client.join(group, topic, { instanceId: 'restarted' })
    await until('partitions shared again', () => share(other, after))
    assert.deepEqual(after.holds(), held)
    await this.#spread(topic, messagesOf(topic, this.#firstTime))
    await until('300 messages', () => other.found.length + after.found.length >= 300)
    assert.equal(other.given.length, heard, 'assignments of the other')
    await other.close()
    await after.close()
  }

  /** A group without members that has committed in the topic `resume`. */
  async #groupOfNobody(what: string, offsets: number[]): Promise<[string, string]> {
    const [topic, group] = [this.name('resume'), this.name(what)]
    const member = await this.#client.join(group, topic, {})
    await until('partitions', () => sameParts(member.holds()))
    await member.commit({ ...offsets })
    await member.close()
    assert.deepEqual(await this.#client.committed(group, topic), offsets)
    return [topic, group]
  }

  async lag(): Promise<void> {
    const [topic, group] = await this.#groupOfNobody('lag', [100, 40, 0])
    const [last, at] = [await this.#client.ends(topic), await this.#client.committed(group, topic)]
    assert.deepEqual(
      last.map((end, p) => end - (at[p] ?? 0)),
      [0, 60, 100],
    )
  }

  async resetOffsets(): Promise<void> {
    const [topic, group] = await this.#groupOfNobody('reset', this.#offsets)
    await this.#client.resetOffsets?.(group, topic, [0, 5, 50])
    assert.deepEqual(await this.#client.committed(group, topic), [0, 5, 50])
  }

  async deleteOffsets(): Promise<void> {
    const [topic, group] = await this.#groupOfNobody('forgets', this.#offsets)
    await this.#client.deleteOffsets?.(group, topic, 1)
    assert.deepEqual(await this.#client.committed(group, topic), [10, -1, 30])
  }

  async removeMembers(): Promise<void> {
    const [topic, group] = [this.name('resume'), this.name('removed')]
    const member = await this.#client.join(group, topic, {})
    await until('partitions', () => sameParts(member.holds()))
    const given = member.given.length
    await this.#client.removeMembers?.(group)
    await until('it joins again', () => member.given.length > given && sameParts(member.holds()))
    await member.close()
  }

  async deleteGroup(): Promise<void> {
    const [topic, group] = await this.#groupOfNobody('deleted', this.#offsets)
    assert.ok((await this.#client.groups()).includes(group))
    await this.#client.deleteGroup?.(group)
    assert.ok(!(await this.#client.groups()).includes(group))
    assert.deepEqual(await this.#client.committed(group, topic), [-1, -1, -1])
  }

  async kept(): Promise<void> {
    for (const what of [...codecs, 'acks-1', 'idempotent', 'resume']) {
      const topic = this.name(what)
      const [found, messages] = [await this.#readAll(topic), messagesOf(topic, this.#firstTime)]
      if (what === 'resume') sameMessages(found, messages)
      else holdsAll(found, messages)
    }
  }

  async resumeAgain(): Promise<void> {
    const member = await this.#resumed()
    await member.commit({ 0: 100, 1: 100, 2: 100 })
    await member.close()
    assert.deepEqual(await this.committed(), [100, 100, 100])
  }

  async offsetsKept(): Promise<void> {
    assert.deepEqual(await this.committed(), this.#offsets)
  }
}

async function work(scenario: Scenario, client: Adapter): Promise<void> {
  await shown('topic', () => scenario.topic())
  for (const codec of codecs) {
    await shown(`produce ${codec}`, () => scenario.produce(codec, { codec }))
  }
  for (const acks of [0, 1] as const) {
    await shown(`acks=${acks}`, () => scenario.produce(`acks-${acks}`, { acks }))
  }
  await shown('partitioner', () => scenario.partitioner())
  await shown('idempotent', () => scenario.produce('idempotent', { idempotent: true }))
  await shown('timestamp', () => scenario.timestamp())
  await scenario.group()
  await shown('commit', () => scenario.commit())
  await shown('resume', () => scenario.resume())
  const optional: Record<string, () => Promise<void>> = {
    headers: () => scenario.headers(),
    cooperative: () => scenario.cooperative(),
    'static member': () => scenario.static(),
    lag: () => scenario.lag(),
    'reset offsets': () => scenario.resetOffsets(),
    'delete offsets': () => scenario.deleteOffsets(),
    'remove members': () => scenario.removeMembers(),
    'delete group': () => scenario.deleteGroup(),
  }
  for (const [what, check] of Object.entries(optional)) {
    const why = client.absent[what]
    if (why === undefined) await shown(what, check)
    else absent(what, why)
  }
}

/** Runs one phase with one client. */
export async function show(
  client: Adapter,
  prefix: string,
  firstTime: number,
  phase: string,
): Promise<void> {
  const scenario = new Scenario(client, prefix, firstTime)
  if (phase === 'work') return work(scenario, client)
  await shown('messages kept', () => scenario.kept())
  await shown('offsets kept', () => scenario.offsetsKept())
  await shown('group resumes', () => scenario.resumeAgain())
}
