/** Who has the port that a start wanted: another broker can tell, and where its data is. */
import { Cluster } from '../client/cluster.ts'
import { parseBrokerConfig } from '../config/broker-config.ts'
import { nodeIo } from '../io/node.ts'
import {
  describeLogDirsRequest,
  describeLogDirsResponse,
} from '../protocol/messages/describe-log-dirs.ts'
import { Failure } from './failure.ts'
import { speak } from './probe.ts'

const patienceMs = 1000

/** What is known of the broker at an address; undefined when none answers there. */
export async function brokerAt(host: string, port: number): Promise<string | undefined> {
  if ((await speak(host, port, patienceMs)).kind !== 'kafka') return undefined
  const cluster = new Cluster(nodeIo(), { bootstrap: [{ host, port }], timeoutMs: patienceMs })
  try {
    const { results } = await cluster.call(describeLogDirsRequest, describeLogDirsResponse, {
      topics: [],
    })
    return `data in ${results.map(({ logDir }) => logDir).join(', ')}`
  } catch {
    // A broker that does not say is one all the same.
    return 'it does not say where its data is'
  } finally {
    cluster.close()
  }
}

/** A better explanation of a port in use; undefined when no broker has it. */
export async function neighbourOf(
  properties: ReadonlyMap<string, string>,
  cause: Error,
): Promise<Failure | undefined> {
  const listeners = parseBrokerConfig(properties).config?.listeners ?? []
  for (const { host, port } of listeners) {
    const isWildcard = host === '' || host === '0.0.0.0' || host === '::'
    const found = await brokerAt(isWildcard ? '127.0.0.1' : host, port)
    if (found === undefined) continue
    return new Failure(
      `cannot listen on ${host}:${port}: a broker runs there already (${found}): use that one, stop it, or choose another port with --port`,
      { cause },
    )
  }
  return undefined
}
