/** `ottla topics elect-leaders`. */
import { AdminCall } from '../client/admin/call.ts'
import { electLeaders as elect } from '../client/admin/reassignments.ts'
import { type BootstrapOptions, withCluster } from './bootstrap.ts'
import { Failure } from './failure.ts'
import { plural, print, printJson } from './output.ts'
import { throwIfUnknown } from './topics.ts'

/** What the command is asked to do. */
export interface ElectLeadersOptions extends BootstrapOptions {
  readonly unclean?: true
  readonly allTopics?: true
  readonly json?: true
}

const callMs = 30_000

/** Names none: all topics, where that loses nothing. */
export async function electLeaders(
  names: readonly string[],
  options: ElectLeadersOptions,
): Promise<void> {
  if (names.length > 0 && options.allTopics) throw new Failure('name topics or give --all-topics')
  if (options.unclean && names.length === 0 && !options.allTopics) {
    throw new Failure('--unclean may lose records: name the topics, or give --all-topics')
  }
  const outcomes = await withCluster(options, async cluster => {
    const topics = names.length === 0 ? [] : (await cluster.metadata(names)).topics
    for (const topic of topics) throwIfUnknown(topic)
    const partitions = topics.flatMap(({ name, partitions: own }) =>
      own.map(each => ({ topic: name!, partition: each.partitionIndex })),
    )
    const kind = options.unclean ? 'unclean' : 'preferred'
    return await elect(
      new AdminCall(cluster, callMs),
      kind,
      names.length === 0 ? undefined : partitions,
    )
  })
  const needed = outcomes.filter(({ error }) => error?.error !== 'ELECTION_NOT_NEEDED')
  const elected = needed.filter(({ error }) => error === undefined)
  for (const { topic, partition } of elected) {
    if (options.json) await printJson({ topic, partition })
    else await print(`Elected the leader of ${topic}-${partition}.\n`)
  }
  const refused = needed.filter(({ error }) => error !== undefined)
  if (needed.length === 0 && !options.json) {
    const why = options.unclean ? 'has a leader' : 'is led by the replica that it prefers'
    await print(`Nothing to do: every partition ${why}.\n`)
  }
  if (refused.length === 0) return
  const reasons = refused
    .slice(0, 5)
    .map(({ topic, partition, error }) => `${topic}-${partition}: ${error!.message}`)
  throw new Failure(`no leader for ${plural(refused.length, 'partition')}: ${reasons.join('; ')}`)
}
