/** On which connection the members of groups were last heard (ours: see `disconnected`). */

/** Someone who speaks over a connection. */
export interface Heard {
  readonly groupId: string
  readonly memberId: string
  /** Undefined: nowhere yet. Written here alone. */
  connection: number | undefined
}

const nobody: ReadonlySet<Heard> = new Set()

/** See above. Costs nothing while a member keeps to its connection. */
export class Connections {
  readonly #speakers = new Map<number, Set<Heard>>()

  hear(speaker: Heard, connection: number): void {
    if (speaker.connection === connection) return
    this.forget(speaker)
    speaker.connection = connection
    const speakers = this.#speakers.get(connection)
    if (speakers === undefined) this.#speakers.set(connection, new Set([speaker]))
    else speakers.add(speaker)
  }

  forget(speaker: Heard): void {
    if (speaker.connection === undefined) return
    const speakers = this.#speakers.get(speaker.connection)
    if (speakers?.delete(speaker) && speakers.size === 0) this.#speakers.delete(speaker.connection)
    speaker.connection = undefined
  }

  /** Who was last heard on it. */
  on(connection: number): ReadonlySet<Heard> {
    return this.#speakers.get(connection) ?? nobody
  }
}
