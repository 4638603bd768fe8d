/**
 * The web service's database. A comment and the event that tells of it are written in one
 * transaction, so there is never one without the other: not when the process is killed between
 * them, and not when the broker is away. The event waits in the table `outbox`; `relay.ts` pushes it.
 */
import { randomUUID } from 'node:crypto'
import type { Comment, CommentCreated } from '../comment-created.ts'
import { inTransaction, openDatabase } from '../settings.ts'
import { together } from './together.ts'

const tables = `
  CREATE TABLE IF NOT EXISTS comments (
    id INTEGER PRIMARY KEY,
    article_id TEXT NOT NULL,
    author TEXT NOT NULL,
    text TEXT NOT NULL
  );
  CREATE INDEX IF NOT EXISTS comments_of_article ON comments (article_id, id);
  CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY,
    event TEXT NOT NULL,
    sent_at TEXT
  );
  CREATE INDEX IF NOT EXISTS outbox_unsent ON outbox (id) WHERE sent_at IS NULL;
`

/** One row of the outbox. */
export interface Unsent {
  readonly id: number
  readonly event: CommentCreated
}

export type Comments = ReturnType<typeof openComments>

export function openComments(directory?: string) {
  const database = openDatabase('comments', tables, directory)
  const insertComment = database.prepare(
    'INSERT INTO comments (article_id, author, text) VALUES (?, ?, ?)',
  )
  const insertEvent = database.prepare('INSERT INTO outbox (event) VALUES (?)')
  const selectComments = database.prepare(
    'SELECT id, article_id AS articleId, author, text FROM comments WHERE article_id = ? ORDER BY id',
  )
  const selectUnsent = database.prepare(
    'SELECT id, event FROM outbox WHERE sent_at IS NULL ORDER BY id LIMIT ?',
  )
  const updateSent = database.prepare('UPDATE outbox SET sent_at = ? WHERE id = ?')

  return {
    /** Stores the comment and its event; resolves when both are committed. */
    add: together(database, ({ articleId, author, text }: Omit<Comment, 'id'>): Comment => {
      const { lastInsertRowid } = insertComment.run(articleId, author, text)
      const comment = { id: Number(lastInsertRowid), articleId, author, text }
      insertEvent.run(JSON.stringify(commentCreated(comment)))
      return comment
    }),

    ofArticle(articleId: string): Comment[] {
      return selectComments.all(articleId) as unknown as Comment[]
    },

    /** The oldest events that have not been marked as sent. */
    unsent(limit: number): Unsent[] {
      return selectUnsent
        .all(limit)
        .map(({ id, event }) => ({ id: Number(id), event: JSON.parse(String(event)) }))
    },

    markSent(rows: readonly Unsent[]): void {
      const now = new Date().toISOString()
      inTransaction(database, () => {
        for (const { id } of rows) updateSent.run(now, id)
      })
    },

    close: () => database.close(),
  }
}

export function commentCreated(comment: Comment): CommentCreated {
  return { id: randomUUID(), type: 'CommentCreated', time: new Date().toISOString(), comment }
}
