import { type Assignor, inOrder, nothingFor, topicsOf } from './assignor.ts'

/** Topic by topic a run of neighbouring partitions to each subscriber; the first ones get one more. */
export const range: Assignor = {
  name: 'range',
  isCooperative: false,
  assign(members, counts) {
    const assignment = nothingFor(members)
    const ordered = inOrder(members)
    for (const topic of topicsOf(members, counts)) {
      const subscribers = ordered.filter(({ topics }) => topics.includes(topic))
      const count = counts.get(topic)!
      const each = Math.floor(count / subscribers.length)
      const more = count % subscribers.length
      let partition = 0
      for (const [index, { memberId }] of subscribers.entries()) {
        const end = partition + each + (index < more ? 1 : 0)
        for (; partition < end; partition++) assignment.get(memberId)!.push({ topic, partition })
      }
    }
    return assignment
  },
}
