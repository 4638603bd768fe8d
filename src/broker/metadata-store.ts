/**
 * The way to etcd at a start: credentials are read, and what does not answer is waited for, with a
 * word every few seconds. What a person has to correct ends the start at once.
 */
import { abortable } from '../client/abort.ts'
import { keys } from '../cluster/keys.ts'
import { ConfigError } from '../config/key.ts'
import type { MetadataStoreConfig } from '../config/metadata-store.ts'
import { type Io, type MetadataStore, StoreAccessError, StoreUnavailableError } from '../io/io.ts'
import { pause } from '../io/pause.ts'

/** So long a start waits for etcd. */
const patienceMs = 60_000

const retryMs = 1000
const reportEveryMs = 5000

/** Of a certificate, or a bundle of authorities. */
const maxPemBytes = 1024 * 1024

/** From these on a member that crashed does not come back with other content than the rest. */
const safeVersions = [
  [3, 4, 32],
  [3, 5, 14],
] as const

/**
 * Resolves when etcd answered. Throws ConfigError (a file cannot be read) and StoreUnavailableError
 * (no answer for a minute, or none that lets us in); the reason of the signal, at once.
 */
export async function openEtcd(
  io: Io,
  config: MetadataStoreConfig,
  sessionTimeoutMs: number,
  {
    waitMs = patienceMs,
    signal,
  }: { readonly waitMs?: number; readonly signal?: AbortSignal | undefined } = {},
): Promise<MetadataStore> {
  const { endpoints, namespace, credentials } = config
  const tls = config.isEncrypted ? await readTls(io, config) : undefined
  const { EtcdStore } = await import('../io/etcd.ts')
  const store = new EtcdStore(io, {
    ...{ endpoints, namespace, sessionTimeoutMs },
    ...(tls && { tls }),
    ...(credentials && { credentials }),
  })
  try {
    await abortable(answering(io, store, waitMs, signal), signal)
    const known = await store.version().catch(() => undefined)
    if (known !== undefined && known.memberCount > 1) warnOfOld(io, known.versions)
    return store
  } catch (error) {
    await store.close()
    throw error
  }
}

async function answering(
  io: Io,
  store: MetadataStore,
  waitMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const startMs = io.clock.monotonicMs()
  let toldMs = Number.NEGATIVE_INFINITY
  for (;;) {
    try {
      await store.get({ key: keys.cluster })
      return
    } catch (error) {
      const isPassing =
        error instanceof StoreUnavailableError && !(error instanceof StoreAccessError)
      if (!isPassing || signal?.aborted) throw error
      const { message } = error
      const nowMs = io.clock.monotonicMs()
      if (nowMs - startMs >= waitMs) {
        throw new StoreUnavailableError(
          `${message}. Tried for ${Math.round(waitMs / 1000)} s: start etcd, or correct metadata.store`,
          { cause: error },
        )
      }
      if (nowMs - toldMs >= reportEveryMs) {
        toldMs = nowMs
        io.report.warn({ error: message }, 'waiting for the metadata store')
      }
      await pause(io.clock, retryMs, signal)
    }
  }
}

async function readTls(io: Io, { caFile, certificateFile, keyFile }: MetadataStoreConfig) {
  const [ca, certificate, key] = await Promise.all([
    readPem(io, caFile),
    readPem(io, certificateFile),
    readPem(io, keyFile),
  ])
  return {
    ...(ca !== undefined && { ca }),
    ...(certificate !== undefined && { certificate }),
    ...(key !== undefined && { key }),
  }
}

async function readPem({ disk }: Io, file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined
  const bytes = await disk.readFile(file, maxPemBytes).catch((cause: Error) => {
    throw new ConfigError(`cannot read ${file}: ${cause.message}`, { cause })
  })
  if (bytes === undefined) throw new ConfigError(`cannot read ${file}: there is no such file`)
  const text = new TextDecoder().decode(bytes)
  if (!text.includes('-----BEGIN ')) {
    throw new ConfigError(`${file} is no PEM file: it has no line -----BEGIN …-----`)
  }
  return text
}

/** Members of older ones can differ for good after a crash: replication.md §2. */
function warnOfOld(io: Io, versions: readonly string[]): void {
  const old = versions.filter(version => !isSafe(version))
  if (old.length === 0) return
  io.report.warn(
    { versions: [...new Set(old)].join(', ') },
    'members of this etcd may differ from one another for good after a crash: use 3.4.32, 3.5.14 or a later one',
  )
}

function isSafe(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split(/[.-]/).map(Number)
  const line = safeVersions.find(([first, second]) => first === major && second === minor)
  return line === undefined ? major > 3 || (major === 3 && minor > 5) : patch >= line[2]
}
