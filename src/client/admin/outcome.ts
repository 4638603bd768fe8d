/** What becomes of each of several things that were asked for. */
import { errorName, errors, KafkaError } from '../../protocol/errors.ts'
import type { ClientError } from '../cluster.ts'
import { ConnectionError } from '../connection.ts'
import type { AdminCall } from './call.ts'

/**
 * What was asked of, and what came of it: a value, or the error by which it was refused.
 *
 *     for (const { topic, error, partitions } of await admin.createTopics(topics)) …
 */
export type Outcome<Key, Value = unknown> = Readonly<Key> &
  ((Readonly<Value> & { readonly error?: undefined }) | (Nothing<Value> & Refusal))

interface Refusal {
  readonly error: KafkaError
}

/** So that `error` and what else there is can be taken out of an outcome together. */
type Nothing<Value> = { readonly [Name in keyof Value]?: undefined }

/** An outcome that is no refusal. */
export type Success<Each> = Exclude<Each, Refusal>

/**
 * The same outcomes when there is no error among them; else throws the first one.
 *
 *     const [topic] = orThrow(await admin.createTopics(['orders']))
 */
export function orThrow<Each extends { readonly error?: KafkaError | undefined }>(
  outcomes: readonly Each[],
): readonly Success<Each>[] {
  for (const { error } of outcomes) if (error !== undefined) throw error
  return outcomes as readonly Success<Each>[]
}

export function outcome<Key extends object, Value>(
  key: Key,
  value: Value | KafkaError,
): Outcome<Key, Value> {
  const result = value instanceof KafkaError ? { ...key, error: value } : { ...key, ...value }
  return result as unknown as Outcome<Key, Value>
}

/** Calls under way at a time, where each thing needs one of its own. */
const maxConcurrent = 32

/**
 * The outcome of each item, in order. When none of them could be asked for, the reason of that is
 * thrown: it concerns the call as a whole; so does what is no ClientError.
 */
export async function settleEach<Item, Key extends object, Value>(
  call: AdminCall,
  items: readonly Item[],
  keyOf: (item: Item) => Key,
  work: (item: Item) => Promise<Value>,
): Promise<Outcome<Key, Value>[]> {
  const results: (Value | ClientError)[] = []
  const left = items.entries()
  const worker = async () => {
    for (const [index, item] of left) {
      try {
        results[index] = await work(item)
      } catch (error) {
        if (!(error instanceof KafkaError || error instanceof ConnectionError)) throw error
        results[index] = error
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(maxConcurrent, items.length) }, worker))
  call.throwIfEnded()
  return asOutcomes(items, keyOf, results)
}

/** Outcomes of what a call answered, with the rule of `settleEach` for what was not reached. */
export function asOutcomes<Item, Key extends object, Value>(
  items: readonly Item[],
  keyOf: (item: Item) => Key,
  results: readonly (Value | ClientError)[],
): Outcome<Key, Value>[] {
  const [first] = results
  if (first instanceof ConnectionError && results.every(each => each instanceof ConnectionError)) {
    throw first
  }
  return items.map((item, index) => {
    const result = results[index]!
    const isLost = result instanceof ConnectionError
    // A lost connection has a code of its own in the protocol.
    return outcome(
      keyOf(item),
      isLost ? new KafkaError('NETWORK_EXCEPTION', result.message) : result,
    )
  })
}

/** The error of a code in an answer; undefined for 0. `what`: who was refused, in a few words. */
export function refusal(
  code: number,
  what: string,
  message?: string | null,
): KafkaError | undefined {
  if (code === 0) return undefined
  const name = errorName(code)
  return new KafkaError(name, message ? message : `${what}: ${errors[name].message}`)
}

/** An answer says nothing of what was asked. */
export function unanswered(what: string): KafkaError {
  return new KafkaError('UNKNOWN_SERVER_ERROR', `the answer says nothing of ${what}`)
}
