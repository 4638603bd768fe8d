/** How far moves of partitions are: what is still listed, and what has been copied. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster, TopicPartition } from '../client/cluster.ts'
import { replicaSizes } from '../client/log-dirs.ts'
import { Interrupt } from './interrupt.ts'
import { bytesText, Progress, plural } from './output.ts'
import { partitionKey } from './partition-offsets.ts'
import type { PlannedMove } from './reassign-plan.ts'
import { Sizes } from './sizes.ts'

const tickMs = 500

/** With neither a byte nor a partition in this time, something is broken that waiting does not mend. */
const stallMs = 600_000

/** Marks of a full bar. */
const barWidth = 20

/** A move, and what each replica that is added has to copy; null where that is not known. */
export interface CopiedMove extends PlannedMove {
  readonly bytes: number | null
}

/** A move, with what all replicas that are added have copied. */
export interface MoveRow extends CopiedMove {
  readonly copied: number | null
}

/** All of them end, the user is impatient, or nothing happens for ten minutes. */
export type MoveEnd = 'done' | 'interrupted' | 'stalled'

export class MoveProgress {
  readonly #cluster: Cluster
  readonly #moves: readonly CopiedMove[]
  readonly #list: () => Promise<readonly TopicPartition[]>
  readonly #total: number

  /** `list`: the moves under way in the whole cluster. */
  constructor(
    cluster: Cluster,
    moves: readonly CopiedMove[],
    list: () => Promise<readonly TopicPartition[]>,
  ) {
    this.#cluster = cluster
    this.#moves = moves
    this.#list = list
    this.#total = sum(moves.map(({ bytes, adding }) => (bytes ?? 0) * adding.length))
  }

  /** The moves with what was copied until now. */
  async rows(moves: readonly CopiedMove[] = this.#moves): Promise<MoveRow[]> {
    const brokerIds = [...new Set(moves.flatMap(({ adding }) => adding))]
    const sizes = new Sizes(await replicaSizes(this.#cluster, brokerIds, moves))
    return moves.map(each => {
      const copied = each.adding.map(id => sizes.ofReplica(id, each.topic, each.partition) ?? 0)
      return { ...each, copied: sum(copied.map(has => Math.min(has, each.bytes ?? has))) }
    })
  }

  /** Draws a bar on a terminal until none is left. */
  async wait(): Promise<MoveEnd> {
    const progress = new Progress()
    const interrupt = new Interrupt()
    let state = ''
    let changedMs = performance.now()
    try {
      for (;;) {
        const listed = new Set((await this.#list()).map(partitionKey))
        const left = this.#moves.filter(each => listed.has(partitionKey(each)))
        if (left.length === 0) return 'done'
        const rows = await this.rows(left)
        const open = sum(rows.map(each => (each.bytes ?? 0) * each.adding.length))
        const copied = this.#total - open + sum(rows.map(each => each.copied ?? 0))
        progress.show(() => this.#line(left.length, copied))
        if (state !== `${left.length} ${copied}`) changedMs = performance.now()
        if (performance.now() - changedMs > stallMs) return 'stalled'
        state = `${left.length} ${copied}`
        await Promise.race([delay(tickMs), interrupt.asked])
        if (interrupt.isAsked) return 'interrupted'
      }
    } finally {
      progress.clear()
      interrupt.close()
    }
  }

  #line(left: number, copied: number): string {
    const share = this.#total === 0 ? 0 : copied / this.#total
    const bar = '#'.repeat(Math.floor(share * barWidth)).padEnd(barWidth, '.')
    const percent = `${Math.floor(share * 100)} %`.padStart(5)
    const bytes = `${bytesText(copied)} of ${bytesText(this.#total)}`
    return `[${bar}] ${percent}  ${bytes}, ${plural(left, 'partition')} of ${this.#moves.length} to go`
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
