import type { Io, MetadataStore } from './io.ts'

/** Opens (or creates) the embedded metadata store in `directory`: replication.md §11. */
export async function openLocalStore(io: Io, directory: string): Promise<MetadataStore> {
  throw new Error(`not built yet ${io} ${directory}`)
}
