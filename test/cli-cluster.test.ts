/** A cluster on this machine by one command: it starts, goes on without a broker, and leaves nothing. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { directory, ottla } from './command.ts'
import { etcdMissing } from './live-etcd.ts'

const bin = join(import.meta.dirname, '..', 'src', 'bin.js')
const skip = etcdMissing() ?? (existsSync('/proc/self/cmdline') ? false : 'there is no /proc')

/** Processes whose command line names this folder, by id. */
function processesOf(data: string): Map<number, string> {
  const found = new Map<number, string>()
  for (const name of readdirSync('/proc').filter(each => /^\d+$/.test(each))) {
    try {
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ')
      if (command.includes(data)) found.set(Number(name), command)
    } catch {
      // It is gone.
    }
  }
  return found
}

async function until(isTrue: () => boolean, what: string, withinMs = 60_000): Promise<void> {
  const endMs = performance.now() + withinMs
  while (!isTrue()) {
    assert.ok(performance.now() < endMs, `not within ${withinMs} ms: ${what}`)
    await delay(20)
  }
}

interface LocalCluster {
  readonly child: ChildProcess
  readonly bootstrap: string
  said(): string
}

async function startCluster(data: string, ...more: readonly string[]): Promise<LocalCluster> {
  const options = ['cluster', 'start', '--port', '0', '--data', data, ...more]
  const env = { ...process.env, NO_COLOR: '1' }
  const child = spawn(process.execPath, [bin, ...options], { cwd: directory, env })
  after(() => {
    child.kill('SIGKILL')
    for (const pid of processesOf(data).keys()) process.kill(pid, 'SIGKILL')
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', chunk => (said += chunk))
  }
  await until(() => {
    assert.equal(child.exitCode, null, said)
    return /stop it +Ctrl-C/.test(said)
  }, 'the cluster is up')
  return { child, bootstrap: /bootstrap +(\S+)/.exec(said)![1]!, said: () => said }
}

test('three brokers start, keep records through a loss, and stop in order', { skip }, async () => {
  const data = join(directory, 'three')
  const cluster = await startCluster(data)
  const { child, bootstrap } = cluster
  assert.equal(bootstrap.split(',').length, 3)
  const b = ['-b', bootstrap]
  assert.equal((await ottla(['topics', 'create', 'orders', '-p', '3', ...b])).code, 0)
  assert.equal((await ottla(['produce', 'orders', '-k', ':', ...b], 'a:1\nb:2\nc:3\n')).code, 0)

  const [lost] = [...processesOf(data)].find(([, command]) => command.includes('node.id=2'))!
  process.kill(lost, 'SIGKILL')
  await until(
    () =>
      /broker 2 ended \(SIGKILL\); the others go on[\s\S]*ottla start .*node\.id=2/.test(
        cluster.said(),
      ),
    'told',
  )
  let status = await ottla(['cluster', 'status', ...b])
  assert.match(status.out, /^Cluster \S{22}: \d+ topics?, \d+ partitions$/m)
  const fell = async () => {
    status = await ottla(['cluster', 'status', '--json', ...b])
    const { brokers, troubled } = JSON.parse(status.out)
    return brokers[1].address === null && troubled.length >= 3
  }
  for (const endMs = performance.now() + 30_000; !(await fell()); ) {
    assert.ok(performance.now() < endMs, status.out)
  }
  const strict = ['configs', 'set', 'topic', 'orders', 'min.insync.replicas=3', ...b]
  assert.equal((await ottla(strict)).code, 0)
  const refuses = async () => {
    status = await ottla(['cluster', 'status', ...b])
    return /^orders-0 .* below min.insync.replicas \(2 of 3\)$/m.test(status.out)
  }
  for (const endMs = performance.now() + 30_000; !(await refuses()); ) {
    assert.ok(performance.now() < endMs, status.out)
  }
  assert.match(status.out, /^1 broker down: 2\n3 partitions below min\.insync\.replicas/m)
  const read = await ottla(['consume', 'orders', '-e', ...b])
  assert.deepEqual(read.out.split('\n').sort(), ['', '1', '2', '3'])

  const closed = once(child, 'close')
  child.kill('SIGINT')
  assert.deepEqual(await closed, [0, null], cluster.said())
  assert.match(cluster.said(), /Stopping the brokers, one after another/)
  assert.deepEqual([...processesOf(data).values()], [])
  for (const id of [1, 3]) {
    assert.ok(existsSync(join(data, `broker-${id}`, '.kafka_cleanshutdown')), `broker ${id}`)
  }
})

test('replicas move by a plan that is shown, and back; an empty broker leaves for good', {
  skip,
}, async () => {
  const data = join(directory, 'moves')
  // One fetch is not throttled, whatever it brings.
  const small = ['replica.fetch.max.bytes=4096', 'replica.fetch.response.max.bytes=4096']
  const { bootstrap } = await startCluster(data, ...small.flatMap(each => ['--set', each]))
  const run = async (...args: readonly string[]) => {
    const { code, out, error } = await ottla([...args, '-b', bootstrap])
    assert.equal(code, 0, `${args.join(' ')}: ${error}`)
    return out
  }
  const refused = async (...args: readonly string[]) => {
    const { code, error } = await ottla([...args, '-b', bootstrap])
    assert.equal(code, 1, args.join(' '))
    return error
  }
  await run('topics', 'create', 'orders', '-p', '4', '-r', '2')
  const lines = Array.from({ length: 60_000 }, (_, index) => `${index} ${'x'.repeat(100)}\n`)
  assert.equal((await ottla(['produce', 'orders', '-b', bootstrap], lines.join(''))).code, 0)
  const move = ['topics', 'reassign', 'orders']
  assert.match(
    await run(...move, '--to', '1,2'),
    /PARTITION +REPLICAS[\s\S]*Done: \d partitions moved/,
  )
  assert.match(await run(...move, '--to', '2,1'), /Nothing is to be moved/)
  const plan = await run(...move, '--from-broker', '2', '--dry-run')
  assert.match(plan, /4 partitions to change, 4 replicas to copy/)
  assert.equal(await run('topics', 'reassign', '--status'), 'No partition is moving.\n')

  await run(...move, '--from-broker', '2', '--throttle', '1K', '--no-wait')
  const moving = (await run('topics', 'reassign', '--status', '--json')).trim().split('\n')
  assert.equal(JSON.parse(moving[0]!).adding[0], 3)
  assert.match(await refused(...move, '-r', '3'), /moving already: wait for that/)
  assert.match(await run('configs', 'describe', 'broker', '3'), /follower\S+throttled.rate +1024/)
  assert.match(await run('topics', 'reassign', '--throttle', '2K'), /at most 2.0 KiB/)
  assert.match(await run(...move, '--cancel'), /Cancelled \d moves?/)
  for (const whose of [
    ['topic', 'orders'],
    ['broker', '3'],
  ]) {
    assert.doesNotMatch(await run('configs', 'describe', ...whose), /throttled/)
  }

  assert.match(await run(...move, '--to', '1,3'), /Done/)
  assert.match(await run('topics', 'reassign', '--from-broker', '3', '--throttle', '500M'), /Done/)
  assert.match(await run(...move, '-r', '2', '--to', '1,2'), /Nothing is to be moved/)
  assert.doesNotMatch(await run('configs', 'describe', 'topic', 'orders'), /throttled/)
  assert.match(await run('topics', 'elect-leaders', 'orders'), /Nothing to do/)
  assert.match(await refused('cluster', 'remove-broker', '3'), /broker 3 is running: stop it/)
  const [gone] = [...processesOf(data)].find(([, command]) => command.includes('node.id=3'))!
  process.kill(gone, 'SIGTERM')
  let error = ''
  for (const endMs = performance.now() + 30_000; ; ) {
    const removed = await ottla(['cluster', 'remove-broker', '3', '-b', bootstrap])
    error = removed.error
    if (removed.code === 0) break
    assert.ok(performance.now() < endMs, error)
  }
  assert.match(await refused('cluster', 'remove-broker', '3'), /not currently registered/)
  assert.equal((await run('consume', 'orders', '-e')).length, lines.join('').length)
})

test('options of a move that contradict each other are refused', async () => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /nothing to do/],
    [['orders', '--to', '1', '--from-broker', '2'], /not both/],
    [['--to', '1'], /name the topics, or give --all-topics/],
    [['orders', '--to', '1', '--throttle', 'fast'], /write bytes a second/],
    [['--status', '--cancel'], /exclude each other/],
  ]
  for (const [args, message] of wrong) {
    const { code, error } = await ottla(['topics', 'reassign', ...args])
    assert.equal(code, 1)
    assert.match(error, message)
  }
  assert.match((await ottla(['topics', 'elect-leaders', '--unclean'])).error, /may lose records/)
})

test('killed hard, it leaves no process, and its brokers stop cleanly', { skip }, async () => {
  const data = join(directory, 'two')
  const { child } = await startCluster(data, '--brokers', '2')
  assert.equal(processesOf(data).size, 5)
  child.kill('SIGKILL')
  await until(() => processesOf(data).size === 0, 'all are gone')
  for (const id of [1, 2]) {
    assert.ok(existsSync(join(data, `broker-${id}`, '.kafka_cleanshutdown')), `broker ${id}`)
  }
})

test('without etcd it is said how to get it; a port that is taken is named', async () => {
  const env = { ...process.env, PATH: directory }
  const child = spawn(process.execPath, [bin, 'cluster', 'start'], { cwd: directory, env })
  let error = ''
  child.stderr.setEncoding('utf8').on('data', chunk => (error += chunk))
  assert.deepEqual(await once(child, 'close'), [1, null])
  for (const way of ['apt-get install etcd-server', 'brew install etcd', 'scoop', 'docker run']) {
    assert.ok(error.includes(way), error)
  }
  const wrong = await ottla(['cluster', 'start', '--port', '65534', '--store', 'etcd://a'])
  assert.match(wrong.error, /the last one is above 65535/)
})
