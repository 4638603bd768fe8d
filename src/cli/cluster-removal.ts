/** `ottla cluster remove-broker`: a broker is gone, and does not come back. */
import { AdminCall } from '../client/admin/call.ts'
import { unregisterBroker } from '../client/admin/reassignments.ts'
import { type BootstrapOptions, withCluster } from './bootstrap.ts'
import { Failure } from './failure.ts'
import { print, printJson } from './output.ts'

/** What the command is asked to do. */
export interface RemoveBrokerOptions extends BootstrapOptions {
  readonly json?: true
}

const callMs = 30_000

/** Throws Failure while the broker runs (Kafka would forget it all the same), KafkaError for a replica. */
export async function removeBroker(brokerId: number, options: RemoveBrokerOptions): Promise<void> {
  await withCluster(options, async cluster => {
    const { brokers } = await cluster.metadata([])
    if (brokers.some(({ nodeId }) => nodeId === brokerId)) {
      throw new Failure(`broker ${brokerId} is running: stop it first`)
    }
    await unregisterBroker(new AdminCall(cluster, callMs), brokerId)
  })
  if (options.json) await printJson({ brokerId })
  else await print(`Broker ${brokerId} belongs to the cluster no more.\n`)
}
