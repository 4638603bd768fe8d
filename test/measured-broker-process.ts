/** The process of a MeasuredBroker: node --expose-gc test/measured-broker-process.ts DIRECTORY */
import { readdirSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { Broker } from '../src/broker/broker.ts'
import type { Usage } from './measured-broker.ts'

const broker = await Broker.start({ dataDirectory: process.argv[2]!, port: 0 })
process.send!(broker.bootstrap)

process.on('message', what => {
  if (what === 'usage') void usage().then(answer => process.send!(answer))
  else void broker.close().then(() => process.disconnect())
})

async function usage(): Promise<Usage> {
  const { user, system } = process.cpuUsage()
  for (let round = 0; round < 4; round++) {
    globalThis.gc!()
    await delay(10)
  }
  const { heapUsed, external, rss } = process.memoryUsage()
  const timers = process.getActiveResourcesInfo().filter(kind => kind === 'Timeout')
  return {
    heapBytes: heapUsed + external,
    rssBytes: rss,
    openFiles: readdirSync('/proc/self/fd').length,
    timers: timers.length,
    cpuMs: (user + system) / 1000,
  }
}
