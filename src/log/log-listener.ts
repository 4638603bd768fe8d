import type { KafkaError } from '../protocol/errors.ts'

/** Whom a log tells what became of appends. */
export interface LogListener {
  /** Records below `end` are written; with flush.messages=1 they are synced too. */
  onEnd(end: number): void
  /** Records from `end` on could not be written and are gone (disk full): their waiters fail. */
  onUnwritten(end: number, error: KafkaError): void
  onOffline(error: Error): void
  /** What lies at `offset` cannot be read. Told once for each place. */
  onDamage(offset: number): void
}

/** Told to nobody. */
export const unheard: LogListener = { onEnd() {}, onUnwritten() {}, onOffline() {}, onDamage() {} }
