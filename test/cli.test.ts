/** The command as people use it: processes, pipes, exit codes, against a broker it started itself. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

const bin = join(import.meta.dirname, '..', 'src', 'bin.js')
const directory = mkdtempSync(join(tmpdir(), 'ottla-cli-'))
const environment = { ...process.env, NO_COLOR: '1' }

interface Run {
  readonly code: number | null
  readonly out: string
  readonly error: string
}

function start(args: readonly string[], env = environment): ChildProcess {
  return spawn(process.execPath, [bin, ...args], { cwd: directory, env })
}

/** Runs a command to its end. */
async function ottla(args: readonly string[], input = ''): Promise<Run> {
  const child = start(args)
  let out = ''
  let error = ''
  child.stdout!.on('data', chunk => (out += chunk))
  child.stderr!.on('data', chunk => (error += chunk))
  child.stdin!.on('error', () => {})
  child.stdin!.end(input)
  const [code] = await once(child, 'close')
  return { code, out, error }
}

/** A command that talks to the broker of this file; it has to succeed. */
async function ask(args: readonly string[], input = ''): Promise<string> {
  const { code, out, error } = await ottla([...args, '--bootstrap', bootstrap], input)
  assert.equal(code, 0, error)
  return out
}

async function refused(args: readonly string[], message: RegExp, input = ''): Promise<void> {
  const { code, error } = await ottla(args, input)
  assert.match(error, message)
  assert.equal(error.trimEnd().split('\n').length, 1, error)
  assert.equal(code, 1)
}

interface Running {
  readonly child: ChildProcess
  readonly banner: string
  readonly bootstrap: string
}

async function startBroker(data: string, ...args: string[]): Promise<Running> {
  const child = start(['start', '--port', '0', '--data', data, ...args])
  let banner = ''
  let error = ''
  child.stderr!.on('data', chunk => (error += chunk))
  for await (const chunk of child.stdout!) {
    banner += chunk
    if (banner.includes('stop it')) break
  }
  const address = /listening +(\S+)/.exec(banner)
  assert.ok(address, `no banner: ${banner}${error}`)
  return { child, banner, bootstrap: address[1]! }
}

async function stop(
  { child }: Running,
  signal: NodeJS.Signals = 'SIGTERM',
): Promise<number | null> {
  child.kill(signal)
  const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode]
  return code
}

let broker: Running
let bootstrap: string

before(async () => {
  broker = await startBroker('data')
  bootstrap = broker.bootstrap
})

after(async () => {
  await stop(broker, 'SIGKILL')
  rmSync(directory, { recursive: true })
})

test('the banner says where it listens, where its data is, how to try it and how to stop', () => {
  assert.match(broker.banner, /data +\.\/data\n/)
  const port = bootstrap.split(':')[1]
  assert.match(broker.banner, new RegExp(`try it .*kcat -b 127.0.0.1:${port} -P`))
  assert.match(broker.banner, /stop it +Ctrl-C/)
})

test('a topic is created, listed, described, altered and deleted', async () => {
  const name = 'life'
  await ask(['topics', 'create', name, '-p', '2', '--config', 'retention.ms=1000'])
  assert.match(await ask(['topics', 'list']), /^life +2 +1 +0 B$/m)
  await ask(['topics', 'alter', name, '--config', 'max.message.bytes=2000', '--partitions', '3'])
  await ask(['topics', 'alter', name, '--unset', 'retention.ms'])
  const described = JSON.parse(await ask(['topics', 'describe', name, '--json']))
  assert.deepEqual(described.configs, {
    'max.message.bytes': { value: '2000', source: 'topic', isChanged: true },
  })
  assert.equal(described.partitions.length, 3)
  assert.deepEqual(described.partitions[2].isr, [1])
  await Promise.all([
    refused(['topics', 'create', name, '-b', bootstrap], /cannot create life: .*exist/),
    ask(['topics', 'create', name, '--if-not-exists']),
    ask(['topics', 'describe', name]).then(out =>
      assert.match(out, /^\* max.message.bytes +2000 +topic$/m),
    ),
  ])
  assert.equal(await ask(['topics', 'delete', name]), 'Deleted life.\n')
  await Promise.all([
    refused(['topics', 'delete', name, '-b', bootstrap], /cannot delete life: /),
    refused(['consume', name, '-b', bootstrap], /there is no topic life/),
  ])
})

test('lines become records, keys go their way and headers with them', async () => {
  await ask(['topics', 'create', 'keyed', '--partitions', '4'])
  const lines = 'anna:1\nbert:2\nanna:3\nnobody\ncarl:'
  const args = ['--key-separator', ':', '-H', 'source=test', '-Z', '--compression', 'zstd']
  await ask(['produce', 'keyed', ...args], lines)
  const out = await ask(['consume', 'keyed', '-e', '--json'])
  const records = out
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
  const of = (key: string | null) => records.filter(record => record.key === key)
  assert.deepEqual(
    of('anna').map(record => record.value),
    ['1', '3'],
  )
  assert.equal(new Set(of('anna').map(record => record.partition)).size, 1)
  assert.equal(of('carl')[0].value, null)
  assert.equal(of(null)[0].value, 'nobody')
  assert.deepEqual(of('bert')[0].headers, [{ key: 'source', value: 'test' }])
  assert.ok(Math.abs(of('bert')[0].timestamp - Date.now()) < 60_000)
})

test('consume starts at an offset, near the end, at a time, and stops at the end or a count', async () => {
  const input = Array.from({ length: 10 }, (_, index) =>
    JSON.stringify({ value: `v${index}`, timestamp: 1_700_000_000_000 + index * 1000 }),
  )
  await ask(['produce', 'numbers', '--json', '--partition', '0'], input.join('\n'))
  const consume = async (...args: string[]) =>
    (await ask(['consume', 'numbers', ...args])).trimEnd().split('\n').join(' ')
  const expected: [args: string[], out: string][] = [
    [['-o', '8', '-e'], 'v8 v9'],
    [['-o', '-3', '-e'], 'v7 v8 v9'],
    [['-o', '@1700000006500', '-e'], 'v7 v8 v9'],
    [['-o', '2023-11-14T22:13:27Z', '-n', '2'], 'v7 v8'],
    [['-o', 'end', '-e'], ''],
    [['-p', '0', '-n', '1', '-f', '%t/%p/%o %T %s\\n'], 'numbers/0/0 1700000000000 v0'],
  ]
  await Promise.all([
    ...expected.map(async ([args, out]) => assert.equal(await consume(...args), out)),
    refused(['consume', 'numbers', '-b', bootstrap, '-o', '99'], /has no offset 99/),
    refused(['consume', 'numbers', '-b', bootstrap, '-o', 'yesterday'], /--from yesterday/),
    refused(['consume', 'numbers', '-b', bootstrap, '-p', '7'], /partitions 0 to 0/),
  ])
})

test('consume follows a topic until it has what it wants', async () => {
  await ask(['topics', 'create', 'live'])
  const consuming = ask(['consume', 'live', '--count', '2'])
  await ask(['produce', 'live', '--acks', '1'], 'one\ntwo\n')
  assert.equal(await consuming, 'one\ntwo\n')
})

test('a copy by JSON is the same to the byte', async () => {
  const odd = {
    key: { base64: '//4=' },
    value: { base64: 'AP8=' },
    headers: [{ key: 'h', value: null }],
  }
  await ask(['produce', 'original', '--json'], JSON.stringify({ ...odd, timestamp: 5 }))
  const json = await ask(['consume', 'original', '--json', '-e'])
  await ask(['produce', 'copy', '--json', '-z', 'gzip'], json)
  const copied = JSON.parse(await ask(['consume', 'copy', '--json', '-e']))
  assert.deepEqual({ key: copied.key, value: copied.value, headers: copied.headers }, odd)
  assert.equal(copied.timestamp, 5)
})

test('a record that the broker refuses ends the command with its reason', async () => {
  await ask(['topics', 'create', 'small', '--config', 'max.message.bytes=100'])
  const large = 'x'.repeat(200)
  await refused(
    ['produce', 'small', '-b', bootstrap],
    /^ottla: line 1: not stored: .*max.message.bytes.*\(0 records stored\)/,
    large,
  )
  await refused(['produce', 'small', '-b', bootstrap, '-p', '5'], /partitions 0 to 0/)
})

test('log dump reads what the broker wrote', async () => {
  await ask(['produce', 'dumped', '--json'], '{"value":"a"}\n{"value":"b"}\n')
  const file = join('data', 'dumped-0', '00000000000000000000.log')
  const { out } = await ottla(['log', 'dump', file, '--records'])
  assert.match(out, /offsets 0–1 .* 2 records .*CRC good/)
  assert.match(out, /value=b/)
  assert.match(out, /: sound\n$/)
})

test('a directory that another broker holds, and a port in use, are said in one line', async () => {
  await refused(['start', '--port', '0', '--data', 'data'], /data.* is in use by another broker/)
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const args = ['start', '--port', String(port), '--data', 'other']
  await refused(args, new RegExp(`cannot listen on 127.0.0.1:${port}.*--port`))
  server.close()
  // What the failed start had begun is undone: the same directory starts with another port.
  const second = await startBroker('other')
  assert.equal(await stop(second, 'SIGINT'), 0)
})

test('mistakes on the command line are said in one line', async () => {
  await Promise.all([
    refused(['start', '--prot', '1'], /unknown option '--prot' \(did you mean --port\?\)/),
    refused(['start', '--set', 'num.partitions=many'], /num.partitions/),
    refused(['start', '--config', 'none.properties'], /none.properties: there is no such file/),
    refused(['topcis'], /unknown command 'topcis' \(did you mean topics\?\)/),
    refused(['consume'], /missing required argument 'topic'/),
    refused(['topics', 'list', '-b', '127.0.0.1:1'], /no broker at 127.0.0.1:1/),
  ])
})

test('every command explains itself with examples', async () => {
  const commands = [[], ['start'], ['topics', 'create'], ['consume'], ['log', 'dump']]
  for (const { out, code } of await Promise.all(
    commands.map(command => ottla([...command, '--help'])),
  )) {
    assert.equal(code, 0)
    assert.match(out, /^Usage: ottla/)
    assert.match(out, /Examples:\n {2}\S/)
  }
})

test('what was written is there after a graceful stop and after a kill', async () => {
  await ask(['produce', 'kept', '--json'], '{"value":"before"}')
  assert.equal(await stop(broker), 0)
  assert.ok(readdirSync(join(directory, 'data')).includes('.kafka_cleanshutdown'))
  broker = await startBroker('data')
  bootstrap = broker.bootstrap
  await ask(['produce', 'kept', '--json'], '{"value":"between"}')
  await stop(broker, 'SIGKILL')
  broker = await startBroker('data')
  bootstrap = broker.bootstrap
  assert.equal(await ask(['consume', 'kept', '-e']), 'before\nbetween\n')
})
