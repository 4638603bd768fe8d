/** One of the services behind HTTP instead of events, to compare with: `node direct/service.ts NAME`. */
import fastify from 'fastify'
import type { CommentCreated } from '../comment-created.ts'
import { moderation } from '../services/moderation.ts'
import { notification } from '../services/notification.ts'
import { handler } from '../services/service.ts'
import { statistics } from '../services/statistics.ts'
import { port } from '../settings.ts'

const name = process.argv[2]
const service = [notification, moderation, statistics].find(known => known.name === name)
if (service === undefined) throw new Error(`no service is called ${name}`)

const handle = handler(service)
const app = fastify()
app.post<{ Body: CommentCreated }>('/', async (request, reply) => {
  await handle(request.body)
  return reply.code(204).send()
})
console.log(`${name}: listening on ${await app.listen({ port, host: '127.0.0.1' })}`)
