/** In order of the first of each topic: answers list partitions topic by topic. */
export function byTopic<Each extends { readonly topic: string }>(
  partitions: readonly Each[],
): [topic: string, partitions: Each[]][] {
  return [...Map.groupBy(partitions, ({ topic }) => topic)]
}
