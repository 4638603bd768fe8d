/**
 * `run`: several partitions at a time, the messages of each in order.
 *
 * An error of user code stops everything and is what `run` rejects with: the message is not counted
 * as finished, and comes again to whoever reads the partition next. To try again, to skip, or to put
 * it aside is the user's decision, inside `each`.
 */

import type { Supply } from './iteration.ts'
import type { Message } from './message.ts'
import type { WorkContext } from './options.ts'
import type { Unit } from './partition.ts'

/** Does one unit; raises its `handed` and `done` as it goes, and stops when it is not open any more. */
export type Work = (unit: Unit, context: WorkContext) => Promise<void>

/** The signal of a unit is made when somebody looks at it. */
class UnitContext implements WorkContext {
  readonly #unit: Unit
  constructor(unit: Unit) {
    this.#unit = unit
  }
  get signal(): AbortSignal {
    const { abort } = this.#unit
    if (abort !== undefined) return abort.signal
    const made = (this.#unit.abort = new AbortController())
    if (!this.#unit.isOpen) made.abort()
    return made.signal
  }
}

/**
 * Resolves when the supply has ended, or `stop` was called by the first failure, and all work is
 * done; rejects with that failure.
 */
export async function work(
  supply: Supply,
  concurrency: number,
  each: Work,
  stop: (error: unknown) => void,
): Promise<void> {
  let failure: { readonly error: unknown } | undefined
  const fail = (error: unknown) => {
    if (failure !== undefined) return
    failure = { error }
    stop(error)
  }
  const worker = async () => {
    try {
      for (;;) {
        const unit = supply.takeNow() ?? (await supply.take())
        if (unit === undefined) return
        try {
          await each(unit, new UnitContext(unit))
        } finally {
          await supply.finish(unit)
        }
      }
    } catch (error) {
      fail(error)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
  if (failure !== undefined) throw (failure as { readonly error: unknown }).error
}

/** Gives the messages of a unit one by one. */
export function messageWork(
  each: (message: Message<unknown, unknown>, context: WorkContext) => Promise<void> | void,
): Work {
  return async (unit, context) => {
    while (unit.isOpen && unit.handed < unit.messages.length) {
      const finished = each(unit.messages[unit.handed++]!, context)
      // A function that is done already is not waited for: that costs as much as the message.
      if (finished !== undefined) await finished
      unit.done = unit.handed
    }
  }
}
