/** At the same time, on one disk. */
const concurrency = 4

/** Runs `work` for all items, a few at a time; throws the first failure when all are done. */
export async function inParallel<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items.values()
  const failures: unknown[] = []
  const worker = async () => {
    for (const item of rest) await work(item).catch(error => failures.push(error))
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
  if (failures.length > 0) throw failures[0]
}
