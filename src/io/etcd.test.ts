import { describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { etcdMissing, LiveEtcd } from '../../test/live-etcd.ts'
import { EtcdStore } from './etcd.ts'
import { nodeIo } from './node.ts'
import { storeBehaviours } from './store-conformance.ts'

const skip = etcdMissing() ?? false
const io = nodeIo({ report: { info() {}, warn() {}, error() {} } })

function storeOf({ endpoints }: LiveEtcd, options: { namespace?: string } = {}): EtcdStore {
  return new EtcdStore(io, { endpoints, namespace: '', sessionTimeoutMs: 9000, ...options })
}

// Each has an etcd of its own, and most of the time waits.
describe('etcd', { concurrency: 4 }, () => {
  for (const { name, check } of storeBehaviours) {
    test(name, { skip }, async () => {
      const etcd = await LiveEtcd.start()
      const stores: EtcdStore[] = []
      const another = () => {
        const store = storeOf(etcd, { namespace: '/here' })
        stores.push(store)
        return store
      }
      try {
        await check({ store: another(), another, sleep: ms => delay(ms) })
      } finally {
        for (const store of stores) await store.close()
        await etcd.remove()
      }
    })
  }
})
