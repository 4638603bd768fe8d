/** Counts comments and letters by article, as fast as its disk lets it. */
import { run, type Service } from './service.ts'

export const statistics: Service = {
  name: 'statistics',
  perSecond: Number.POSITIVE_INFINITY,
  tables: `
    CREATE TABLE IF NOT EXISTS articles (
      article_id TEXT PRIMARY KEY,
      comments INTEGER NOT NULL,
      letters INTEGER NOT NULL
    )
  `,
  prepare(database) {
    const add = database.prepare(`
      INSERT INTO articles VALUES (?, 1, ?)
      ON CONFLICT DO UPDATE SET comments = comments + 1, letters = letters + excluded.letters
    `)
    return ({ comment }) => {
      add.run(comment.articleId, comment.text.length)
    }
  },
}

if (import.meta.main) await run(statistics)
