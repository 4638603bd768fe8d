/**
 * A partition's folder and its topic id.
 *
 * It is made without a sync: thousands may be made, and one that was never written to may be made
 * again after a power loss. `settleFolder`, before the first record is written, makes it outlive that;
 * so a folder without a topic id and without records stands for nothing.
 */
import type { Disk } from '../io/io.ts'
import { formatProperties } from './checkpoint-file.ts'
import type { DirectorySync } from './directory-sync.ts'
import { logSuffix, partitionMetadataName } from './file-names.ts'

/** One that is left of an earlier attempt is taken. */
export async function makeFolder(disk: Disk, folder: string, topicId: string): Promise<void> {
  const metadata = formatProperties(
    [
      ['version', '0'],
      ['topic_id', topicId],
    ],
    ': ',
  )
  await disk.makeDirectory(folder)
  const file = await disk.open(`${folder}/${partitionMetadataName}`, { create: true })
  try {
    await file.truncate(0)
    await file.write([metadata], 0)
  } finally {
    await file.close()
  }
}

/** Takes back what `makeFolder` made, as far as it came; false: not, for it may hold records. */
export async function unmakeFolder(disk: Disk, folder: string): Promise<boolean> {
  try {
    if ((await disk.stat(folder)) === undefined) return true
    if (await hasRecords(disk, folder)) return false
    await disk.remove(folder)
    return true
  } catch {
    return true // What is left of it is taken by the next try.
  }
}

/** The topic id and both names are on the disk. `names` are those of the directory. */
export async function settleFolder(
  disk: Disk,
  folder: string,
  names: DirectorySync,
): Promise<void> {
  const file = await disk.open(`${folder}/${partitionMetadataName}`)
  try {
    await file.sync()
  } finally {
    await file.close()
  }
  await disk.syncDirectory(folder)
  await names.sync()
}

export async function hasRecords(disk: Disk, folder: string): Promise<boolean> {
  return (await disk.list(folder)).some(({ name }) => name.endsWith(logSuffix))
}
