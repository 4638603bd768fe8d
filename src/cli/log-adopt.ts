/** `ottla log adopt DIRECTORY…`: a data directory of Apache Kafka becomes one of Ottla's. */
import { resolve } from 'node:path'
import { type Adoption, AdoptionRefused, adopt } from '../broker/adopt.ts'
import { DiskError } from '../io/io.ts'
import { nodeIo } from '../io/node.ts'
import { Failure, fileProblem } from './failure.ts'
import { whileStopped } from './log-lock.ts'
import { Progress, plural, print, printJson, table } from './output.ts'

/** Throws Failure when it cannot be adopted. */
export async function adoptCommand(
  paths: readonly string[],
  options: { readonly json?: true },
): Promise<void> {
  const directories = paths.map(path => resolve(path))
  const adoption = await adoptLocked(directories, directories)
  if (options.json) {
    await printJson({
      ...adoption,
      topics: adoption.topics.map(topic => ({
        ...topic,
        configs: Object.fromEntries(topic.configs),
      })),
    })
  } else await printAdoption(adoption, paths)
}

/** Takes one lock after the other. */
async function adoptLocked(
  directories: readonly string[],
  unlocked: readonly string[],
): Promise<Adoption> {
  const io = nodeIo()
  const [next, ...rest] = unlocked
  if (next !== undefined) {
    return await whileStopped(io.disk, next, () => adoptLocked(directories, rest))
  }
  const progress = new Progress()
  try {
    return await adopt(io, directories, (done, total) =>
      progress.show(() => `${done} of ${plural(total, 'partition')}`),
    )
  } catch (error) {
    if (error instanceof AdoptionRefused) throw new Failure(error.message, { cause: error })
    if (error instanceof DiskError && error.code === 'ENOENT') {
      throw new Failure(`cannot read ${directories.join(', ')}: ${fileProblem(error.cause)}`)
    }
    throw error
  } finally {
    progress.clear()
  }
}

async function printAdoption(adoption: Adoption, paths: readonly string[]): Promise<void> {
  const { topics, known, notes, clusterId, brokerId } = adoption
  if (topics.length > 0) {
    const rows = topics.map(({ name, topicId, partitions, configs }) => [
      ...[name, topicId, partitions],
      [...configs].map(([key, value]) => `${key}=${value}`).join(' '),
    ])
    const count = { title: 'partitions', align: 'right' } as const
    const columns = [{ title: 'topic' }, { title: 'id' }, count, { title: 'configs' }]
    await print(table(columns, rows))
  }
  for (const note of notes) await print(`note: ${note}\n`)
  if (known > 0) await print(`${plural(known, 'topic')} had been adopted before\n`)
  const what = `${plural(topics.length, 'topic')} of cluster ${clusterId}`
  const start = `ottla start --set log.dirs=${paths.join(',')} --set node.id=${brokerId}`
  await print(`Adopted ${what}; no file of Kafka's was changed. Now: ${start}\n`)
}
