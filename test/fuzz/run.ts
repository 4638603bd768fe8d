/**
 * Hostile frames against a live broker: npm run fuzz -- --seconds N [--seed S]
 *
 * Several connections at a time send requests that are well formed but odd (values.ts), damaged
 * (mutate.ts), or no requests at all; after each burst a fresh connection asks ApiVersions and
 * Metadata, which has to be answered. The process must not die, its memory must stay bounded, and
 * its log must show no exception that nobody foresaw. Exit code 1 if one of these fails.
 *
 * The frames that a seed and a worker's number give are always the same; what they meet is not.
 */
import { writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { apiVersionsRequest } from '../../src/protocol/messages/api-versions.ts'
import { metadataRequest } from '../../src/protocol/messages/metadata.ts'
import type { Message } from '../../src/protocol/schema.ts'
import * as protocol from '../../src/protocol.ts'
import { EncodeError, encodeRequest } from '../../src/protocol.ts'
import { apis } from '../../src/server/apis.ts'
import { Prng } from '../../src/sim/random.ts'
import { LiveBroker } from '../live-broker.ts'
import { mutate } from './mutate.ts'
import { pick, structValue } from './values.ts'

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    /** More resident memory than this is a failure. */
    'max-rss-mib': { type: 'string', default: '768' },
  },
})
const seconds = Number(options.seconds)
const maxRssBytes = Number(options['max-rss-mib']) * 1024 * 1024
const workers = 4
const answerDeadlineMs = 10_000
/** How long a burst may be answered before its connection is dropped. */
const burstMs = 20
const framesKept = 40

const served = apis.map(api => api.request)
const others = (Object.values(protocol) as unknown[])
  .filter(isRequest)
  .filter(({ apiKey }) => !served.some(request => request.apiKey === apiKey))

function isRequest(value: unknown): value is Message {
  const { type, apiKey } = value as Partial<Message>
  return type === 'request' && apiKey !== undefined
}

const counts = { bursts: 0, frames: 0, damaged: 0, answers: 0, closed: 0, checks: 0 }
const lastFrames: string[] = []
let failure: string | undefined

function fail(why: string): void {
  failure ??= why
}

/** One request of a version that exists, with its size in front, or undefined. */
function wellFormed(random: Prng): Buffer | undefined {
  const request = random.chance(0.9) ? pick(random, served) : pick(random, others)
  const { first, last } = request.versions
  const version = first + random.below(last - first + 1)
  const value = structValue(random, request.fields, version)
  try {
    const clientId = random.chance(0.9) ? 'fuzz' : null
    return Buffer.concat(encodeRequest(request, version, random.u32() | 0, clientId, value))
  } catch (error) {
    // A random value that the version cannot carry: there is no such frame.
    if (error instanceof EncodeError) return undefined
    throw error
  }
}

function sized(body: Uint8Array, size = body.length): Buffer {
  const head = Buffer.alloc(4)
  head.writeInt32BE(size)
  return Buffer.concat([head, body])
}

/** A frame, mostly with a size that is right, so that what follows is understood. */
function frame(random: Prng, damageable: boolean): Buffer {
  const whole = wellFormed(random)
  if (whole === undefined) return damageable ? sized(random.bytes(random.below(100))) : plainFrame
  if (!damageable || random.chance(0.4)) return whole
  counts.damaged++
  const body = mutate(random, whole.subarray(4))
  if (random.chance(0.9)) return sized(body)
  return sized(body, pick(random, [-1, 0, 1, body.length + 100, 104857601, 2147483647, 90_000_000]))
}

/** Sends a burst on a connection of its own and takes what comes, for a moment. */
function sendBurst(random: Prng, port: number): Promise<void> {
  const damageable = random.chance(0.5)
  const frames = Array.from({ length: 1 + random.below(5) }, () => frame(random, damageable))
  counts.bursts++
  counts.frames += frames.length
  lastFrames.push(...frames.map(bytes => bytes.toString('base64')))
  lastFrames.splice(0, lastFrames.length - framesKept)
  const isReset = random.chance(0.2)
  const bytes = Buffer.concat(frames)
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    const timer = setTimeout(() => (isReset ? socket.resetAndDestroy() : socket.destroy()), burstMs)
    socket.once('connect', () => socket.write(bytes))
    socket.on('data', () => counts.answers++)
    socket.on('end', () => counts.closed++)
    socket.on('error', () => {}) // a reset is one way to refuse a frame
    socket.once('close', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}

/** Resolves with the first whole frame that comes, without its size. */
function answerOf(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0)
    socket.on('data', chunk => {
      received = Buffer.concat([received, chunk])
      if (received.length < 4 || received.length < 4 + received.readInt32BE(0)) return
      socket.removeAllListeners('data')
      resolve(received.subarray(4))
    })
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('closed without an answer')))
  })
}

/** A fresh connection is served: ApiVersions, then Metadata. Throws when it is not. */
async function checkServes(port: number): Promise<void> {
  counts.checks++
  const socket = connect(port, '127.0.0.1')
  const timer = setTimeout(
    () => socket.destroy(new Error(`no answer within ${answerDeadlineMs} ms`)),
    answerDeadlineMs,
  )
  try {
    for (const [correlationId, bytes] of checkRequests) {
      const answer = answerOf(socket)
      socket.write(bytes)
      const got = (await answer).readInt32BE(0)
      if (got !== correlationId) throw new Error(`answer to ${got}, not to ${correlationId}`)
    }
  } finally {
    clearTimeout(timer)
    socket.on('error', () => {})
    socket.destroy()
  }
}

const clientSoftware = { clientSoftwareName: 'fuzz', clientSoftwareVersion: '1' }
const checkRequests: readonly (readonly [number, Buffer])[] = [
  [7, Buffer.concat(encodeRequest(apiVersionsRequest, 3, 7, 'check', clientSoftware))],
  [8, Buffer.concat(encodeRequest(metadataRequest, 12, 8, 'check', { topics: [] }))],
]

const plainFrame = checkRequests[1]?.[1] ?? Buffer.alloc(0)

async function work(broker: LiveBroker, number: number, endAtMs: number): Promise<void> {
  const random = new Prng(BigInt(seed), `worker ${number}`)
  while (failure === undefined && performance.now() < endAtMs) {
    await sendBurst(random, broker.port)
    try {
      await checkServes(broker.port)
    } catch (error) {
      fail(`a well-formed request is not served: ${(error as Error).message}`)
    }
    if (broker.died !== undefined) fail(broker.died)
  }
}

function figures(broker: LiveBroker, peakRss: number, startedAt: number): string {
  const { bursts, frames, damaged, answers, closed, checks } = counts
  const mib = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(0)} MiB`
  const now = broker.died === undefined ? mib(broker.rssBytes()) : 'gone'
  return (
    `${((performance.now() - startedAt) / 1000).toFixed(0)} s: ${frames} frames in ${bursts} ` +
    `connections, ${damaged} damaged; ${answers} answers, ${closed} closed by the broker; ` +
    `${checks} checks served; memory ${now}, at most ${mib(peakRss)}`
  )
}

const seed = Number(options.seed)
if (!Number.isInteger(seed) || !(seconds > 0)) {
  throw new Error('usage: npm run fuzz -- --seconds N [--seed S]')
}
console.log(`fuzz: ${seconds} s, seed ${seed}`)
const broker = await LiveBroker.start({ settings: { 'log.retention.bytes': '20000000' } })
const startedAt = performance.now()
const endAtMs = startedAt + seconds * 1000
let peakRss = broker.rssBytes()
const working = Promise.all(Array.from({ length: workers }, (_, i) => work(broker, i, endAtMs)))
let reportAt = startedAt + 10_000
while (failure === undefined && performance.now() < endAtMs) {
  await delay(250)
  if (broker.died === undefined) peakRss = Math.max(peakRss, broker.rssBytes())
  if (peakRss > maxRssBytes) fail(`memory went over ${options['max-rss-mib']} MiB`)
  if (performance.now() >= reportAt) {
    reportAt += 10_000
    console.log(`  ${figures(broker, peakRss, startedAt)}`)
  }
}
await working
console.log(`fuzz: ${figures(broker, peakRss, startedAt)}`)
const kinds = broker.surprises()
if (kinds.length > 0) fail(`${kinds.length} kinds of exceptions in the log that nobody foresaw`)
if (failure === undefined) await broker.stop().catch((error: Error) => fail(error.message))
if (failure !== undefined) {
  const kept = join(tmpdir(), `ottla-fuzz-${seed}.json`)
  writeFileSync(
    kept,
    JSON.stringify({ seed, failure, lastFrames, log: broker.logTail(500) }, null, 1),
  )
  for (const line of kinds) console.log(`  ${line.slice(0, 1200)}`)
  if (kinds.length === 0) console.log(`The broker's last words:\n${broker.logTail()}`)
  console.log(`fuzz: FAILED (seed ${seed}): ${failure}; the last frames and the log: ${kept}`)
}
await broker.remove()
console.log(failure === undefined ? 'fuzz: 1 passed, 0 failed' : 'fuzz: 0 passed, 1 failed')
process.exitCode = failure === undefined ? 0 : 1
