/**
 * The users: `node users.ts URL COUNT PER_SECOND`. They submit at their own rate whether or not
 * earlier submits have been answered, as people do; their browsers share 256 connections. Four times
 * a second the parent process is told what happened.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'

export interface Progress {
  readonly submitted: number
  /** Milliseconds from the submit to the answer, of each comment accepted since the last progress. */
  readonly latenciesMs: readonly number[]
  /** Submits since then that were answered with an error, or not at all. */
  readonly errors: number
  readonly done: boolean
}

const words = 'I love this article it made me think of my own broker and its quiet logs'.split(' ')

/** The nth comment: always the same, each a little different. */
function comment(index: number): { author: string; text: string } {
  const text = Array.from({ length: 12 }, (_, at) => words[(index * 7 + at * at) % words.length])
  if (index % 50 === 0) text.push('visit my cassino')
  return { author: `user-${index % 997}`, text: text.join(' ') }
}

async function submitAll(url: string, count: number, perSecond: number): Promise<void> {
  const browsers = new Pool(url, { connections: 256, headersTimeout: 0, bodyTimeout: 0 })
  const headers = { 'content-type': 'application/json' }
  let submitted = 0
  let answered = 0
  let errors = 0
  let latenciesMs: number[] = []

  const submit = async (index: number) => {
    const fromMs = performance.now()
    const accepted = await browsers
      .request({
        method: 'POST',
        path: `/articles/article-${index % 200}/comments`,
        headers,
        body: JSON.stringify(comment(index)),
      })
      .then(async response => {
        await response.body.dump()
        return response.statusCode === 201
      })
      .catch(() => false)
    answered++
    if (accepted) latenciesMs.push(performance.now() - fromMs)
    else errors++
  }

  const tell = (done: boolean) => {
    const progress: Progress = { submitted, latenciesMs, errors, done }
    process.send?.(progress)
    latenciesMs = []
    errors = 0
  }

  const telling = setInterval(tell, 250, false)
  const startMs = performance.now()
  while (answered < count) {
    const due = Math.min(count, dueAfter((performance.now() - startMs) / 1000, perSecond))
    while (submitted < due) void submit(submitted++)
    await sleep(2)
  }
  clearInterval(telling)
  tell(true)
  await browsers.close()
}

/** How many comments there are after `seconds`: the rate is reached within two seconds. */
function dueAfter(seconds: number, perSecond: number): number {
  return Math.floor(perSecond * (seconds < 2 ? (seconds * seconds) / 4 : seconds - 1))
}

if (import.meta.main) {
  const [url, count, perSecond] = process.argv.slice(2)
  console.log('users: here')
  await submitAll(String(url), Number(count), Number(perSecond))
}
