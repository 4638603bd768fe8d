/**
 * One transaction for all that comes in together. A transaction costs about as much for twenty
 * comments as for one; so those that arrive in the same turn of the event loop share it, and each
 * is answered when it is committed. With few users that is one comment, with many it is many.
 */
import type { DatabaseSync } from 'node:sqlite'
import { inTransaction } from '../settings.ts'

interface Waiting<Input, Output> {
  readonly input: Input
  readonly resolve: (output: Output) => void
  readonly reject: (error: unknown) => void
}

/** Makes of `work` a function whose calls are committed together. */
export function together<Input, Output>(
  database: DatabaseSync,
  work: (input: Input) => Output,
): (input: Input) => Promise<Output> {
  let waiting: Waiting<Input, Output>[] = []

  const commit = () => {
    const batch = waiting
    waiting = []
    try {
      const outputs = inTransaction(database, () => batch.map(({ input }) => work(input)))
      for (const [index, { resolve }] of batch.entries()) resolve(outputs[index]!)
    } catch (error) {
      for (const { reject } of batch) reject(error) // none of them is stored
    }
  }

  return input =>
    new Promise((resolve, reject) => {
      if (waiting.length === 0) setImmediate(commit)
      waiting.push({ input, resolve, reject })
    })
}
