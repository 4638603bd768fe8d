import type { Clock } from '../io/io.ts'
import { KafkaError } from '../protocol/errors.ts'

/** The promise, or REQUEST_TIMED_OUT at the monotonic deadline: what it stands for goes on. */
export function within<T>(clock: Clock, promise: Promise<T>, deadlineMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.timer(Math.max(0, deadlineMs - clock.monotonicMs()), () =>
      reject(new KafkaError('REQUEST_TIMED_OUT', 'it may still happen')),
    )
    promise.then(resolve, reject).finally(() => timer.cancel())
  })
}
