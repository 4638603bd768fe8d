/**
 * Many groups on one broker, at rest: node bench/groups.ts [--groups N] [--members N] [--seconds N]
 *
 * Each member heartbeats every 3 s, as clients do, and the time of each heartbeat is taken. Members
 * share connections (ten groups on each by default; a member of a group never shares with another
 * of the same group, whose JoinGroup would hold it back). Prints the broker's memory and CPU before
 * and after. It starts Ottla; `--bootstrap host:port --pid N` measures that broker instead, Apache
 * Kafka say. Nothing else may run meanwhile.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Connection } from '../src/client/connection.ts'
import { nodeIo } from '../src/io/node.ts'
import {
  findCoordinatorRequest,
  findCoordinatorResponse,
} from '../src/protocol/messages/find-coordinator.ts'
import { heartbeatRequest, heartbeatResponse } from '../src/protocol/messages/heartbeat.ts'
import { joinGroupRequest, joinGroupResponse } from '../src/protocol/messages/join-group.ts'
import { syncGroupRequest, syncGroupResponse } from '../src/protocol/messages/sync-group.ts'
import { LiveBroker } from '../test/live-broker.ts'

const { values: options } = parseArgs({
  options: {
    groups: { type: 'string', default: '1000' },
    members: { type: 'string', default: '10' },
    seconds: { type: 'string', default: '60' },
    'groups-per-connection': { type: 'string', default: '10' },
    bootstrap: { type: 'string' },
    pid: { type: 'string' },
  },
})
const groupCount = Number(options.groups)
const memberCount = Number(options.members)
const seconds = Number(options.seconds)
const groupsPerConnection = Number(options['groups-per-connection'])
const heartbeatMs = 3000
const sessionTimeoutMs = 45_000
const requestMs = 60_000

const io = nodeIo()
const soon = () => io.clock.monotonicMs() + requestMs

/** How often a member was told that its group rebalances. */
let rejoined = 0

class Member {
  readonly #groupId: string
  readonly #connection: Connection
  #memberId = ''
  #generationId = -1

  constructor(groupId: string, connection: Connection) {
    this.#groupId = groupId
    this.#connection = connection
  }

  /** Joins and syncs until the generation stands. */
  async join(): Promise<void> {
    for (;;) {
      const joined = await this.#askToJoin()
      this.#memberId = joined.memberId
      if (joined.errorCode === 79) continue // MEMBER_ID_REQUIRED: now it has one
      if (joined.errorCode !== 0) throw new Error(`JoinGroup: error ${joined.errorCode}`)
      this.#generationId = joined.generationId
      const assignments = joined.members.map(({ memberId }) => ({
        memberId,
        assignment: Buffer.alloc(64),
      }))
      const synced = await this.#connection.request(
        syncGroupRequest,
        syncGroupResponse,
        { ...this.#self, protocolType: 'consumer', protocolName: 'range', assignments },
        soon(),
      )
      if (synced.errorCode === 0) return
      if (synced.errorCode !== 27) throw new Error(`SyncGroup: error ${synced.errorCode}`)
    }
  }

  #askToJoin() {
    return this.#connection.request(
      joinGroupRequest,
      joinGroupResponse,
      {
        groupId: this.#groupId,
        memberId: this.#memberId,
        sessionTimeoutMs,
        rebalanceTimeoutMs: 60_000,
        protocolType: 'consumer',
        protocols: [{ name: 'range', metadata: Buffer.alloc(64) }],
      },
      soon(),
    )
  }

  /** Milliseconds until the answer; rejoins when the group rebalances, which does not count. */
  async heartbeat(): Promise<number> {
    const from = performance.now()
    const { errorCode } = await this.#connection.request(
      heartbeatRequest,
      heartbeatResponse,
      this.#self,
      soon(),
    )
    const tookMs = performance.now() - from
    if (errorCode === 27) {
      rejoined++
      await this.join()
    }
    if (errorCode !== 0 && errorCode !== 27) throw new Error(`Heartbeat: error ${errorCode}`)
    return tookMs
  }

  get #self() {
    return { groupId: this.#groupId, memberId: this.#memberId, generationId: this.#generationId }
  }
}

/** The members of one group join together; those who are in listen for rebalances until all are. */
async function fill(members: readonly Member[]): Promise<void> {
  let outside = members.length
  await Promise.all(
    members.map(async member => {
      await member.join()
      outside--
      while (outside > 0) {
        await new Promise(resolve => setTimeout(resolve, 20))
        await member.heartbeat()
      }
    }),
  )
}

async function pooled<T>(items: readonly T[], width: number, run: (item: T) => Promise<void>) {
  const queue = items.values()
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (const item of queue) await run(item)
    }),
  )
}

function footprint(pid: number): { rssMib: number; cpuSeconds: number } {
  const rssKib = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  return {
    rssMib: rssKib / 1024,
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
  }
}

function say(what: string, pid: number): void {
  const { rssMib, cpuSeconds } = footprint(pid)
  console.log(`${what}: broker memory ${rssMib.toFixed(0)} MiB, CPU ${cpuSeconds.toFixed(1)} s`)
}

/** Heartbeats of every member each 3 s, spread evenly; the milliseconds of each. */
async function beat(members: readonly Member[]): Promise<number[]> {
  const times: number[] = []
  const rounds = Math.max(1, Math.round((seconds * 1000) / heartbeatMs))
  const failures: unknown[] = []
  const underway = new Set<Promise<void>>()
  const startedAt = performance.now()
  for (let sent = 0; sent < rounds * members.length; ) {
    const due = Math.floor(((performance.now() - startedAt) / heartbeatMs) * members.length)
    for (; sent < Math.min(due, rounds * members.length); sent++) {
      const beating: Promise<void> = members[sent % members.length]!.heartbeat()
        .then(
          tookMs => void times.push(tookMs),
          error => void failures.push(error),
        )
        .finally(() => underway.delete(beating))
      underway.add(beating)
    }
    await new Promise(resolve => setTimeout(resolve, 1))
  }
  await Promise.all(underway)
  if (failures.length > 0)
    throw new AggregateError(failures, `${failures.length} heartbeats failed`)
  return times.sort((a, b) => a - b)
}

const broker = options.bootstrap === undefined ? await LiveBroker.start() : undefined
try {
  const [host = '', port = ''] = (options.bootstrap ?? broker!.bootstrap).split(':')
  const pid = broker?.pid ?? Number(options.pid)
  const open = () =>
    Connection.open(io, { host, port: Number(port), clientId: 'bench-groups', deadlineMs: soon() })
  const first = await open()
  // The first request for a coordinator creates the internal topic.
  for (let errorCode = -1; errorCode !== 0; ) {
    const found = await first.request(
      findCoordinatorRequest,
      findCoordinatorResponse,
      { keyType: 0, coordinatorKeys: ['bench-0'] },
      soon(),
    )
    errorCode = found.coordinators[0]!.errorCode
  }
  first.close()
  say('before', pid)

  const classCount = Math.ceil(groupCount / groupsPerConnection)
  const connections = await Promise.all(
    Array.from({ length: classCount * memberCount }, () => open()),
  )
  say(`${connections.length} connections`, pid)
  const groups = Array.from({ length: groupCount }, (_, g) =>
    Array.from(
      { length: memberCount },
      (_, m) => new Member(`bench-${g}`, connections[(g % classCount) * memberCount + m]!),
    ),
  )
  const classes = Array.from({ length: classCount }, (_, c) =>
    groups.filter((_, g) => g % classCount === c),
  )
  const fillFrom = performance.now()
  await pooled(classes, 20, async inClass => {
    for (const members of inClass) await fill(members)
  })
  const fillSeconds = (performance.now() - fillFrom) / 1000
  say(`${groupCount} groups of ${memberCount} members stand after ${fillSeconds.toFixed(1)} s`, pid)

  rejoined = 0
  const before = footprint(pid).cpuSeconds
  const times = await beat(groups.flat())
  const cpu = ((footprint(pid).cpuSeconds - before) / seconds) * 100
  say('after', pid)
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(share * times.length))]!
  console.log(
    `${times.length} heartbeats in ${seconds} s: p50 ${at(0.5).toFixed(2)} ms, p99 ${at(0.99).toFixed(2)} ms, ` +
      `p99.9 ${at(0.999).toFixed(2)} ms, max ${at(1).toFixed(2)} ms; ` +
      `${rejoined} rebalances seen; broker CPU ${cpu.toFixed(0)} % of a core`,
  )
  for (const connection of connections) connection.close()
} finally {
  await broker?.stop()
  await broker?.remove()
}
