/** What a person who waits is told: which line runs, how far all is, how long the rest will take. */

/** A step of a run and how long it takes by estimate. */
export interface Step {
  readonly name: string
  readonly seconds: number
}

/**
 * The estimates are corrected by what the steps behind have really taken. `nowMs` is a clock; `write`
 * takes text for a terminal, where the line is written over, or (`isTerminal` false) whole lines.
 */
export class Progress {
  readonly #steps: readonly Step[]
  readonly #nowMs: () => number
  readonly #write: (text: string) => void
  readonly #isTerminal: boolean
  readonly #startedMs: number
  #index = -1
  /** Of the step that runs, 0 to 1. */
  #done = 0
  #detail = ''

  constructor(
    steps: readonly Step[],
    {
      nowMs,
      write,
      isTerminal,
    }: {
      nowMs: () => number
      write: (text: string) => void
      isTerminal: boolean
    },
  ) {
    this.#steps = steps
    this.#nowMs = nowMs
    this.#write = write
    this.#isTerminal = isTerminal
    this.#startedMs = nowMs()
  }

  /** The next step begins. */
  next(): void {
    this.#index++
    this.#done = 0
    this.#detail = ''
    this.#show()
  }

  /** The share of the step that is done, and what is done now. */
  at(share: number, detail: string): void {
    this.#done = Math.min(1, Math.max(this.#done, share))
    this.#detail = detail
    this.#show()
  }

  /** A line that stays. */
  say(text: string): void {
    this.#write(this.#isTerminal ? `\r\x1b[K${text}\n` : `${text}\n`)
    if (this.#isTerminal && this.#index < this.#steps.length) this.#show()
  }

  /** The line is taken away. */
  end(): void {
    if (this.#isTerminal) this.#write('\r\x1b[K')
  }

  /** 0 to 1, by estimated time. */
  get share(): number {
    const total = sum(this.#steps)
    const current = this.#steps[this.#index]?.seconds ?? 0
    const behind = sum(this.#steps.slice(0, Math.max(0, this.#index)))
    return total === 0 ? 1 : (behind + this.#done * current) / total
  }

  /** Seconds still to go. The estimates count for a minute's worth of experience. */
  get restSeconds(): number {
    const total = sum(this.#steps)
    const estimated = this.share * total
    const passed = (this.#nowMs() - this.#startedMs) / 1000
    const pace = (passed + 60) / (estimated + 60)
    return (total - estimated) * pace
  }

  get text(): string {
    const { name = '' } = this.#steps[this.#index] ?? {}
    const percent = `${Math.floor(this.share * 100)} %`.padStart(5)
    const place = `[${this.#index + 1}/${this.#steps.length}]`
    const detail = this.#detail === '' ? '' : `, ${this.#detail}`
    return `${percent} ${place} ${name}${detail} · about ${duration(this.restSeconds)} to go`
  }

  #show(): void {
    this.#write(this.#isTerminal ? `\r\x1b[K${this.text.slice(0, 150)}` : `${this.text}\n`)
  }
}

function sum(steps: readonly Step[]): number {
  return steps.reduce((total, { seconds }) => total + seconds, 0)
}

/** `40 s`, `12 min`, `1 h 05 min`. */
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`
}
