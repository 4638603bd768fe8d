import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseStart, reportOptions, startProperties, startStorage } from './start-options.ts'

function properties(args: readonly string[], environment: Record<string, string> = {}) {
  const values = parseStart(args)
  assert.ok(values, `not understood: ${args.join(' ')}`)
  return Object.fromEntries(startProperties(values, environment))
}

test('nothing said is nothing set', () => {
  assert.deepEqual(properties([], { PATH: '/bin' }), {})
})

test('a port alone keeps the listener on loopback, a host alone the port', () => {
  assert.deepEqual(properties(['--port', '0']), { listeners: 'PLAINTEXT://127.0.0.1:0' })
  assert.deepEqual(properties(['--host', '::']), { listeners: 'PLAINTEXT://[::]:9092' })
  assert.deepEqual(properties(['--host=0.0.0.0', '-p', '1234']), {
    listeners: 'PLAINTEXT://0.0.0.0:1234',
  })
})

test('what is kept in memory has no directory', () => {
  const storage = (...args: string[]) => startStorage(parseStart(args)!)
  assert.equal(storage(), 'files')
  assert.equal(storage('--data', 'x'), 'files')
  assert.equal(storage('--memory', '--port', '0'), 'memory')
  const message = '--memory and --data x: say one of them'
  assert.throws(() => storage('--memory', '--data', 'x'), { name: 'Failure', message })
})

test('the short options override --set, which overrides the environment and files', context => {
  const directory = mkdtempSync(join(tmpdir(), 'ottla-'))
  context.after(() => rmSync(directory, { recursive: true }))
  const first = join(directory, 'first.properties')
  const second = join(directory, 'second.properties')
  writeFileSync(first, 'node.id=1\nlog.dirs=/one\nnum.partitions=1\nlog.retention.ms=1\n')
  writeFileSync(second, '# the other\nlog.dirs=/two\nnum.partitions=2\nlog.retention.ms=2\n')
  const args = ['-c', first, '--config', second, '--set', 'log.retention.ms=4', '-d', '/five']
  const environment = { OTTLA_NUM_PARTITIONS: '3', OTTLA_LOG_RETENTION_MS: '3' }
  assert.deepEqual(properties([...args, '-s', 'a.b = c=d '], environment), {
    'node.id': '1',
    'log.dirs': '/five',
    'num.partitions': '3',
    'log.retention.ms': '4',
    'a.b': 'c=d',
  })
})

test('what is not understood goes to the command that explains', () => {
  for (const args of [['--help'], ['--prot', '1'], ['extra'], ['--port'], ['-x']]) {
    assert.equal(parseStart(args), undefined, args.join(' '))
  }
})

test('values that cannot be meant are refused with what to write', () => {
  const refused = (args: string[], message: RegExp) =>
    assert.throws(() => properties(args), { name: 'Failure', message })
  refused(['--port', '70000'], /--port 70000: a port is/)
  refused(['--port', 'http'], /--port http: a port is/)
  refused(['--set', 'novalue'], /key=value/)
  refused(['--config', '/does/not/exist'], /cannot read the config file \/does\/not\/exist/)
})

test('a terminal gets text, a pipe JSON, and either what it asks for', () => {
  const options = (args: readonly string[], isTerminal: boolean) =>
    reportOptions(parseStart(args)!, isTerminal)
  assert.deepEqual(options([], true), { format: 'text', level: 'info' })
  assert.deepEqual(options([], false), { format: 'json', level: 'info' })
  const asked = options(['--log-format', 'text', '--log-level', 'error'], false)
  assert.deepEqual(asked, { format: 'text', level: 'error' })
  assert.throws(() => options(['--log-format', 'xml'], true), { message: /it is text or json/ })
  assert.throws(() => options(['--log-level', 'all'], true), { message: /info, warn or error/ })
})
