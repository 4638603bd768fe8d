/**
 * Tells the author of an article about a new comment. The mail provider takes 500 mails a second
 * (the mail here is a row; a real one carries the event's id, by which the provider drops repeats).
 */
import { run, type Service } from './service.ts'

export const notification: Service = {
  name: 'notification',
  perSecond: 500,
  tables: `
    CREATE TABLE IF NOT EXISTS mails (
      comment_id INTEGER PRIMARY KEY,
      recipient TEXT NOT NULL,
      subject TEXT NOT NULL
    )
  `,
  prepare(database) {
    const insert = database.prepare('INSERT INTO mails VALUES (?, ?, ?)')
    return ({ comment }) => {
      const recipient = `author-of-${comment.articleId}@example.org`
      insert.run(comment.id, recipient, `${comment.author} wrote: ${comment.text.slice(0, 40)}`)
    }
  },
}

if (import.meta.main) await run(notification)
