/**
 * A full-text index of all comments. Written long after the others: it starts at the first event
 * the broker has kept, and nobody has to send it anything.
 */
import { run, type Service } from './service.ts'

export const search: Service = {
  name: 'search',
  perSecond: Number.POSITIVE_INFINITY,
  tables: 'CREATE VIRTUAL TABLE IF NOT EXISTS comments USING fts5 (author, text)',
  prepare(database) {
    const insert = database.prepare('INSERT INTO comments (rowid, author, text) VALUES (?, ?, ?)')
    return ({ comment }) => {
      insert.run(comment.id, comment.author, comment.text)
    }
  },
}

if (import.meta.main) await run(search)
