/** The two HTTP routes of comments: what comes in is validated here, and nowhere else. */
import fastify, { type FastifyInstance } from 'fastify'
import type { Comment, NewComment } from '../comment-created.ts'

const params = {
  type: 'object',
  properties: { id: { type: 'string', pattern: '^[a-z0-9-]{1,64}$' } },
}

const body = {
  type: 'object',
  required: ['author', 'text'],
  additionalProperties: false,
  properties: {
    author: { type: 'string', minLength: 1, maxLength: 100 },
    text: { type: 'string', minLength: 1, maxLength: 5000 },
  },
}

/** What stands behind the routes. */
export interface Behind {
  submit(comment: Omit<Comment, 'id'>): Promise<Comment>
  list(articleId: string): Comment[]
}

export function commentRoutes({ submit, list }: Behind): FastifyInstance {
  const app = fastify()

  app.post<{ Params: { id: string }; Body: NewComment }>(
    '/articles/:id/comments',
    { schema: { params, body } },
    async (request, reply) => {
      const comment = await submit({ articleId: request.params.id, ...request.body })
      return reply.code(201).send(comment)
    },
  )

  app.get<{ Params: { id: string } }>('/articles/:id/comments', { schema: { params } }, request =>
    Promise.resolve(list(request.params.id)),
  )

  return app
}
