/**
 * One measurement of one client, in a process of its own: node --expose-gc child.mjs CLIENT JSON, see
 * run.ts. Prints a line of JSON with its figures. CLIENT is a file beside this one, which exports
 *
 *   producer({ bootstrap, oneByOne })                      → { sendOne(topic, value), sendMany(topic, values), close() }
 *   consumer({ bootstrap, topic, groupId, way, onMessages }) → { close() }, reading from the beginning
 *
 * `onMessages(count)` says that so many were handled; `way` is 'batches', the fastest way that the
 * client has, or 'messages', each on its own.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

const [client, json] = process.argv.slice(2)
const task = JSON.parse(json)
const recordsInSend = 1000
const sendsAtOnce = 8
const settleMs = 3000

const { producer: makeProducer, consumer: makeConsumer } = await import(`./${client}.mjs`)

function rssBytes() {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024
}

async function timed(work) {
  const cpu = process.cpuUsage()
  const fromMs = performance.now()
  await work()
  const ms = performance.now() - fromMs
  const { user, system } = process.cpuUsage(cpu)
  return { ms, cpuMs: (user + system) / 1000 }
}

async function single({ bootstrap, topic, bytes, records, warmUp }) {
  const producer = await makeProducer({ bootstrap, oneByOne: true })
  const value = Buffer.alloc(bytes, 'x')
  const times = new Float64Array(Math.max(warmUp, records))
  const send = async count => {
    for (let sent = 0; sent < count; sent++) {
      const fromMs = performance.now()
      await producer.sendOne(topic, value)
      times[sent] = performance.now() - fromMs
    }
  }
  await send(warmUp)
  const figures = await timed(() => send(records))
  await producer.close()
  const sorted = times.subarray(0, records).toSorted()
  const at = share => sorted[Math.ceil(records * share) - 1]
  return { ...figures, p50Ms: at(0.5), p99Ms: at(0.99), sent: warmUp + records }
}

async function batches({ bootstrap, topic, bytes, records, warmUp }) {
  const producer = await makeProducer({ bootstrap, oneByOne: false })
  const values = Array.from({ length: recordsInSend }, () => Buffer.alloc(bytes, 'x'))
  let sent = 0
  const send = async count => {
    let left = Math.ceil(count / recordsInSend)
    const sender = async () => {
      while (left-- > 0) {
        await producer.sendMany(topic, values)
        sent += recordsInSend
      }
    }
    await Promise.all(Array.from({ length: sendsAtOnce }, sender))
  }
  await send(warmUp)
  const figures = await timed(() => send(records))
  await producer.close()
  return { ...figures, sent }
}

/** From the first messages to the last: joining the group is not counted. */
async function consume({ bootstrap, topic, groupId, records, way }) {
  const all = Promise.withResolvers()
  let handled = 0
  let first = 0
  let fromMs = 0
  let cpu
  const onMessages = count => {
    handled += count
    if (fromMs === 0) {
      fromMs = performance.now()
      cpu = process.cpuUsage()
      first = handled
    }
    if (handled < records) return
    const { user, system } = process.cpuUsage(cpu)
    all.resolve({
      ms: performance.now() - fromMs,
      cpuMs: (user + system) / 1000,
      records: handled - first,
    })
  }
  const consumer = await makeConsumer({ bootstrap, topic, groupId, way, onMessages })
  const figures = await all.promise
  await consumer.close()
  return { ...figures, handled }
}

/** Consumers that have each read the topic to its end, in a group each, and wait. */
async function memory({ bootstrap, topic, groupId, records, consumers }) {
  const all = Promise.withResolvers()
  let waiting = consumers
  let handled = 0
  await Promise.all(
    Array.from({ length: consumers }, (_, index) => {
      let mine = 0
      const onMessages = count => {
        mine += count
        handled += count
        if (mine === records && --waiting === 0) all.resolve()
      }
      const own = { groupId: `${groupId}-${index}`, way: 'messages', onMessages }
      return makeConsumer({ bootstrap, topic, ...own })
    }),
  )
  await all.promise
  const figures = await timed(() => delay(settleMs))
  const rss = rssBytes()
  // What is in use, not what the collector has yet to find: V8's heap, and buffers beside it.
  globalThis.gc()
  globalThis.gc()
  const { heapUsed, external } = process.memoryUsage()
  return { ...figures, rss, heap: heapUsed + external, handled }
}

const works = { single, batches, consume, memory }
const figures = await works[task.work](task)
process.stdout.write(`${JSON.stringify(figures)}\n`)
process.exit()
