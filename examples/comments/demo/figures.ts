/** Figures: percentiles, and what the databases hold. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Latencies of one run, in milliseconds. */
export class Latencies {
  #all: number[] = []
  #sorted: readonly number[] | undefined
  /** The 99th percentile of each interval that was added, oldest first. */
  readonly p99s: number[] = []

  add(latenciesMs: readonly number[]): void {
    if (latenciesMs.length === 0) return
    this.#all.push(...latenciesMs)
    this.#sorted = undefined
    this.p99s.push(percentile(ascending(latenciesMs), 0.99))
  }

  get count(): number {
    return this.#all.length
  }

  /** `part` 0.5 is the median, 1 the longest; 0 when there are none. */
  at(part: number): number {
    this.#sorted ??= ascending(this.#all)
    return percentile(this.#sorted, part)
  }
}

function ascending(values: readonly number[]): number[] {
  return values.toSorted((left, right) => left - right)
}

function percentile(sorted: readonly number[], part: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? 0
}

export interface Handled {
  readonly handled: number
  /** Events that came again and were dropped. */
  readonly duplicates: number
}

/** Reads the databases of the services beside them; nothing before they exist. */
export class Databases {
  #directory: string
  #open = new Map<string, DatabaseSync>()

  constructor(directory: string) {
    this.#directory = directory
  }

  /** Comments stored, and how many of their events are marked as sent. */
  comments(): { stored: number; pushed: number } {
    const row = this.#row(
      'comments',
      `SELECT (SELECT count(*) FROM comments) AS stored,
        (SELECT count(*) FROM outbox) - (SELECT count(*) FROM outbox WHERE sent_at IS NULL) AS pushed`,
    )
    return { stored: Number(row?.['stored'] ?? 0), pushed: Number(row?.['pushed'] ?? 0) }
  }

  handled(service: string): Handled {
    const row = this.#row(
      service,
      'SELECT count(*) AS handled, coalesce(sum(times), 0) - count(*) AS duplicates FROM seen',
    )
    return { handled: Number(row?.['handled'] ?? 0), duplicates: Number(row?.['duplicates'] ?? 0) }
  }

  /** How many comments the index of the search service finds `word` in. */
  found(word: string): number {
    const query = `SELECT count(*) AS found FROM comments WHERE comments MATCH '${word}'`
    return Number(this.#row('search', query)?.['found'] ?? 0)
  }

  close(): void {
    for (const database of this.#open.values()) database.close()
    this.#open.clear()
  }

  #row(name: string, query: string): Record<string, unknown> | undefined {
    const file = join(this.#directory, `${name}.db`)
    if (!existsSync(file)) return undefined
    let database = this.#open.get(name)
    if (database === undefined) {
      database = new DatabaseSync(file, { timeout: 2000 })
      this.#open.set(name, database)
    }
    try {
      return database.prepare(query).get()
    } catch (error) {
      if (String(error).includes('no such table')) return undefined // still being made
      throw error
    }
  }
}
