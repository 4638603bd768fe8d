/** The web service. A submit is one transaction in its own database; it calls nobody. */
import { port } from '../settings.ts'
import { openComments } from './comments.ts'
import { commentRoutes } from './routes.ts'

const comments = openComments()
const app = commentRoutes({ submit: comments.add, list: comments.ofArticle })
console.log(`web: listening on ${await app.listen({ port, host: '127.0.0.1' })}`)
