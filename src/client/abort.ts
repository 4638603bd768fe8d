/** Waiting that a signal ends. */

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
