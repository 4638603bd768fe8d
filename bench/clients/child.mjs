/**
 * One measurement of one client, in a process of its own: node child.mjs CLIENT JSON, see run.ts. Prints
 * a line of JSON with its figures. CLIENT is a file beside this one, which exports
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
  const send = async count => {
    for (let sent = 0; sent < count; sent++) await producer.sendOne(topic, value)
  }
  await send(warmUp)
  const figures = await timed(() => send(records))
  await producer.close()
  return figures
}

async function batches({ bootstrap, topic, bytes, records, warmUp }) {
  const producer = await makeProducer({ bootstrap, oneByOne: false })
  const values = Array.from({ length: recordsInSend }, () => Buffer.alloc(bytes, 'x'))
  const send = async count => {
    let left = Math.ceil(count / recordsInSend)
    const sender = async () => {
      while (left-- > 0) await producer.sendMany(topic, values)
    }
    await Promise.all(Array.from({ length: sendsAtOnce }, sender))
  }
  await send(warmUp)
  const figures = await timed(() => send(records))
  await producer.close()
  return figures
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
  return figures
}

/** Consumers that have each read the topic to its end, in a group each, and wait. */
async function memory({ bootstrap, topic, groupId, records, consumers }) {
  const all = Promise.withResolvers()
  let waiting = consumers
  await Promise.all(
    Array.from({ length: consumers }, (_, index) => {
      let handled = 0
      const onMessages = count => {
        handled += count
        if (handled === records && --waiting === 0) all.resolve()
      }
      const own = { groupId: `${groupId}-${index}`, way: 'messages', onMessages }
      return makeConsumer({ bootstrap, topic, ...own })
    }),
  )
  await all.promise
  const figures = await timed(() => delay(settleMs))
  return { ...figures, rss: rssBytes() }
}

const works = { single, batches, consume, memory }
const figures = await works[task.work](task)
const { maxRSS } = process.resourceUsage()
process.stdout.write(`${JSON.stringify({ rss: rssBytes(), maxRss: maxRSS * 1024, ...figures })}\n`)
process.exit()
