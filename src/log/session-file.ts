/**
 * `ottla-session` of a data directory: how the last run of a broker on it stands. Replication.md §5
 * says what is concluded from it; it is the proof that a restarted broker lost nothing.
 */

export const sessionFileName = 'ottla-session'

export interface Session {
  readonly directoryId: string
  /** All directories of the broker, this one included. */
  readonly directoryIds: readonly string[]
  /** Directories of earlier runs that were not there, though partitions may lie in them. */
  readonly missingIds?: readonly string[]
  /** Inode of `.lock`: a copy or a restored backup has another one. */
  readonly lockInode: number
  readonly brokerEpoch: bigint
  /** Undefined where the platform has none. */
  readonly bootId: string | undefined
  /** Stopped in order, everything synced. */
  readonly clean: boolean
  /** Every log has synced each write before it was acknowledged. */
  readonly allSync: boolean
  /** Something acknowledged may be gone: damage was found, or the disk failed. */
  readonly lossy: boolean
}

export function formatSession(session: Session): Uint8Array {
  const { brokerEpoch, ...rest } = session
  const json = JSON.stringify({ ...rest, brokerEpoch: brokerEpoch.toString() }, null, 2)
  return new TextEncoder().encode(json + '\n')
}

/** Undefined when it is not a session that we wrote. */
export function parseSession(bytes: Uint8Array): Session | undefined {
  let json: Record<string, unknown>
  try {
    json = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    return undefined
  }
  if (typeof json !== 'object' || json === null) return undefined
  const { directoryId, directoryIds, missingIds, lockInode } = json
  const { brokerEpoch, bootId, clean, allSync, lossy } = json
  const isSession =
    typeof directoryId === 'string' &&
    Array.isArray(directoryIds) &&
    (missingIds === undefined || Array.isArray(missingIds)) &&
    typeof lockInode === 'number' &&
    typeof brokerEpoch === 'string' &&
    /^\d{1,19}$/.test(brokerEpoch) &&
    (bootId === undefined || typeof bootId === 'string') &&
    [clean, allSync, lossy].every(flag => typeof flag === 'boolean')
  if (!isSession) return undefined
  return {
    directoryId,
    directoryIds: directoryIds.map(String),
    missingIds: (missingIds ?? []).map(String),
    lockInode,
    brokerEpoch: BigInt(brokerEpoch),
    bootId,
    clean: clean === true,
    allSync: allSync === true,
    lossy: lossy === true,
  }
}
