import type { Clock } from './io.ts'

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
