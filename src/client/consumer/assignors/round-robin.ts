import { type Assignor, inOrder, nothingFor, topicsOf } from './assignor.ts'

/** All partitions of all topics in turn to all members; who does not subscribe to a topic is passed over. */
export const roundRobin: Assignor = {
  name: 'roundrobin',
  isCooperative: false,
  assign(members, counts) {
    const assignment = nothingFor(members)
    const ordered = inOrder(members)
    let turn = 0
    for (const topic of topicsOf(members, counts)) {
      for (let partition = 0; partition < counts.get(topic)!; partition++) {
        while (!ordered[turn % ordered.length]!.topics.includes(topic)) turn++
        assignment.get(ordered[turn % ordered.length]!.memberId)!.push({ topic, partition })
        turn++
      }
    }
    return assignment
  },
}
