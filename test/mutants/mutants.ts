/**
 * Rules of docs/replication.md, each broken in one place: what the simulator of clusters is for is to
 * find every one of them.
 */

/** `right` stands in the file exactly once; `wrong` takes its place. */
export interface Edit {
  /** Below src/. */
  readonly file: string
  readonly right: string
  readonly wrong: string
}

export interface Mutant {
  readonly name: string
  readonly edits: readonly Edit[]
}

function mutant(name: string, file: string, right: string, wrong: string): Mutant {
  return { name, edits: [{ file, right, wrong }] }
}

const leader = 'replica/leader-state.ts'
const partition = 'replica/partition.ts'
const state = 'cluster/partition-state.ts'

export const mutants: readonly Mutant[] = [
  mutant(
    'the watermark moves while the ISR is below min.insync.replicas (H1)',
    leader,
    'if (!this.hasEnoughReplicas) return nothing\n    let everywhere',
    'let everywhere',
  ),
  mutant(
    'the watermark waits for the ISR in the store only',
    leader,
    'return [...isr, ...joining]',
    'return [...isr]',
  ),
  mutant(
    'a member that is to leave does not count any more from the sending on',
    leader,
    'return [...isr, ...joining]',
    'return [...(this.#pending?.isr ?? isr)]',
  ),
  mutant(
    'a follower joins below the watermark (I1)',
    leader,
    'return endOffset >= this.#highWatermark && endOffset >= this.epochStartOffset',
    'return endOffset >= this.epochStartOffset',
  ),
  mutant(
    'a follower joins below the start of the epoch (I2)',
    leader,
    'return endOffset >= this.#highWatermark && endOffset >= this.epochStartOffset',
    'return endOffset >= this.#highWatermark',
  ),
  mutant(
    'a proposal without an answer counts for nothing after a while',
    'replica/isr-changes.ts',
    'void this.#send(partition, proposal).catch(',
    'this.#io.clock.timer(20, () => partition.onIsrOutcome(proposal, undefined))\n    void this.#send(partition, proposal).catch(',
  ),
  mutant(
    'a leader changes the ISR without a compare on the partition: a lease is its only fence',
    'replica/isr-changes.ts',
    "      { key, target: 'modRevision', equals: from.modRevision },\n",
    '',
  ),
  mutant(
    'a new follower truncates to its watermark',
    'replica/replicas.ts',
    'partition.follow(state!.leaderEpoch)\n',
    'await log.truncateTo(partition.highWatermark)\n    partition.follow(state!.leaderEpoch)\n',
  ),
  mutant(
    'a leader does not look where the logs part',
    partition,
    'if (known.leaderEpoch === lastFetchedEpoch && known.endOffset >= offset) return undefined',
    'return undefined',
  ),
  {
    name: 'who waits is told when the watermark comes there in a later epoch',
    edits: [
      {
        file: partition,
        right:
          "    this.#leader = undefined\n    this.#failAll(new KafkaError('NOT_LEADER_OR_FOLLOWER'))\n",
        wrong: '    this.#leader = undefined\n',
      },
      {
        file: partition,
        right: '    this.#written = undefined\n    this.#replicated = undefined\n',
        wrong: '',
      },
    ],
  },
  mutant(
    'a duplicate is acknowledged before it is replicated',
    partition,
    'if (acks === 0) return Promise.resolve()',
    'if (acks === 0 || (appended as Appended).duplicate) return Promise.resolve()',
  ),
  mutant(
    'a broker that lost records stays eligible',
    'cluster/repairs.ts',
    ': { lossy: [brokerId] }',
    ': { rewrite: { from: entry, to: [brokerId, brokerEpoch] } }',
  ),
  mutant(
    'any replica is elected when nobody complete is there',
    'cluster/repairs.ts',
    "return mayElectUnclean ? { ...change, elect: 'unclean' } : change",
    "return { ...change, elect: 'unclean' }",
  ),
  mutant(
    'nobody stays eligible outside the ISR',
    state,
    'elr = without(unionById(old.elr, old.isr), isr)',
    'elr = without([], isr)',
  ),
  mutant(
    'who leaves below min.insync.replicas is forgotten when it comes back anew',
    state,
    'elr = without(unionById(old.elr, old.isr), isr)',
    'elr = without(old.isr, isr)',
  ),
  mutant(
    'a controller does not compare its last request',
    'cluster/controller.ts',
    "          { key: keys.controllerSeq, target: 'modRevision', equals: term.seq },\n",
    '',
  ),
  mutant(
    'a transaction without an answer is not known as our own',
    'cluster/transact.ts',
    'return Array.isArray(json.by) && json.by[0] === by[0] && json.by[1] === by[1]',
    'return json.by === by',
  ),
  mutant(
    'a watch whose history is gone goes on without it',
    'cluster/image-feed.ts',
    'void this.#readAll()\n      },\n      broken',
    'this.#image.apply([], revision - 1n)\n        this.#openWatch()\n      },\n      broken',
  ),
  mutant(
    'the end counts before it is synced (H3)',
    'log/log.ts',
    'if (this.syncsEachWrite) await this.#sync.sync()',
    'if (this.syncsEachWrite) this.#sync.syncLater()',
  ),
  mutant(
    'the recovery point moves without a sync',
    'log/log-sync.ts',
    '        if (!(await segment.sync())) return\n',
    '',
  ),
  mutant(
    'a sync that failed is tried again',
    'log/log-sync.ts',
    '      this.#host.fail(error as Error)\n      throw error\n',
    '      return this.#syncNow()\n',
  ),
  mutant(
    'a broker is lossless after a power loss, whatever was synced',
    'log/log-directory.ts',
    'return session.allSync || (bootId !== undefined && session.bootId === bootId)',
    'return true',
  ),
  mutant(
    'a new epoch is not written down before its first append',
    'replica/replicas.ts',
    'await hosted.log.becomeLeader(state.leaderEpoch)',
    'await hosted.log.settledEnd()',
  ),
  mutant(
    'a follower takes the watermark of its leader for its own',
    partition,
    'const reached = Math.min(highWatermark, this.#log.logEndOffset)',
    'const reached = highWatermark',
  ),
  mutant(
    'consumers read to the end of the log',
    partition,
    'await this.#readBelow(this.#visibleEnd(isolation), options)',
    'await this.#readBelow(this.#ownEnd, options)',
  ),
  mutant(
    'a deposed leader goes on',
    partition,
    '      this.resign()\n      return\n',
    '      return\n',
  ),
  mutant(
    'a store finds that an absent key compares with anything',
    'io/store-model.ts',
    'return (this.#entries.get(key)?.[target] ?? 0n) === equals',
    'return (this.#entries.get(key)?.[target] ?? equals) === equals',
  ),
  mutant(
    'a store hands half of a revision to a watch',
    'io/store-watches.ts',
    'this.#sink.events(events, revision)',
    'this.#sink.events(events.slice(0, 1), revision)',
  ),
  mutant(
    'a store counts a lease from half its time on',
    'io/store-model.ts',
    'lease.expiresAtMs = nowMs + lease.ttlMs',
    'lease.expiresAtMs = nowMs + lease.ttlMs / 2',
  ),
  mutant(
    'a data directory is used without its lock',
    'log/log-directory.ts',
    'const lock = await io.disk.lock(path)',
    'const lock = await io.disk.lock(path).catch(() => ({ inode: 1, release: async () => {} }))',
  ),
]
