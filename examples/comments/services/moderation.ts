/** Judges comments by the words in them, misspelt ones too. Its (imagined) model judges 800 a second. */
import { run, type Service } from './service.ts'

const unwanted = ['casino', 'lottery', 'viagra', 'bitcoin', 'jackpot']

export const moderation: Service = {
  name: 'moderation',
  perSecond: 800,
  tables: `
    CREATE TABLE IF NOT EXISTS verdicts (
      comment_id INTEGER PRIMARY KEY,
      verdict TEXT NOT NULL CHECK (verdict IN ('fine', 'held back'))
    )
  `,
  prepare(database) {
    const insert = database.prepare('INSERT INTO verdicts VALUES (?, ?)')
    return ({ comment }) => {
      insert.run(comment.id, isUnwanted(comment.text) ? 'held back' : 'fine')
    }
  },
}

export function isUnwanted(text: string): boolean {
  const words = text.toLowerCase().match(/\p{L}{5,}/gu) ?? []
  return words.some(word => unwanted.some(other => distance(word, other) <= 1))
}

/** Levenshtein: how many letters have to be put in, taken out or changed. */
function distance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let i = 1; i <= left.length; i++) {
    const next = [i]
    for (let j = 1; j <= right.length; j++) {
      const changed = row[j - 1]! + (left[i - 1] === right[j - 1] ? 0 : 1)
      next.push(Math.min(changed, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[right.length]!
}

if (import.meta.main) await run(moderation)
