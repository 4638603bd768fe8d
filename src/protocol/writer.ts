/** A value that its message cannot carry in that version: a fault of the caller, never the peer's. */
export class EncodeError extends Error {
  constructor(problem: string) {
    super(problem)
    this.name = 'EncodeError'
  }
}
