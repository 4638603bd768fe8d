/** What went wrong on the user's side of the terminal: one line that says what to do, exit code 1. */
export class Failure extends Error {
  override readonly name = 'Failure'
}

/**
 * The one line for an error that has a known cause outside this program; undefined for a bug, which
 * deserves its stack. Only names and codes are looked at, so that this file imports nothing.
 */
export function explain(error: unknown): string | undefined {
  // A message can quote what others named: nothing in it may move the cursor or change colours.
  return explanation(error)?.replace(/(?![\n\t])\p{Cc}/gu, '?')
}

function explanation(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const code = 'code' in error ? error.code : undefined
  switch (error.name) {
    case 'Failure':
    case 'ConfigError':
    case 'StoreDamagedError':
    case 'StoreUnavailableError':
      return error.message
    case 'DirectoryLockedError':
      return `${error.message}: stop that one, or give this one its own directory with --data`
    case 'KafkaError':
      return error.message
  }
  if (typeof code !== 'string' || !/^E[A-Z0-9]+$/u.test(code)) return undefined
  const remedy = remedies[code]
  return remedy === undefined ? error.message : `${error.message}: ${remedy}`
}

const remedies: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there; stop it, or choose another port with --port',
  EADDRNOTAVAIL: 'this machine does not have that address; choose one that it has with --host',
  ENOSPC: 'make room on that disk',
  ENOTDIR: 'choose another directory with --data',
}

/** Why a file could not be read, without its name. */
export function fileProblem(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EACCES') return 'permission denied'
  if (code === 'EISDIR') return 'it is a directory'
  return message
}
