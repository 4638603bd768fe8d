/**
 * What the services have in common: each pulls the events in a group of its own, keeps a small
 * database of its own, and handles an event once, however often it comes.
 *
 * The event's id is written in the same transaction as the work's result. So after a crash at any
 * moment either both are there, and the event is dropped when it comes again, or neither is.
 */
import type { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CommentCreated } from '../comment-created.ts'
import { subscribe } from '../events.ts'
import { inTransaction, openDatabase } from '../settings.ts'

export interface Service {
  /** Also the name of its group and of its database. */
  readonly name: string
  /** How many events it can handle in a second: the pace of what it depends on. */
  readonly perSecond: number
  /** SQL that makes its own tables. */
  readonly tables: string
  /** Prepares its statements; what it returns handles one event, inside a transaction. */
  prepare(database: DatabaseSync): (event: CommentCreated) => void
}

/** Handles an event, or drops it as a duplicate. */
export type Handle = (event: CommentCreated) => Promise<void>

/** Runs the service: pulls and handles events until the process ends, however it ends. */
export async function run(service: Service): Promise<void> {
  await subscribe(service.name, handler(service))
  console.log(`${service.name}: pulling`)
}

const seenTable = `
  CREATE TABLE IF NOT EXISTS seen (event_id TEXT PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID
`

/** Opens the service's database and makes its handler idempotent. */
export function handler(service: Service, directory?: string): Handle {
  const database = openDatabase(service.name, `${seenTable}; ${service.tables}`, directory)
  const handle = service.prepare(database)
  const insertSeen = database.prepare(`
    INSERT INTO seen VALUES (?, 1) ON CONFLICT DO UPDATE SET times = times + 1 RETURNING times
  `)
  const turn = pace(service.perSecond)

  return async event => {
    const isNew = inTransaction(database, () => {
      if (insertSeen.get(event.id)?.['times'] !== 1) return false
      handle(event)
      return true
    })
    if (isNew) await turn()
  }
}

/** Lets callers pass one after the other, `perSecond` of them on average. */
function pace(perSecond: number): () => Promise<void> {
  const intervalMs = 1000 / perSecond
  const timerMs = 5 // timers are too coarse for single events
  let freeAtMs = 0
  return async () => {
    const nowMs = performance.now()
    freeAtMs = Math.max(freeAtMs, nowMs - timerMs) + intervalMs
    if (freeAtMs - nowMs > timerMs) await sleep(freeAtMs - nowMs)
  }
}
