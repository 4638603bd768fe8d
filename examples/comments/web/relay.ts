/**
 * The outbox relay: pushes events from the web service's outbox to the broker, oldest first.
 *
 * A row is marked as sent after the broker has acknowledged it. Killed between the two, the relay
 * pushes the same event again when it is back: every event arrives at least once. Readers drop
 * what they have seen. Run one relay: two would push everything twice, and out of order.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { connectPublisher, type Publish } from '../events.ts'
import { type Comments, openComments } from './comments.ts'

const batch = 500
const pollMs = 50

/** Pushes what waits, at most a batch; returns how many events that were. */
export async function relayOnce(comments: Comments, publish: Publish): Promise<number> {
  const rows = comments.unsent(batch)
  if (rows.length === 0) return 0
  await publish(rows.map(row => row.event))
  comments.markSent(rows)
  return rows.length
}

if (import.meta.main) {
  const comments = openComments()
  const publish = await connectPublisher('outbox-relay')
  console.log('relay: pushing')
  for (;;) {
    try {
      if ((await relayOnce(comments, publish)) === 0) await sleep(pollMs)
    } catch (error) {
      console.error('relay: not pushed, trying again in a second:', error)
      await sleep(1000)
    }
  }
}
