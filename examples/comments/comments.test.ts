/** The two halves of "nothing is lost, nothing is counted twice": the outbox and the idempotent handler. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { CommentCreated } from './comment-created.ts'
import { Databases } from './demo/figures.ts'
import { isUnwanted } from './services/moderation.ts'
import { handler } from './services/service.ts'
import { statistics } from './services/statistics.ts'
import { openDatabase } from './settings.ts'
import { commentCreated, openComments } from './web/comments.ts'
import { relayOnce } from './web/relay.ts'
import { commentRoutes } from './web/routes.ts'
import { together } from './web/together.ts'

const hello = { author: 'ada', text: 'hello' }
const onArticle = { articleId: 'article-1', ...hello }

function temporaryDirectory(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'comments-test-'))
  context.after(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** A broker that keeps what it is given. */
function broker(fail = () => false) {
  const stored: CommentCreated[] = []
  const publish = async (events: readonly CommentCreated[]) => {
    if (fail()) throw new Error('the broker is away')
    stored.push(...events)
  }
  return { stored, publish }
}

test('a comment and its event are stored together, and the event is pushed once', async context => {
  const comments = openComments(temporaryDirectory(context))
  const { stored, publish } = broker()
  const comment = await comments.add(onArticle)
  assert.equal(await relayOnce(comments, publish), 1)
  assert.equal(await relayOnce(comments, publish), 0)
  assert.deepEqual({ ...comments.ofArticle('article-1')[0] }, comment)
  assert.deepEqual(
    stored.map(event => event.comment),
    [comment],
  )
  comments.close()
})

test('an event that was not acknowledged is pushed later, in order', async context => {
  const comments = openComments(temporaryDirectory(context))
  let isAway = true
  const { stored, publish } = broker(() => isAway)
  await Promise.all([comments.add(onArticle), comments.add(onArticle)])
  await assert.rejects(relayOnce(comments, publish), /the broker is away/)
  isAway = false
  await comments.add(onArticle)
  await relayOnce(comments, publish)
  assert.deepEqual(
    stored.map(event => event.comment.id),
    [1, 2, 3],
  )
  comments.close()
})

test('a relay killed between acknowledgement and mark pushes the same event again', async context => {
  const directory = temporaryDirectory(context)
  const { stored, publish } = broker()
  const before = openComments(directory)
  await before.add(onArticle)
  await publish(before.unsent(10).map(row => row.event)) // and here it is killed
  before.close()

  const after = openComments(directory)
  await relayOnce(after, publish)
  after.close()
  assert.equal(stored.length, 2)
  assert.equal(stored[0]?.id, stored[1]?.id)
})

test('a service handles an event once, however often it comes, restarts included', async context => {
  const directory = temporaryDirectory(context)
  const event = commentCreated({ id: 1, ...onArticle })
  const other = commentCreated({ id: 2, ...onArticle })
  const handle = handler(statistics, directory)
  await handle(event)
  await handle(event)
  const restarted = handler(statistics, directory)
  await restarted(event)
  await restarted(other)

  const databases = new Databases(directory)
  assert.deepEqual(databases.handled('statistics'), { handled: 2, duplicates: 2 })
  databases.close()
})

test('an event whose handling failed has not been seen', async context => {
  const directory = temporaryDirectory(context)
  let fails = true
  const fragile = {
    ...statistics,
    prepare: () => () => {
      if (fails) throw new Error('the disk is full')
    },
  }
  const handle = handler(fragile, directory)
  const event = commentCreated({ id: 1, ...onArticle })
  await assert.rejects(handle(event), /the disk is full/)
  fails = false
  await handle(event)

  const databases = new Databases(directory)
  assert.deepEqual(databases.handled('statistics'), { handled: 1, duplicates: 0 })
  databases.close()
})

test('what a user submits is validated, stored and can be read', async context => {
  const comments = openComments(temporaryDirectory(context))
  const app = commentRoutes({ submit: comments.add, list: comments.ofArticle })
  const url = '/articles/article-1/comments'
  const created = await app.inject({ method: 'POST', url, body: hello })
  const nameless = await app.inject({ method: 'POST', url, body: { text: 'hello' } })
  const elsewhere = await app.inject({
    method: 'POST',
    url: '/articles/A%20B/comments',
    body: hello,
  })
  assert.deepEqual([created.statusCode, nameless.statusCode, elsewhere.statusCode], [201, 400, 400])
  const read = await app.inject({ method: 'GET', url })
  assert.deepEqual(read.json(), [{ id: 1, ...onArticle }])
  assert.equal(comments.unsent(10).length, 1)
  await app.close()
  comments.close()
})

test('moderation holds back unwanted words, misspelt ones too', () => {
  assert.equal(isUnwanted('Visit my cassino now'), true)
  assert.equal(isUnwanted('A thought about brokers'), false)
})

test('comments that come in together share a transaction; when it fails, none is stored', async context => {
  const database = openDatabase('test', 'CREATE TABLE t (n INTEGER)', temporaryDirectory(context))
  const insert = database.prepare('INSERT INTO t VALUES (?)')
  const add = together(database, (n: number) => {
    if (n < 0) throw new Error('negative')
    insert.run(n)
    return n * 2
  })
  const settled = await Promise.allSettled([add(1), add(-1)])
  assert.deepEqual(
    settled.map(({ status }) => status),
    ['rejected', 'rejected'],
  )
  assert.deepEqual(await Promise.all([add(1), add(2)]), [2, 4])
  assert.equal(database.prepare('SELECT count(*) AS count FROM t').get()?.['count'], 2)
  database.close()
})
