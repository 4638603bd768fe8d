/** The programs in examples/: each is short, has the types it should, and does what it says. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Broker, startBroker } from '../src/testing.ts'

const root = join(import.meta.dirname, '..')
const examples = join(root, 'examples')
const patienceMs = 30_000

function start(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, ...env },
    timeout: patienceMs,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

/** What it prints until it ends, which must be well; `onLines` sees what there is so far. */
async function output(child: ChildProcess, onLines?: (lines: string[]) => void): Promise<string[]> {
  let text = ''
  const ended = new Promise(resolve => child.once('close', resolve))
  child.stdout!.setEncoding('utf8').on('data', chunk => {
    text += chunk
    onLines?.(text.split('\n').slice(0, -1))
  })
  assert.equal(await ended, 0, text)
  return text.split('\n').slice(0, -1)
}

function example(name: string, broker?: Broker): ChildProcess {
  const env: Record<string, string> = broker === undefined ? {} : { BOOTSTRAP: broker.bootstrap }
  return start(['--import', './examples/from-source.ts', join('examples', name)], env)
}

test('an example has at most 30 lines', () => {
  for (const file of readdirSync(examples).filter(name => name.endsWith('.ts'))) {
    const lines = readFileSync(join(examples, file), 'utf8').trimEnd().split('\n')
    assert.ok(lines.length <= 30, `examples/${file} has ${lines.length}`)
  }
})

test('the types of the examples are right', async () => {
  const compiler = 'node_modules/typescript/bin/tsc'
  assert.deepEqual(await output(start([compiler, '--noEmit', '--project', 'examples'])), [])
})

test('admin, producer and consumer work together', async () => {
  await using broker = await startBroker()

  assert.deepEqual(await output(example('admin.ts', broker)), [
    'orders is made',
    ...[0, 1, 2].map(partition => `partition ${partition}: 0 orders, 0 not billed yet`),
  ])

  const sent = await output(example('producer.ts', broker))
  assert.match(sent[0]!, /^order 1 is at offset 0 of partition [012]$/)
  assert.deepEqual(sent.slice(1), ['2 more are stored'])

  const consumer = example('consumer.ts', broker)
  const read = await output(consumer, lines => lines.length === 3 && consumer.kill('SIGINT'))
  assert.deepEqual(read.slice(0, 3).sort(), [
    'bill ada 40 € for order 1',
    'bill ada 7 € for order 3',
    'bill grace 12 € for order 2',
  ])
  assert.deepEqual(read.slice(3), ['closed: offsets are committed, others have the partitions'])

  const [again, ...behind] = await output(example('admin.ts', broker))
  assert.match(again!, /^orders: .*exists/)
  assert.deepEqual(
    behind.map(line => line.replace(/.* orders, /, '')),
    Array(3).fill('0 not billed yet'),
  )
})

test('a broker, a producer and a consumer live in one process', async () => {
  const lines = await output(example('broker.ts'))
  assert.match(lines[0]!, /^any Kafka client finds the broker at 127\.0\.0\.1:\d+$/)
  assert.deepEqual(lines.slice(1), ['hello'])
})

test('a test has a broker of its own', async () => {
  const lines = await output(example('in-test.test.ts'))
  assert.match(lines[0]!, /^✔ an order that is placed is told to everyone/)
})
