/** What went wrong on the user's side of the terminal: one line that says what to do, exit code 1. */
export class Failure extends Error {
  override readonly name = 'Failure'
}

/**
 * The one line for an error that has a known cause outside this program; undefined for a bug, which
 * deserves its stack. Only names and codes are looked at, so that this file imports nothing.
 */
export function explain(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const code = 'code' in error ? error.code : undefined
  switch (error.name) {
    case 'Failure':
    case 'ConfigError':
    case 'StoreUnavailableError':
      return error.message
    case 'DirectoryLockedError':
      return `${error.message}: stop that one, or give this one its own directory with --data`
    case 'KafkaError':
      return error.message
  }
  if (typeof code === 'string' && /^E[A-Z0-9]+$/u.test(code)) return error.message
  return undefined
}
