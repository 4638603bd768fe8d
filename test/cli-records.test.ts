/** `ottla produce` and `ottla consume`, against a broker of this process. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { directory, localBroker, ottla, type Run } from './command.ts'

const { bootstrap } = await localBroker({ properties: { 'num.partitions': '1' } })
const bin = join(import.meta.dirname, '..', 'src', 'bin.js')

async function run(args: readonly string[], input: string | Buffer = ''): Promise<Run> {
  return await ottla([...args, '-b', bootstrap], input)
}

/** The output of a command that succeeds and says nothing on standard error. */
async function out(args: readonly string[], input: string | Buffer = ''): Promise<string> {
  const { code, out, error } = await run(args, input)
  assert.equal(error, '')
  assert.equal(code, 0)
  return out
}

function json(out: string): Record<string, unknown>[] {
  return out
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
}

/** One record a second, from 2023-11-14T22:13:20Z on. */
function numbered(count: number): string {
  return Array.from({ length: count }, (_, index) =>
    JSON.stringify({
      key: `k${index % 3}`,
      value: JSON.stringify({ total: index }),
      timestamp: 1_700_000_000_000 + index * 1000,
    }),
  ).join('\n')
}

test('consume --ndjson and produce --ndjson copy a topic to the byte', async () => {
  await out(['topics', 'create', 'from', 'to', '--partitions', '3'])
  const odd = [
    { partition: 2, key: 'k', value: 'größe', timestamp: 5, headers: [] },
    { partition: 0, key: null, value: null, timestamp: 6, headers: [{ key: 'h', value: null }] },
    {
      partition: 1,
      key: { base64: '//4=' },
      value: { base64: 'AP8=' },
      timestamp: 7,
      headers: [
        { key: 'twice', value: 'a' },
        { key: 'twice', value: { base64: '/w==' } },
      ],
    },
    { partition: 1, key: '', value: '', timestamp: -1, headers: [] },
  ]
  await out(['produce', 'from', '--ndjson'], odd.map(line => JSON.stringify(line)).join('\n'))
  const first = await out(['consume', 'from', '--ndjson', '-e'])
  await out(['produce', 'to', '--ndjson', '-z', 'lz4'], first)
  const copy = await out(['consume', 'to', '--ndjson', '-e'])
  const plain = (text: string) =>
    json(text)
      .map(({ topic, offset, ...record }) => record)
      .toSorted((a, b) => Number(a.timestamp) - Number(b.timestamp))
  assert.deepEqual(
    plain(copy),
    odd.toSorted((a, b) => a.timestamp - b.timestamp),
  )
  assert.equal(plain(first).length, 4)
})

test('a span is between two places: offsets, times, the end', async () => {
  await out(['produce', 'span', '--ndjson'], numbered(10))
  const cases: [args: string[], offsets: number[]][] = [
    [
      ['--from', '7', '--to', 'end'],
      [7, 8, 9],
    ],
    [
      ['--from', '2', '--to', '4'],
      [2, 3],
    ],
    [
      ['--from', 'earliest', '--to', '2023-11-14T22:13:22.500Z'],
      [0, 1, 2],
    ],
    [
      ['--from', '@1700000007000', '--to', '-1'],
      [7, 8],
    ],
    [['--from', '1m', '--to', 'end'], []],
    [['--from', '5', '--to', '5'], []],
    [
      ['--from', '3', '--count', '2'],
      [3, 4],
    ],
  ]
  const runs = cases.map(async ([args, offsets]) => {
    const text = await out(['consume', 'span', '-f', '%o ', ...args])
    assert.deepEqual(text.trim().split(' ').filter(Boolean).map(Number), offsets, args.join(' '))
  })
  await Promise.all(runs)
  const future = await run(['consume', 'span', '--to', '2999-01-01'])
  assert.match(future.error, /^ottla: --to lies in the future: /)
})

test('a filter takes some; records on which it fails are counted, not fatal', async () => {
  await out(['produce', 'filtered', '--ndjson'], `${numbered(10)}\n{"value":"no json"}\n`)
  const some = await run(['consume', 'filtered', '-e', '-f', '%o ', '--filter', 'json.total >= 8'])
  assert.equal(some.out, '8 9 ')
  assert.equal(some.code, 0)
  assert.match(some.error, /failed on 1 record, left out; first filtered-0, offset 10: Cannot read/)
  const counted = ['consume', 'filtered', '-f', '%k', '-n', '2', '--filter', 'key === "k1"']
  assert.equal(await out(counted), 'k1k1')
  const wrong = await run(['consume', 'none', '--filter', 'json.total >) 1'])
  assert.match(wrong.error, /^ottla: --filter: Unexpected token .* at line 1, column 13\n/)
  assert.equal(wrong.code, 1)
})

test('several topics and a list of partitions are read together', async () => {
  await out(['topics', 'create', 'a', 'b', '--partitions', '4'])
  for (const topic of ['a', 'b']) {
    for (const partition of ['0', '1', '2', '3']) {
      await out(['produce', topic, '-p', partition], `${topic}${partition}`)
    }
  }
  const lines = (text: string) => text.trimEnd().split('\n').toSorted()
  assert.deepEqual(lines(await out(['consume', 'a', 'b', '-e', '-p', '0,2-3'])), [
    'a0',
    'a2',
    'a3',
    'b0',
    'b2',
    'b3',
  ])
})

test('verbose says where a record is, and when and with what key it came', async () => {
  await out(['produce', 'verbose', '--key', 'anna', '-H', 'a=1'], 'hello')
  const text = await out(['consume', 'verbose', '-e', '-v'])
  assert.match(text, /^verbose-0@0 {2}\d{4}-\d\d-\d\dT[\d:.]+Z {2}key=anna {2}a=1 {2}hello\n$/)
})

test('produce reads files, gives keys and deletes them', async () => {
  writeFileSync(join(directory, 'one.txt'), 'a\nb')
  writeFileSync(join(directory, 'two.txt'), 'c\r\n\nd')
  await out(['produce', 'files', '-F', 'one.txt', '--file', 'two.txt', '--key', 'k'])
  await out(['produce', 'files', '--key', 'k', '--tombstone'])
  const records = json(await out(['consume', 'files', '-e', '--ndjson']))
  assert.deepEqual(
    records.map(({ key, value }) => [key, value]),
    [
      ['k', 'a'],
      ['k', 'b'],
      ['k', 'c'],
      ['k', ''],
      ['k', 'd'],
      ['k', null],
    ],
  )
  const none = await run(['produce', 'files', '-F', 'three.txt'])
  assert.equal(none.error, 'ottla: cannot read three.txt: there is no such file\n')
})

test('an error names the line of the input', async () => {
  await out(['topics', 'create', 'small', '--config', 'max.message.bytes=1000'])
  writeFileSync(join(directory, 'long.txt'), `short\n${'x'.repeat(2000)}\nshort`)
  const cases: [args: string[], input: string, message: RegExp][] = [
    [
      ['produce', 'lines', '--ndjson'],
      '{}\n{"key":',
      /^ottla: line 2 is not JSON.* \(1 record sent before\)/,
    ],
    [
      ['produce', 'lines', '--ndjson'],
      '{}\n{"partition":7}',
      /^ottla: line 2: partition 7: .*--rep/,
    ],
    [['produce', 'small', '-F', 'long.txt'], '', /^ottla: long.txt, line 2: not stored: /],
    [['produce', 'lines', '--tombstone'], '', /--tombstone needs a --key/],
  ]
  for (const [args, input, message] of cases) {
    const { error, code } = await run(args, input)
    assert.match(error, message)
    assert.equal(code, 1)
  }
  const before = await out(['consume', 'lines', '-e', '-f', '%o '])
  assert.equal(before, '0 1 ', 'the lines before the fault were sent')
  const stored = await out(['consume', 'small', '-e'])
  assert.equal(stored, 'short\n')
})

test('batches that are too large for a topic are halved, in order', async () => {
  await out(['topics', 'create', 'halved', '--config', 'max.message.bytes=1000'])
  const input = Array.from({ length: 200 }, (_, index) => `line ${index}`).join('\n')
  await out(['produce', 'halved'], input)
  assert.equal(await out(['consume', 'halved', '-e']), `${input}\n`)
})

test('with acks 0 all of it arrives, although nobody answers', async () => {
  const input = Array.from({ length: 5000 }, (_, index) => `line ${index} ${'x'.repeat(200)}`)
  await out(['produce', 'unasked', '--acks', '0'], input.join('\n'))
  assert.equal(await out(['consume', 'unasked', '-e']), `${input.join('\n')}\n`)
})

test('consume --group goes on where its group was, and commits what it printed', async () => {
  await out(['topics', 'create', 'shared', '--partitions', '3'])
  const lines = ['a', 'b', 'c', 'd', 'e', 'f'].map((value, n) =>
    JSON.stringify({ value, partition: n % 3, headers: [{ key: 'n', value: String(n) }] }),
  )
  await out(['produce', 'shared', '--ndjson'], lines.join('\n'))
  const member = ['consume', 'shared', '--group', 'readers', '-f', '%v']
  const first = await out([...member, '-n', '2'])
  const rest = await out([...member, '-e'])
  assert.deepEqual([first.length, [...first, ...rest].toSorted().join('')], [2, 'abcdef'])
  assert.equal(await out([...member, '-e']), '')
  await out(['produce', 'shared'], 'g\n')
  assert.equal(await out([...member, '-n', '1']), 'g')
  assert.equal(await out(['consume', 'shared', '-g', 'late', '--from', 'latest', '-e']), '')
  const [record] = json(await out(['consume', 'shared', '-g', 'other', '-e', '--ndjson']))
  assert.deepEqual(record!.headers, [{ key: 'n', value: '0' }])
  for (const wrong of [
    ['--to', '5'],
    ['--partition', '0'],
    ['--from', '2h'],
  ]) {
    const { code, error } = await run([...member, ...wrong])
    assert.deepEqual([code, /is not for --group/.test(error)], [1, true])
  }
})

test('a reader that has enough ends consume without a word', async () => {
  await out(['produce', 'piped'], 'x\n'.repeat(200_000))
  const consume = `${process.execPath} ${bin} consume piped -b ${bootstrap}`
  const shell = spawn('bash', ['-o', 'pipefail', '-c', `${consume} | head -n 2`])
  let text = ''
  shell.stdout.on('data', chunk => (text += chunk))
  shell.stderr.on('data', chunk => (text += chunk))
  const [code] = await once(shell, 'close')
  assert.equal(text, 'x\nx\n')
  assert.equal(code, 0)
})

test('Ctrl-C ends consume and produce with what they have, exit code 130', async () => {
  await out(['produce', 'endless'], 'one\n')
  const consuming = spawn(process.execPath, [bin, 'consume', 'endless', '-b', bootstrap])
  const [text] = await once(consuming.stdout, 'data')
  consuming.kill('SIGINT')
  assert.deepEqual([String(text), (await once(consuming, 'close'))[0]], ['one\n', 130])
  const producing = spawn(process.execPath, [bin, 'produce', 'endless', '-b', bootstrap])
  producing.stdin.write('two\n')
  const waiting = ['consume', 'endless', '--from', '1', '-n', '1']
  // Offset 1 is there as soon as the line was sent.
  let seen: Run
  do seen = await run([...waiting, '-e'])
  while (seen.out === '')
  producing.kill('SIGINT')
  assert.equal((await once(producing, 'close'))[0], 130)
  assert.equal(seen.out, 'two\n')
})

test('help fits into 80 columns', async () => {
  const commands = ['start', 'produce', 'consume', 'doctor', 'topics', 'topics describe']
  const helps = commands.map(command => ottla([...command.split(' '), '--help']))
  for (const { out: help } of await Promise.all(helps)) {
    assert.match(help, /^Usage: ottla/)
    assert.deepEqual(
      help.split('\n').filter(line => line.length > 80),
      [],
    )
  }
})
