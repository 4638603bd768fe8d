/** The first minute: what a person sees who starts a broker, a second one, or nothing at all. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { brokerProcess, directory, localBroker, ottla } from './command.ts'

const bin = join(import.meta.dirname, '..', 'src', 'bin.js')

test('a pipe gets JSON, one object a line; a level leaves lines out', async () => {
  const [loud, quiet] = await Promise.all([
    brokerProcess(),
    brokerProcess('--log-level', 'error', '--set', 'compression.lz4.level=3'),
  ])
  connect(loud.port, '127.0.0.1').end('GET / HTTP/1.1\r\n\r\n').resume()
  await loud.said(/^\{.*"reason":"this is HTTP, not Kafka: .*"level":"warn".*\}$/m)
  await Promise.all([loud.stop(), quiet.stop()])
  const lines = quiet.banner.split('\n').filter(line => line.startsWith('{'))
  assert.deepEqual(lines, [])
})

test('Ctrl-C says that it stops, and the broker ends with code 0', async () => {
  const broker = await brokerProcess()
  const code = broker.stop('SIGINT')
  await broker.said(/Stopping: finishing what was accepted \(Ctrl-C again stops at once\)/)
  assert.equal(await code, 0)
})

test('a broker in memory says so, and touches no file', async () => {
  const before = readdirSync(directory)
  const broker = await brokerProcess()
  const bootstrap = `127.0.0.1:${broker.port}`
  assert.match(broker.banner, /^ +data +in memory, until it stops$/m)
  assert.equal((await ottla(['produce', 'orders', '-b', bootstrap], 'hello\n')).code, 0)
  assert.equal((await ottla(['consume', 'orders', '-e', '-b', bootstrap])).out, 'hello\n')
  assert.equal(await broker.stop(), 0)
  assert.deepEqual(readdirSync(directory), before)
})

test('a stop that comes before the broker is up ends it cleanly, too', async () => {
  const data = join(directory, 'early')
  const child = spawn(process.execPath, [bin, 'start', '--port', '0', '--data', data])
  const closed = once(child, 'close')
  while (!existsSync(join(data, '.lock'))) await delay(1)
  child.kill('SIGTERM')
  assert.deepEqual(await closed, [0, null])
  // Whatever it had come to: there is no session of a broker that did not end in order.
  const isUnbegun = !existsSync(join(data, 'ottla-session'))
  assert.ok(isUnbegun || existsSync(join(data, '.kafka_cleanshutdown')))
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} ends a start that waits for etcd at once`, async () => {
    const data = join(directory, `waiting-${signal}`)
    const store = 'metadata.store=etcd://127.0.0.1:1'
    const options = ['start', '--port', '0', '--data', data, '--set', store, '--set', 'node.id=1']
    const child = spawn(process.execPath, [bin, ...options])
    let [out, error] = ['', '']
    child.stdout.setEncoding('utf8').on('data', chunk => (out += chunk))
    child.stderr.setEncoding('utf8').on('data', chunk => (error += chunk))
    const closed = once(child, 'close')
    while (!/waiting for the metadata store/.test(error)) await delay(5)
    const startMs = performance.now()
    child.kill(signal)
    assert.deepEqual(await closed, [0, null])
    const tookMs = performance.now() - startMs
    assert.ok(tookMs < 2500, `${tookMs} ms`)
    assert.equal(out, 'Stopped before the broker was ready.\n')
  })
}

test('a second start is told who has the port, and where its data is', async () => {
  const broker = await localBroker({ storage: 'temporary' })
  const { port } = broker.address
  const { error, code } = await ottla(['start', '--port', String(port), '--data', 'second'])
  const [data] = broker.dataDirectories
  assert.ok(error.includes(`a broker runs there already (data in ${data})`), error)
  assert.equal(code, 1)
})

test('a directory that is in use is said with the process that holds it', async () => {
  const broker = await localBroker({ storage: 'temporary' })
  const { error } = await ottla(['start', '--port', '0', '--data', broker.dataDirectories[0]!])
  const holder = process.platform === 'linux' ? ` (process ${process.pid})` : ''
  assert.ok(error.includes(`is in use by another broker${holder}: stop that one`), error)
})

test('a wrong word for the log is refused', async () => {
  assert.match((await ottla(['start', '--log-format', 'xml'])).error, /it is text or json/)
})

const terminal = spawnSync('script', ['--version']).status === 0

test('in a terminal, no arguments are a welcome with commands to copy', { skip: !terminal }, () => {
  const command = `${process.execPath} ${bin}`
  const { stdout } = spawnSync('script', ['-qec', command, '/dev/null'], {
    cwd: directory,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1', npm_command: '' },
  })
  assert.match(stdout, /Ottla \d/)
  assert.match(stdout, /^ {4}echo hello \| ottla produce greetings\r?$/m)
  assert.ok(!stdout.includes('\u001b'), 'NO_COLOR is heeded')
  assert.ok(stdout.split(/\r?\n/).every(line => line.length <= 80))
})
