/** One burst from the first submit to the last event handled: drives it, watches it, kills in it. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Positions } from '../events.ts'
import { type Databases, Latencies } from './figures.ts'
import type { Running } from './processes.ts'
import type { Screen } from './screen.ts'
import type { Progress } from './users.ts'
import { clock, type Outcome, type ServiceView, type View, viewLines, viewText } from './view.ts'

const drawMs = 250
const textMs = 3000
const stalledMs = 30_000

/** The service that is killed in the middle of the burst. */
export const victim = 'moderation'

export interface ActSettings {
  readonly kind: View['kind']
  readonly total: number
  /** For how long the victim is away. */
  readonly downMs: number
  readonly databases: Databases
  readonly screen: Screen
  /** The broker's view; direct calls have none. */
  readonly positions?: Positions
  /** Called with each view that is shown. */
  readonly onView: (view: View) => void
}

export class Act {
  readonly latencies = new Latencies()
  #settings: ActSettings
  #names = ['notification', 'moderation', 'statistics']
  #later: string[]
  #killed: string | undefined
  #backlogs = new Map<string, number>()
  #news: string[] = []
  #submitted = 0
  #errors = 0
  #startMs = performance.now()
  #answeredAfterMs = 0
  #doneAfterMs = 0
  #lastTextMs = 0
  #watching = true

  constructor(settings: ActSettings) {
    this.#settings = settings
    this.#later = settings.kind === 'events' ? ['search'] : []
  }

  /**
   * Lets the users submit all comments, and plays the scenes meanwhile; `answered` resolves when
   * each comment has its answer. Draws all the time.
   */
  async play(users: Running, scenes: (answered: Promise<void>) => Promise<void>): Promise<void> {
    const played = scenes(this.#burst(users)).finally(() => {
      this.#watching = false
    })
    await Promise.all([played, this.#watch()])
    this.#show()
    this.#settings.screen.keep([])
  }

  /** A line for people: what happened, and when. */
  tell(text: string): void {
    const line = `${clock(performance.now() - this.#startMs)}  ${text}`
    this.#news.push(line)
    if (!this.#settings.screen.live) console.log(line)
  }

  /** In the middle of the burst, `kill`; then `restart`. */
  async accident(kill: () => Promise<unknown>, restart: () => Promise<unknown>): Promise<void> {
    const { total, downMs, databases } = this.#settings
    await this.until(() => this.#submitted >= total * 0.45)
    await kill()
    this.#killed = victim
    this.tell(`${victim} is killed (kill -9)`)
    await sleep(downMs)
    const before = databases.handled(victim).handled
    await restart()
    this.#killed = undefined
    this.tell(`${victim} is back: it had handled ${before.toLocaleString('en-US')}`)
  }

  /** Resolves when the services that run have handled every comment that is stored. */
  async drained(): Promise<void> {
    const { databases } = this.#settings
    await this.until(() => {
      const { stored, pushed } = databases.comments()
      return (
        pushed === stored && this.#names.every(name => databases.handled(name).handled >= stored)
      )
    })
    this.#doneAfterMs ||= performance.now() - this.#startMs
  }

  /** The service that joins when all is over. */
  async join(name: string, start: () => Promise<unknown>): Promise<void> {
    this.#later = []
    this.#names.push(name)
    this.tell(`${name} joins, and replays everything from the first event`)
    await start()
    await this.drained()
  }

  outcome(): Outcome {
    const { submitted, elapsedMs, news, ...rest } = this.#view()
    const { downMs } = this.#settings
    const answeredAfterMs = this.#answeredAfterMs
    return { ...rest, answeredAfterMs, doneAfterMs: this.#doneAfterMs || answeredAfterMs, downMs }
  }

  /** Waits for `condition`; a service that stands still for half a minute is an error. */
  async until(condition: () => boolean): Promise<void> {
    let before = ''
    let movedMs = performance.now()
    while (!condition()) {
      const now = this.#standing()
      if (now !== before) movedMs = performance.now()
      if (performance.now() - movedMs > stalledMs) {
        throw new Error(`nothing has moved for ${stalledMs / 1000} s: ${now}`)
      }
      before = now
      await sleep(drawMs)
    }
  }

  #standing(): string {
    const { submitted, stored, pushed, services } = this.#view()
    const handled = services.map(service => `handled by ${service.name} ${service.handled}`)
    return [`submitted ${submitted}`, `stored ${stored}`, `pushed ${pushed}`, ...handled].join(', ')
  }

  async #burst(users: Running): Promise<void> {
    this.#startMs = performance.now()
    await new Promise<void>(resolve => {
      users.child.on('message', (progress: Progress) => {
        this.#submitted = progress.submitted
        this.#errors += progress.errors
        this.latencies.add(progress.latenciesMs)
        if (progress.done) resolve()
      })
    })
    this.#answeredAfterMs = performance.now() - this.#startMs
  }

  /** Draws, and asks the broker how far the groups are. */
  async #watch(): Promise<void> {
    while (this.#watching) {
      const { positions } = this.#settings
      if (positions !== undefined) {
        for (const name of this.#names) this.#backlogs.set(name, await positions.backlog(name))
      }
      if (this.#watching) this.#show()
      await sleep(drawMs)
    }
  }

  #show(): void {
    const { screen, onView } = this.#settings
    const view = this.#view()
    onView(view)
    if (screen.live) {
      screen.draw(viewLines(view))
    } else if (performance.now() - this.#lastTextMs >= textMs || !this.#watching) {
      this.#lastTextMs = performance.now()
      console.log(viewText(view))
    }
  }

  #view(): View {
    const { kind, total, databases } = this.#settings
    return {
      kind,
      total,
      elapsedMs: performance.now() - this.#startMs,
      submitted: this.#submitted,
      errors: this.#errors,
      latencies: this.latencies,
      ...databases.comments(),
      services: this.#services(),
      news: this.#news,
    }
  }

  #services(): ServiceView[] {
    const { databases } = this.#settings
    const running = this.#names.map((name): ServiceView => {
      const state = name === this.#killed ? 'killed' : 'up'
      return { name, state, backlog: this.#backlogs.get(name), ...databases.handled(name) }
    })
    const later = this.#later.map((name): ServiceView => {
      return { name, state: 'not yet', backlog: undefined, handled: 0, duplicates: 0 }
    })
    return [...running, ...later]
  }
}
