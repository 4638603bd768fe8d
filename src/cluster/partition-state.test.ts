import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Change, type Member, nextState, type PartitionState } from './partition-state.ts'

const [a, b, c]: Member[] = [
  [1, 10n],
  [2, 20n],
  [3, 30n],
]

function state(parts: Partial<PartitionState> = {}): PartitionState {
  return {
    leader: a!,
    leaderEpoch: 5,
    partitionEpoch: 7,
    minIsr: 2,
    replicas: [1, 2, 3],
    isr: [a!, b!, c!],
    elr: [],
    lastKnown: [],
    adding: [],
    removing: [],
    ...parts,
  }
}

/** All brokers but these are usable at their epoch. */
function next(old: PartitionState, change: Change, ...dead: number[]): PartitionState {
  const epochs = new Map([a!, b!, c!, [4, 40n] as const])
  return nextState(old, change, id => (dead.includes(id) ? undefined : epochs.get(id)))
}

interface Case {
  readonly name: string
  readonly old?: Partial<PartitionState>
  readonly change: Change
  readonly dead?: number[]
  /** Beside partitionEpoch 8; what is not named is as before. */
  readonly to: Partial<PartitionState>
}

const cases: Case[] = [
  { name: 'nothing changes but the partition epoch', change: {}, to: {} },
  {
    name: 'a follower leaves an ISR that stays large enough: no ELR, same epoch',
    change: { isr: [a!, b!] },
    to: { isr: [a!, b!] },
  },
  {
    name: 'below minIsr whoever leaves the ISR stays eligible',
    old: { isr: [a!, b!] },
    change: { isr: [a!] },
    to: { isr: [a!], elr: [b!] },
  },
  {
    name: 'an ISR at minIsr again clears ELR and last known',
    old: { isr: [a!], elr: [b!], lastKnown: [3] },
    change: { isr: [a!, c!] },
    to: { isr: [a!, c!], elr: [], lastKnown: [] },
  },
  {
    name: 'a leader that is not usable is replaced by the first usable of the ISR',
    change: { isr: [b!, c!] },
    dead: [1],
    to: { leader: b!, leaderEpoch: 6, isr: [b!, c!] },
  },
  {
    name: 'a leader that restarted is another member, so the epoch rises though it leads again',
    old: { leader: [1, 9n], isr: [a!, b!] },
    change: {},
    to: { leader: a!, leaderEpoch: 6, isr: [a!, b!] },
  },
  {
    name: 'with nobody usable in the ISR there is no leader, even if the ELR has one',
    old: { isr: [a!], elr: [b!] },
    change: {},
    dead: [1],
    to: { leader: null, leaderEpoch: 6, isr: [a!], elr: [b!] },
  },
  {
    name: 'with an empty ISR the first usable of the ELR leads and is the ISR',
    old: { isr: [a!], elr: [b!, c!] },
    change: { isr: [] },
    dead: [1],
    to: { leader: b!, leaderEpoch: 6, isr: [b!], elr: [c!, a!] },
  },
  {
    name: 'an ELR leader that makes the ISR large enough clears the ELR',
    old: { minIsr: 1, isr: [], elr: [a!, b!], leader: null },
    change: {},
    to: { minIsr: 1, leader: a!, leaderEpoch: 6, isr: [a!], elr: [] },
  },
  {
    name: 'a lossy broker leaves ISR and ELR at any epoch, is last known, and raises the epoch',
    old: { minIsr: 3, isr: [a!, b!], elr: [[3, 29n]] },
    change: { lossy: [3] },
    to: { minIsr: 3, leaderEpoch: 6, isr: [a!, b!], elr: [], lastKnown: [3] },
  },
  {
    name: 'a lossy broker in no set raises the epoch and is not last known',
    old: { minIsr: 2, isr: [a!] },
    change: { lossy: [3] },
    to: { leaderEpoch: 6, isr: [a!], lastKnown: [] },
  },
  {
    name: 'a lossy leader is out at once',
    old: { isr: [a!, b!] },
    change: { lossy: [1] },
    to: { leader: b!, leaderEpoch: 6, isr: [b!], lastKnown: [1] },
  },
  {
    name: 'a restart without loss moves the ELR entry to the new epoch',
    old: { leader: null, isr: [], elr: [[1, 9n], c!] },
    change: { rewrite: { from: [1, 9n], to: [1, 10n] } },
    dead: [1, 3],
    to: { leader: null, isr: [], elr: [a!, c!] },
  },
  {
    name: 'leaving the ISR and the rewrite are one write',
    old: { minIsr: 1, replicas: [1], leader: [1, 9n], isr: [[1, 9n]] },
    change: { isr: [], rewrite: { from: [1, 9n], to: [1, 10n] } },
    dead: [1],
    to: { minIsr: 1, replicas: [1], leader: null, leaderEpoch: 6, isr: [], elr: [a!] },
  },
  {
    name: 'the preferred leader takes over when it is in the ISR',
    old: { leader: b! },
    change: { elect: 'preferred' },
    to: { leader: a!, leaderEpoch: 6 },
  },
  {
    name: 'the preferred leader does not take over from outside the ISR',
    old: { leader: b!, isr: [b!, c!] },
    change: { elect: 'preferred' },
    to: { leader: b!, isr: [b!, c!] },
  },
  {
    name: 'an unclean election takes the first usable replica and forgets the rest',
    old: { isr: [], elr: [b!], lastKnown: [3], leader: null },
    change: { elect: 'unclean' },
    dead: [1, 2],
    to: { leader: c!, leaderEpoch: 6, isr: [c!], elr: [], lastKnown: [] },
  },
  {
    name: 'an unclean election does nothing while the ELR has somebody',
    old: { isr: [], elr: [b!], leader: null },
    change: { elect: 'unclean' },
    to: { leader: b!, leaderEpoch: 6, isr: [b!], elr: [] },
  },
  {
    name: 'a last-known election takes the member named',
    old: { isr: [], elr: [], lastKnown: [2, 3], leader: null },
    change: { elect: c! },
    to: { leader: c!, leaderEpoch: 6, isr: [c!], elr: [], lastKnown: [] },
  },
  {
    name: 'a last-known election of an earlier registration elects nobody',
    old: { isr: [], elr: [], lastKnown: [3], leader: null },
    change: { elect: [3, 29n] },
    to: { leader: null, isr: [], elr: [], lastKnown: [3] },
  },
  {
    name: 'a replica that leaves the replicas leaves all sets and raises the epoch',
    old: { minIsr: 3, isr: [a!, b!], elr: [c!], lastKnown: [3], removing: [3] },
    change: { replicas: [1, 2] },
    to: {
      minIsr: 3,
      replicas: [1, 2],
      leaderEpoch: 6,
      isr: [a!, b!],
      elr: [],
      lastKnown: [],
      removing: [],
    },
  },
  {
    name: 'an added replica changes no epoch',
    change: { replicas: [1, 2, 3, 4], adding: [4] },
    to: { replicas: [1, 2, 3, 4], adding: [4] },
  },
  {
    name: 'a lower minIsr forgets the ELR',
    old: { isr: [a!], elr: [b!] },
    change: { minIsr: 1 },
    to: { minIsr: 1, isr: [a!], elr: [] },
  },
  {
    name: 'a higher minIsr applies to the ISR there is',
    old: { isr: [a!, b!] },
    change: { minIsr: 3 },
    to: { minIsr: 3, isr: [a!, b!], elr: [] },
  },
]

for (const { name, old, change, dead, to } of cases) {
  test(name, () => {
    const before = state(old)
    const after = next(before, change, ...(dead ?? []))
    assert.deepEqual(after, { ...before, partitionEpoch: 8, ...to })
  })
}
