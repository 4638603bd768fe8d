/** Which topics a selector means, and how many partitions they have, as time goes on. */
import type { Clock, Timer } from '../../io/io.ts'
import { ConsumerStateError } from './errors.ts'
import type { TopicSelector } from './options.ts'

/** How the topics of a cluster are listed: those named, or all. */
export type TopicSource = (
  names: readonly string[] | undefined,
) => Promise<
  readonly { readonly name: string; readonly partitions: number; readonly isInternal: boolean }[]
>

/** While a topic that is named does not exist, it is looked for so often. */
const missingMs = 1_000

export class Subscription {
  readonly #clock: Clock
  readonly #source: TopicSource
  readonly #names: ReadonlySet<string>
  readonly #patterns: readonly RegExp[]
  readonly #everyMs: number
  #known: ReadonlyMap<string, number> = new Map()
  #timer: Timer | undefined
  #isStopped = false

  constructor(clock: Clock, source: TopicSource, selector: TopicSelector, everyMs: number) {
    const all = typeof selector === 'string' || selector instanceof RegExp ? [selector] : selector
    if (all.length === 0) {
      throw new ConsumerStateError('NOTHING_TO_READ', '`topics` is empty: name at least one')
    }
    this.#clock = clock
    this.#source = source
    this.#names = new Set(all.filter(each => typeof each === 'string'))
    this.#patterns = all.filter(each => typeof each !== 'string')
    this.#everyMs = everyMs
  }

  /** Topics and their numbers of partitions, asked for now. Topics that do not exist are left out. */
  async topics(): Promise<ReadonlyMap<string, number>> {
    const names = this.#patterns.length === 0 ? [...this.#names] : undefined
    const listed = await this.#source(names)
    const wanted = listed.filter(({ name, isInternal }) => this.#wants(name, isInternal))
    this.#known = new Map(wanted.map(({ name, partitions }) => [name, partitions]))
    return this.#known
  }

  /** Names that were given and do not exist, as of the last look. */
  get missing(): readonly string[] {
    return [...this.#names].filter(name => !this.#known.has(name))
  }

  /** Looks again from time to time, and says what there is when it differs, until `stop`. */
  watch(changed: (topics: ReadonlyMap<string, number>) => void): void {
    if (this.#isStopped) return
    const waitMs = this.missing.length > 0 ? Math.min(missingMs, this.#everyMs) : this.#everyMs
    this.#timer = this.#clock.timer(waitMs, () => void this.#look(changed))
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
  }

  async #look(changed: (topics: ReadonlyMap<string, number>) => void): Promise<void> {
    const before = this.#known
    try {
      const now = await this.topics()
      const isSame =
        now.size === before.size && [...now].every(([name, n]) => before.get(name) === n)
      if (!isSame && !this.#isStopped) changed(now)
    } catch {
      // The cluster cannot be asked now; those who read will hear of it.
    }
    this.watch(changed)
  }

  #wants(name: string, isInternal: boolean): boolean {
    if (this.#names.has(name)) return true
    return !isInternal && this.#patterns.some(pattern => matches(pattern, name))
  }
}

/** A pattern with the flag g or y remembers where it stopped. */
function matches(pattern: RegExp, name: string): boolean {
  pattern.lastIndex = 0
  return pattern.test(name)
}
