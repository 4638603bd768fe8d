/**
 * How many replicas of a partition may lose data at the same time: one fewer than min.insync.replicas,
 * so says the promise of replication.md. A replica is whole again once it is in the ISR at a later
 * registration.
 */
import type { Invariants } from './invariants.ts'

/** Of a broker that goes on losing until `settle`. */
export const lastingLoss = 2n ** 62n

/** Keeps the faults of a run within the promise. */
export class LossBudget {
  readonly #invariants: Invariants
  /** By partition, then by broker id: the revision of the store at its last loss. */
  readonly #lost = new Map<string, Map<number, bigint>>()

  constructor(invariants: Invariants) {
    this.#invariants = invariants
  }

  /** Whether this broker may lose data now; if so it is taken to have lost it at `revision`. */
  take(brokerId: number, revision: bigint): boolean {
    const concerned = [...this.#invariants.truths()].filter(({ state }) =>
      state.replicas.includes(brokerId),
    )
    for (const { name, state } of concerned) {
      const others = [...(this.#lost.get(name) ?? [])].filter(
        ([id, lostAt]) =>
          id !== brokerId && !state.isr.some(([member, epoch]) => member === id && epoch > lostAt),
      )
      if (others.length + 1 > state.minIsr - 1) return false
      // min.insync.replicas may have been raised a moment ago: what is older is on fewer.
      const isWhole = (id: number) => id !== brokerId && !others.some(([other]) => other === id)
      if (![...state.isr, ...state.elr].some(([id]) => isWhole(id))) return false
    }
    for (const { name } of concerned) {
      const lost = this.#lost.get(name) ?? new Map<number, bigint>()
      this.#lost.set(name, lost.set(brokerId, revision))
    }
    return true
  }

  /** What was taken as lasting is over at `revision`. */
  settle(brokerId: number, revision: bigint): void {
    for (const lost of this.#lost.values()) {
      if (lost.get(brokerId) === lastingLoss) lost.set(brokerId, revision)
    }
  }
}
