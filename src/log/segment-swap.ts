/**
 * How one segment takes the place of several, so that a crash leaves the old ones or the new one.
 *
 *     X.log.cleaned          is written and synced; a start removes it
 *     X.log.swap             from here on the new one counts: a start finishes what follows
 *     *.log → *.log.deleted  the old ones; the folder is synced before the new one takes the name,
 *     X.log.swap → X.log     else a power loss could leave the new one beside some of the old
 *
 * The indexes go the same way, before the log: without them it is still whole. The last batch of a
 * segment that compaction makes reaches to its end, so a start knows from the file which others it
 * stands for.
 */

import {
  corruptSuffix,
  logSuffix,
  offsetIndexSuffix,
  offsetOfName,
  timeIndexSuffix,
  transactionIndexSuffix,
} from './file-names.ts'
import type { SharedStorage } from './log-host.ts'
import { Segment } from './segment.ts'

/** Of files that are being written. */
export const cleanedSuffix = '.cleaned'
/** Of files that count, and wait for their places. */
export const swapSuffix = '.swap'

/** The same sealed segment under the names that end with `suffix`. */
export function sealedSegment(
  shared: SharedStorage,
  folder: string,
  { baseOffset, size, createdMs }: Segment,
  suffix: string,
): Segment {
  const segment = new Segment(shared, folder, baseOffset, false, { suffix, createdMs })
  segment.size = size
  segment.plannedSize = size
  segment.isSealed = true
  return segment
}

/** Renames the files of one to those of the other, the log last; nobody reads them meanwhile. */
export async function renameFiles({ files, io }: SharedStorage, from: Segment, to: Segment) {
  const targets = to.paths
  for (const [index, path] of [...from.paths.entries()].reverse()) {
    await io.disk.rename(path, targets[index]!)
    // Somebody who still thought of the old segment may have opened a file of that name.
    await files.close(targets[index]!)
  }
}

/** At the start of a log: finishes or takes back what a crash interrupted. `names` are its files. */
export async function finishSwaps(
  shared: SharedStorage,
  folder: string,
  names: readonly string[],
  indexIntervalBytes: number,
): Promise<void> {
  const { disk } = shared.io
  for (const name of names) {
    const baseOffset = offsetOfName(name, logSuffix + swapSuffix)
    if (baseOffset !== undefined) {
      await finishSwap(shared, { folder, names, baseOffset, indexIntervalBytes })
    }
  }
  for (const name of names) {
    if (name.endsWith(cleanedSuffix) || name.endsWith(swapSuffix)) {
      await disk.remove(`${folder}/${name}`)
    }
  }
  await disk.syncDirectory(folder)
}

/** Whether these files are left of a swap, or of what was to be one. */
export function hasSwaps(names: readonly string[]): boolean {
  return names.some(name => name.endsWith(cleanedSuffix) || name.endsWith(swapSuffix))
}

async function finishSwap(
  shared: SharedStorage,
  {
    folder,
    names,
    baseOffset,
    indexIntervalBytes,
  }: {
    readonly folder: string
    readonly names: readonly string[]
    readonly baseOffset: number
    readonly indexIntervalBytes: number
  },
): Promise<void> {
  const { disk, report } = shared.io
  const swap = new Segment(shared, folder, baseOffset, false, { suffix: swapSuffix })
  const taken = new Segment(shared, folder, baseOffset, false)
  const endOffset = await swap.loadActive(indexIntervalBytes)
  if (endOffset === undefined && names.includes(nameOf(taken.logPath))) {
    // It was synced before it got its name: what damaged it came later. The old ones may be whole.
    report.error({ file: swap.logPath }, 'a compacted segment is damaged; the old ones are kept')
    await swap.release()
    await disk.rename(swap.logPath, swap.logPath + corruptSuffix)
    return
  }
  await swap.seal()
  await swap.sync()
  await swap.release()
  for (const name of names) {
    const base = baseOf(name)
    if (base !== undefined && base >= baseOffset && base < (endOffset ?? 0)) {
      await disk.remove(`${folder}/${name}`)
    }
  }
  await disk.syncDirectory(folder)
  // Of a swap that Kafka began.
  const transactionIndex = swap.transactionIndexPath
  if (names.includes(nameOf(transactionIndex))) {
    await disk.rename(transactionIndex, taken.transactionIndexPath)
  }
  await renameFiles(shared, swap, taken)
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** The base offset in the name of a file of a segment that is in its place. */
function baseOf(name: string): number | undefined {
  for (const suffix of [logSuffix, offsetIndexSuffix, timeIndexSuffix, transactionIndexSuffix]) {
    const base = offsetOfName(name, suffix)
    if (base !== undefined) return base
  }
  return undefined
}
