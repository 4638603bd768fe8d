/** What a service is told from outside, as environment variables. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Where the broker is: `host:port`. */
export const bootstrap = process.env['BOOTSTRAP'] ?? 'localhost:9092'

/** Where the events are: the topic's name. */
export const topic = process.env['TOPIC'] ?? 'comment-events'

/** Where the web service listens; 0 takes a free port. */
export const port = Number(process.env['PORT'] ?? 3000)

/** Where the databases lie, one file for each service. */
export const dataDirectory = process.env['DATA'] ?? 'comments-data'

/**
 * Opens the database of one service, and makes its tables when they are not there. What is
 * committed survives the death of the process; `synchronous = FULL` would survive a power cut, too.
 */
export function openDatabase(
  name: string,
  tables: string,
  directory = dataDirectory,
): DatabaseSync {
  mkdirSync(directory, { recursive: true })
  const database = new DatabaseSync(join(directory, `${name}.db`), { timeout: 5000 })
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
  database.exec(tables)
  return database
}

/** Runs `work` in one transaction: all of it is kept, or nothing. */
export function inTransaction<Result>(database: DatabaseSync, work: () => Result): Result {
  database.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    database.exec('COMMIT')
    return result
  } catch (error) {
    database.exec('ROLLBACK')
    throw error
  }
}
