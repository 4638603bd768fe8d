/** Waiting that a signal ends. */
import type { Clock } from '../io/io.ts'

/**
 * As `promise`, but rejects with the signal's reason as soon as that is aborted; what becomes of
 * `promise` then is nobody's concern any more, its failure included.
 */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

/** Resolves after `delayMs`, or at once when one of the signals is aborted. Nothing stays behind. */
export async function pause(
  clock: Clock,
  delayMs: number,
  ...signals: readonly (AbortSignal | undefined)[]
): Promise<void> {
  if (signals.some(signal => signal?.aborted)) return
  const { promise, resolve } = Promise.withResolvers<void>()
  const end = () => resolve()
  for (const signal of signals) signal?.addEventListener('abort', end, { once: true })
  const timer = clock.timer(delayMs, end)
  await promise
  timer.cancel()
  for (const signal of signals) signal?.removeEventListener('abort', end)
}
