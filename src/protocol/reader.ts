/** A frame that is not what its message's declaration says: malformed, truncated or over-long. */
export class DecodeError extends Error {
  constructor(problem: string) {
    super(problem)
    this.name = 'DecodeError'
  }
}
