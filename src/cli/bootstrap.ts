import { bootstrapAddresses } from '../client/bootstrap.ts'
import { type Address, type ClientError, Cluster } from '../client/cluster.ts'
import { ConnectionError } from '../client/connection.ts'
import { nodeIo } from '../io/node.ts'
import { Failure } from './failure.ts'

export interface BootstrapOptions {
  readonly bootstrap: string
}

/** Runs a command that talks to a cluster, and says what to do when none answers. */
export async function withCluster<Result>(
  { bootstrap }: BootstrapOptions,
  run: (cluster: Cluster) => Promise<Result>,
): Promise<Result> {
  const cluster = new Cluster(nodeIo(), { bootstrap: addresses(bootstrap), failFast: true })
  try {
    return await run(cluster)
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error
    const remedy =
      error.code === 'REFUSED'
        ? ': is it running? `ottla start` runs one here, --bootstrap names another'
        : ''
    throw new Failure(`${error.message}${remedy}`, { cause: error })
  } finally {
    cluster.close()
  }
}

/** The value, or the error thrown. */
export function orThrow<Result>(result: Result | ClientError): Result {
  if (result instanceof Error) throw result
  return result
}

/** Reads `host:port,…`; a port left out is 9092, `[::1]:9092` is an IPv6 address. */
export function addresses(list: string): readonly Address[] {
  try {
    return bootstrapAddresses(list)
  } catch (cause) {
    const how = 'write it as host:port, several with commas between'
    throw new Failure(`--bootstrap ${list}: ${how}`, { cause })
  }
}
