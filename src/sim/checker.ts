/**
 * Judges a run by what clients saw: the history of every attempt, and a full read of every
 * partition after healing. It knows nothing of the broker. Numbers are those of replication.md §12.
 */

/** One record a producer tried to write; `value` is unique in the run. */
export interface Attempt {
  readonly producer: number
  readonly idempotent: boolean
  readonly partition: string
  readonly value: string
  /** Order of sending within its producer and partition. */
  readonly sequence: number
  /** ok: acknowledged at `offset`. unknown: no answer, or one that says nothing of the outcome. */
  outcome: 'ok' | 'refused' | 'unknown'
  offset: number
}

/** A record as a consumer saw it. */
export interface Seen {
  readonly partition: string
  readonly offset: number
  readonly value: string
}

/** What was promised in this run: a power cut may cost unsynced records of `os` topics. */
export interface Promises {
  readonly keptAcknowledged: boolean
  readonly stableOffsets: boolean
}

/** Breaches, one sentence each; empty when all holds. */
export function check(
  attempts: readonly Attempt[],
  seen: readonly Seen[],
  final: ReadonlyMap<string, readonly Seen[]>,
  promises: Promises,
): string[] {
  return [
    ...gapless(final),
    ...onlyWhatWasSent(attempts, final),
    ...(promises.keptAcknowledged ? noAcknowledgedLoss(attempts, final) : []),
    ...(promises.stableOffsets ? stableOffsets(seen, final) : []),
    ...idempotence(attempts, final),
    ...sendOrder(attempts, final),
  ]
}

/** 10 NoCommittedLoss: each acknowledged record is at its offset. */
function noAcknowledgedLoss(
  attempts: readonly Attempt[],
  final: ReadonlyMap<string, readonly Seen[]>,
): string[] {
  return attempts
    .filter(attempt => attempt.outcome === 'ok')
    .flatMap(({ partition, offset, value }) => {
      const found = final.get(partition)?.[offset]?.value
      return found === value
        ? []
        : [`NoCommittedLoss: ${partition}@${offset} was ${value}, now ${found ?? 'absent'}`]
    })
}

/** 11 StableOffsets: once shown, a record stays where it is. */
function stableOffsets(
  seen: readonly Seen[],
  final: ReadonlyMap<string, readonly Seen[]>,
): string[] {
  return seen.flatMap(({ partition, offset, value }) => {
    const found = final.get(partition)?.[offset]?.value
    return found === value
      ? []
      : [`StableOffsets: ${partition}@${offset} was shown as ${value}, now ${found ?? 'absent'}`]
  })
}

/** 13 Idempotence: a record of an idempotent producer is in the log once at most. */
function idempotence(
  attempts: readonly Attempt[],
  final: ReadonlyMap<string, readonly Seen[]>,
): string[] {
  const idempotent = new Set(attempts.filter(each => each.idempotent).map(each => each.value))
  const first = new Map<string, number>()
  return [...final].flatMap(([partition, records]) =>
    records.flatMap(({ value, offset }) => {
      if (!idempotent.has(value)) return []
      const before = first.get(value)
      first.set(value, offset)
      return before === undefined
        ? []
        : [`Idempotence: ${partition} holds ${value} at ${before} and at ${offset}`]
    }),
  )
}

/** 12, 13: the records of one idempotent producer stand in the order in which they were sent. */
function sendOrder(
  attempts: readonly Attempt[],
  final: ReadonlyMap<string, readonly Seen[]>,
): string[] {
  const byValue = new Map(attempts.map(attempt => [attempt.value, attempt]))
  const breaches: string[] = []
  for (const [partition, records] of final) {
    const newest = new Map<number, number>()
    for (const { value, offset } of records) {
      const attempt = byValue.get(value)
      if (attempt === undefined || !attempt.idempotent) continue
      const before = newest.get(attempt.producer) ?? -1
      if (attempt.sequence < before)
        breaches.push(`SendOrder: ${partition}@${offset} holds ${value} after a later one`)
      newest.set(attempt.producer, Math.max(before, attempt.sequence))
    }
  }
  return breaches
}

/** 16 ConsumerGapless: nothing deletes records in these runs, so offsets rise by one from 0. */
function gapless(final: ReadonlyMap<string, readonly Seen[]>): string[] {
  return [...final].flatMap(([partition, records]) =>
    records.flatMap((record, index) =>
      record.offset === index
        ? []
        : [`ConsumerGapless: ${partition} has offset ${record.offset} where ${index} is due`],
    ),
  )
}

function onlyWhatWasSent(
  attempts: readonly Attempt[],
  final: ReadonlyMap<string, readonly Seen[]>,
): string[] {
  const sent = new Map(attempts.map(attempt => [attempt.value, attempt.partition]))
  return [...final].flatMap(([partition, records]) =>
    records
      .filter(({ value }) => sent.get(value) !== partition)
      .map(({ value, offset }) => `Invented: ${partition}@${offset} holds ${value}, never sent`),
  )
}
