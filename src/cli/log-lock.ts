/** A broker's files are looked at, and changed, only while it is stopped. */
import { DirectoryLockedError, type Disk } from '../io/io.ts'
import { whileLocked } from '../log/verify.ts'
import { Failure } from './failure.ts'

/** Runs with the lock of the data directory. Throws Failure while a broker holds it. */
export async function whileStopped<T>(
  disk: Disk,
  directory: string,
  run: () => Promise<T>,
): Promise<T> {
  try {
    return await whileLocked(disk, directory, run)
  } catch (error) {
    if (!(error instanceof DirectoryLockedError)) throw error
    throw new Failure(`${error.message}: stop that one first`, { cause: error })
  }
}
