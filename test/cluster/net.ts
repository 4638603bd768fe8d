/**
 * Where the processes of a cluster run, and what lies between them. A *place* is a network namespace
 * of its own (namespaces.ts) or, where those cannot be made, a name for processes on loopback that
 * meet through proxies (loopback.ts).
 */

export interface Place {
  readonly name: string
  /** What a process there binds to. */
  readonly host: string
  /** Words before a command that is to run there. */
  readonly within: readonly string[]
}

export interface Net {
  /** The place of that name, made when it is new. */
  place(name: string): Place
  /** The address, `host:port`, by which other places reach what listens on `address` in `place`. */
  front(place: Place, address: string): Promise<string>
  /** That process, and so each of its connections, belongs to `place`. */
  claim(place: Place, pid: number): void
  /** From now on nothing passes between the two, either way; nobody is told. */
  cut(a: Place, b: Place): void
  /** Ends all cuts. */
  heal(): void
  close(): Promise<void>
}
