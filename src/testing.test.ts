import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Cluster } from './client/cluster.ts'
import { nodeIo } from './io/node.ts'
import { type Broker, startBroker, withBroker } from './testing.ts'

const testing = JSON.stringify(new URL('testing.ts', import.meta.url).href)

interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly out: string
}

/** Runs a program in a process of its own, with a folder of its own for temporary files. */
async function run(
  context: TestContext,
  program: string,
  args: readonly string[] = [],
): Promise<Ended & { readonly left: readonly string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'ottla-test-'))
  context.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'program.test.ts')
  writeFileSync(file, program)
  const env = { ...process.env, TMPDIR: folder, TEMP: folder, TMP: folder }
  delete (env as NodeJS.ProcessEnv).NODE_TEST_CONTEXT
  const child = spawn(process.execPath, [...args, file], { env, timeout: 60_000 })
  let out = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', chunk => (out += chunk))
  }
  const [code, signal] = await once(child, 'close')
  const left = readdirSync(folder).filter(name => name.startsWith('ottla-temporary-'))
  return { code, signal, out, left }
}

test('a broker of a test is in memory, on a port of its own, and await using closes it', async () => {
  let port: number
  {
    await using broker = await startBroker({ topics: { orders: {} } })
    assert.deepEqual(broker.dataDirectories, ['memory'])
    port = broker.address.port
    assert.ok(port > 0)
  }
  const closed = new Cluster(nodeIo(), { bootstrap: [{ host: '127.0.0.1', port }], timeoutMs: 500 })
  await assert.rejects(closed.metadata([]))
  closed.close()
})

test('withBroker gives the result, and closes also when the work throws', async () => {
  const brokers: Broker[] = []
  const result = await withBroker({}, async broker => {
    brokers.push(broker)
    return broker.bootstrap
  })
  assert.equal(result, brokers[0]!.bootstrap)
  const failure = new Error('of the test')
  const failing = withBroker({}, async broker => {
    brokers.push(broker)
    throw failure
  })
  await assert.rejects(failing, failure)
  for (const broker of brokers) assert.equal(await broker.ended, undefined)
})

test('a test file that closes its broker ends by itself', async context => {
  const { code, out } = await run(
    context,
    `import { after, test } from 'node:test'
     import { startBroker } from ${testing}
     const broker = await startBroker({ storage: 'temporary', topics: { orders: {} } })
     after(() => broker.close())
     test('it has a port', () => { if (!(broker.address.port > 0)) throw new Error() })`,
    ['--test'],
  )
  assert.equal(code, 0, out)
  assert.match(out, /pass 1/)
})

test('one that forgets to close ends, too, and leaves no folder', async context => {
  for (const storage of ['memory', 'temporary']) {
    const { code, signal, out, left } = await run(
      context,
      `import { test } from 'node:test'
       import { startBroker } from ${testing}
       const options = { storage: '${storage}', topics: { orders: { partitions: 3 } } } as const
       const broker = await startBroker(options)
       test('it has a port', async () => { process.stdout.write((await startBroker(options)).bootstrap) })`,
    )
    assert.deepEqual([code, signal], [0, null], out)
    assert.match(out, /127\.0\.0\.1:\d+/)
    assert.deepEqual(left, [])
  }
})

test('the example of docs/testing.md runs', async context => {
  const page = readFileSync(new URL('../docs/testing.md', import.meta.url), 'utf8')
  const example = /```ts\n([\s\S]*?)```/.exec(page)![1]!
  const here = (file: string) => JSON.stringify(new URL(file, import.meta.url).href)
  const orders = `
    import { Cluster } from ${here('client/cluster.ts')}
    import { nodeIo } from ${here('io/node.ts')}
    import { buildBatch } from ${here('protocol/records/build.ts')}
    async function placeOrder(bootstrap: string, order: object): Promise<void> {
      const [host, port] = bootstrap.split(':')
      const cluster = new Cluster(nodeIo(), { bootstrap: [{ host: host!, port: Number(port) }] })
      const records = buildBatch({}, [{ value: JSON.stringify(order), timestamp: Date.now() }])
      await cluster.produce([{ topic: 'orders', partition: 1, records }], { acks: -1 })
      cluster.close()
    }`
  const program = example
    .replace("'ottla'", here('index.ts'))
    .replace("'ottla/testing'", here('testing.ts'))
    .replace("import { placeOrder } from './orders.ts'", orders)
  const { code, out } = await run(context, program, ['--test'])
  assert.equal(code, 0, out)
  assert.match(out, /pass 1/)
})

test('a broker that is not of a test keeps its process running', async context => {
  const { out, signal } = await run(
    context,
    `import { Broker } from ${testing}
     const broker = await Broker.start({ storage: 'memory' })
     process.on('beforeExit', () => process.stdout.write('would have ended'))
     // Only because the broker keeps the process running does this timer get its turn.
     setTimeout(() => { process.stdout.write('still there'); process.kill(process.pid, 'SIGTERM') }, 50).unref()`,
  )
  assert.equal(out, 'still there')
  assert.equal(signal, 'SIGTERM')
})
