/**
 * The same web service without events, to compare with: it calls the three services over HTTP, all
 * at once, and answers when they have. It has to know each of them: `SERVICES=url,url,url`.
 */
import { request } from 'undici'
import type { CommentCreated } from '../comment-created.ts'
import { port } from '../settings.ts'
import { commentCreated, openComments } from '../web/comments.ts'
import { commentRoutes } from '../web/routes.ts'

const services = (process.env['SERVICES'] ?? '').split(',')
const comments = openComments()

const app = commentRoutes({
  async submit(newComment) {
    const comment = await comments.add(newComment)
    const event = commentCreated(comment)
    const calls = await Promise.allSettled(services.map(url => call(url, event)))
    if (calls.some(({ status }) => status === 'rejected')) {
      throw Object.assign(new Error('a service is not there'), { statusCode: 502 })
    }
    return comment
  },
  list: comments.ofArticle,
})

async function call(url: string, event: CommentCreated): Promise<void> {
  const { statusCode, body } = await request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(event),
    headersTimeout: 0, // however long it takes
  })
  await body.dump() // gives the connection back
  if (statusCode !== 204) throw new Error(`${url} answered ${statusCode}`)
}

console.log(`web: listening on ${await app.listen({ port, host: '127.0.0.1' })}`)
