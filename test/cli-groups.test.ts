/** `ottla groups`, `configs` and `completion`, against a broker of this process. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import { nodeIo } from '../src/io/node.ts'
import { encode } from '../src/protocol/compile.ts'
import { consumerProtocolAssignment } from '../src/protocol/messages/consumer-protocol.ts'
import { directory, localBroker, ottla } from './command.ts'
import { beat, member, subscription, sync } from './group-client.ts'
import { WireClient } from './wire-client.ts'

const broker = await localBroker({ properties: { 'num.partitions': '1' } })
const { bootstrap } = broker
const clients: WireClient[] = []
after(() => {
  for (const client of clients) client.close()
})

/** The output of a command that succeeds and says nothing on standard error. */
async function out(args: readonly string[], input = ''): Promise<string> {
  const { code, out, error } = await ottla([...args, '-b', bootstrap], input)
  assert.equal(error, '')
  assert.equal(code, 0)
  return out
}

async function refused(args: readonly string[], message: RegExp, input = ''): Promise<void> {
  const { code, error } = await ottla([...args, '-b', bootstrap], input)
  assert.match(error, message)
  assert.equal(error.trimEnd().split('\n').length, 1, error)
  assert.equal(code, 1)
}

/** Cells of a table, titles left out. */
function rows(text: string): string[] {
  return text
    .trimEnd()
    .split('\n')
    .slice(1)
    .map(line => line.split(/ +/).join(' '))
}

/** A topic of three partitions with 10, 5 and no records, a second apart. */
async function topicWithRecords(name: string): Promise<void> {
  await out(['topics', 'create', name, '--partitions', '3'])
  const lines = [10, 5].flatMap((count, partition) =>
    Array.from({ length: count }, (_, at) =>
      JSON.stringify({ value: `v${at}`, partition, timestamp: 1_700_000_000_000 + at * 1000 }),
    ),
  )
  await out(['produce', name, '--ndjson'], lines.join('\n'))
}

/** A group of one member, to which two partitions of `topic` are assigned. */
async function join1(group: string, topic: string, body: object = {}) {
  const client = await WireClient.connect(nodeIo(), broker.address.port)
  clients.push(client)
  const protocols = [{ name: 'range', metadata: subscription(topic) }]
  const { member: memberId, generation } = await member(client, group, { protocols, ...body })
  const assignedPartitions = [{ topic, partitions: [0, 1] }]
  const assignment = Buffer.concat([
    Buffer.of(0, 0),
    ...encode(consumerProtocolAssignment, 0, { assignedPartitions }),
  ])
  await sync(client, group, {
    memberId,
    generationId: generation,
    assignments: [{ memberId, assignment }],
  })
  return { client, memberId, generationId: generation }
}

const reset = ['groups', 'reset-offsets'] as const

test('a group is reset, described, listed and deleted', async () => {
  await topicWithRecords('orders')
  const moved = await out([...reset, 'billing', '--topic', 'orders', '--to-offset', '4'])
  assert.deepEqual(rows(moved), [
    'orders 0 - 4',
    'orders 1 - 4',
    'orders 2 - 0 4 is behind the end of the log',
    'Reset 3 partitions of the new group billing.',
  ])
  const [described, json, ndjson, listed, empty, stable] = await Promise.all([
    out(['groups', 'describe', 'billing']),
    out(['groups', 'describe', 'billing', '--json']),
    out(['groups', 'describe', 'billing', '--ndjson']),
    out(['groups', 'list', '--json']),
    out(['groups', 'list', '--state', 'empty']),
    out(['groups', 'list', '--state', 'Stable']),
    refused(['groups', 'describe', 'nobody'], /there is no group nobody: `ottla groups list`/),
  ])
  assert.match(described, /^billing {2}Empty, 0 members, coordinator 1 \(127.0.0.1:\d+\)\n/)
  assert.deepEqual(rows(described).slice(1), [
    'orders 0 4 10 6 - - -',
    'orders 1 4 5 1 - - -',
    'orders 2 0 0 0 - - -',
    'total lag 7',
  ])
  assert.equal(JSON.parse(json).totalLag, 7)
  assert.deepEqual(
    ndjson
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line).lag),
    [6, 1, 0],
  )
  assert.match(listed, /"group":"billing","protocolType":"","state":"Empty","type":"Classic"/)
  assert.deepEqual(rows(empty), ['billing Empty Classic - 1'])
  assert.equal(stable, 'No such groups.\n')
  assert.equal(await out(['groups', 'delete', 'billing']), 'Deleted billing.\n')
  await refused(['groups', 'delete', 'billing'], /cannot delete billing: there is no such group/)
})

test('offsets go where each option says, and back by a file', async () => {
  await topicWithRecords('moves')
  const afterReset = async (...args: string[]) =>
    (await out([...reset, 'mover', '--json', ...args]))
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line).after)
      .join(' ')
  const steps: [args: string[], offsets: string][] = [
    [['--topic', 'moves:0,1', '--to-latest'], '10 5'],
    [['--all-topics', '--shift-by', '-3'], '7 2'],
    [['--topic', 'moves:1', '--to-earliest'], '0'],
    [['--all-topics', '--to-datetime', '2023-11-14T22:13:24Z'], '4 4'],
    [['--all-topics', '--by-duration', '90m'], '10 5'],
    [['--topic', 'moves', '--to-current'], '10 5 0'],
    [['--topic', 'moves:0', '--to-offset', '6'], '6'],
  ]
  for (const [args, offsets] of steps)
    assert.equal(await afterReset(...args), offsets, args.join(' '))
  const csv = await out([...reset, 'mover', '--all-topics', '--to-current', '--export'])
  assert.equal(csv, 'moves,0,6\nmoves,1,5\nmoves,2,0\n')
  assert.equal(await afterReset('--all-topics', '--to-earliest'), '0 0 0')
  writeFileSync(join(directory, 'offsets.csv'), csv)
  assert.equal(await afterReset('--from-file', 'offsets.csv'), '6 5 0')
  const line = '{"topic":"moves","partition":1,"offset":3}\n'
  const trial = await out([...reset, 'mover', '--from-file', '-', '--dry-run'], line)
  assert.deepEqual(rows(trial), [
    'moves 1 5 3',
    'Nothing was changed: leave out --dry-run to do it.',
  ])
  assert.equal(await afterReset('--all-topics', '--to-current'), '6 5 0')
  const deleted = await out(['groups', 'delete-offsets', 'mover', '--topic', 'moves:1,2'])
  assert.equal(deleted, 'Deleted 2 offsets of mover.\n')
  assert.equal(await afterReset('--all-topics', '--to-current'), '6')
})

test('mistakes with offsets are said in one line', async () => {
  await out(['topics', 'create', 'mistakes'])
  const all = [...reset, 'g', '--topic', 'mistakes'] as const
  await Promise.all([
    refused(all, /say where to: --to-earliest/),
    refused([...all, '--to-earliest', '--to-latest'], /choose one: --to-earliest/),
    refused([...reset, 'g', '--to-latest'], /say which topics: --topic NAME/),
    refused([...reset, 'g', '--all-topics', '--to-latest'], /g has committed no offsets/),
    refused([...reset, 'g', '--topic', 'nope', '--to-latest'], /there is no topic nope/),
    refused([...reset, 'g', '--topic', 'mistakes:3', '--to-latest'], /partitions 0 to 0, not 3/),
    refused([...all, '--shift-by', '1'], /mistakes:0 has no committed offset to shift/),
    refused([...reset, 'g', '--from-file', 'none.csv'], /none.csv: there is no such file/),
    refused([...reset, 'g', '--from-file', '-'], /--from-file -, line 2: /, 'mistakes,0,1\nx'),
    refused(['groups', 'delete-offsets', 'g', '--topic', 'mistakes'], /there is no group g/),
    refused(['groups', 'describe'], /name the groups, or give --all/),
    refused(['groups', 'list', '--state', 'foo'], /one of Stable, Empty/),
  ])
})

test('a group with members is shown with them, is not reset, and loses them on demand', async () => {
  await topicWithRecords('read')
  const { client, memberId, generationId } = await join1('readers', 'read', {
    groupInstanceId: 'desk-1',
  })
  const [described, members, trial] = await Promise.all([
    out(['groups', 'describe', 'readers']),
    out(['groups', 'describe', 'readers', '--members']),
    out([...reset, 'readers', '--topic', 'read:0', '--to-latest', '-n']),
    refused(
      [...reset, 'readers', '--topic', 'read', '--to-latest'],
      /readers has 1 member \(Stable\)/,
    ),
    refused(['groups', 'delete', 'readers'], /it has members: stop them, or/),
    refused(['groups', 'remove-members', 'readers', 'desk-2'], /no member desk-2/),
    refused(['groups', 'remove-members', 'readers'], /name members by their id or instance id/),
  ])
  assert.match(described, /^readers {2}Stable, assigned by range, 1 member, /)
  assert.deepEqual(rows(described).slice(1, 3), [
    'read 0 - 10 - desk-1 /127.0.0.1 test',
    'read 1 - 5 - desk-1 /127.0.0.1 test',
  ])
  assert.deepEqual(rows(members).slice(1), [`${memberId} desk-1 /127.0.0.1 test 2 read:0,1`])
  assert.match(trial, /Nothing was changed. readers has 1 member: stop them/)
  const removed = await out(['groups', 'remove-members', 'readers', 'desk-1'])
  assert.equal(removed, 'Removed 1 member of readers.\n')
  const unknownMemberId = 25
  assert.equal(await beat(client, 'readers', { memberId, generationId }), unknownMemberId)
  await join1('readers', 'read')
  assert.equal(await out(['groups', 'remove-members', 'readers', '--all']), removed)
  assert.equal(
    await out([...reset, 'readers', '--topic', 'read', '--to-latest', '--export']),
    'read,0,10\nread,1,5\nread,2,0\n',
  )
})

test("what a member says of itself cannot reach a terminal's controls", async () => {
  await out(['topics', 'create', 'safe', '--partitions', '2'])
  await join1('evil\u001b[31m', 'safe')
  const [listed, described] = await Promise.all([
    out(['groups', 'list']),
    out(['groups', 'describe', '--all']),
  ])
  assert.match(listed, /^evil\?\[31m +Stable/m)
  assert.match(described, /^evil\?\[31m {2}Stable/m)
  assert.ok(!`${listed}${described}`.includes('\u001b'))
})

test('configs are described with their sources, set and taken back', async () => {
  await out(['topics', 'create', 'tuned'])
  const ofTopic = ['topic', 'tuned'] as const
  assert.match(await out(['configs', 'describe', ...ofTopic]), /Nothing differs from the defaults/)
  const set = await out([
    'configs',
    'set',
    ...ofTopic,
    'retention.ms=1000',
    'cleanup.policy=delete',
  ])
  assert.deepEqual(rows(set), [
    'retention.ms 604800000 1000',
    'cleanup.policy delete delete',
    'Changed topic tuned.',
  ])
  const [described, all, json] = await Promise.all([
    out(['configs', 'describe', ...ofTopic]),
    out(['configs', 'describe', ...ofTopic, '--all']),
    out(['configs', 'describe', ...ofTopic, '--json']),
    refused(['configs', 'set', ...ofTopic, 'retention.msec=1'], /did you mean retention.ms\?/),
    refused(['configs', 'set', ...ofTopic, 'retention.ms=soon'], /retention.ms/),
    refused(['configs', 'set', ...ofTopic], /say what to set: key=value/),
    refused(['configs', 'set', 'broker', '7', 'a=b'], /there is no broker 7: there is 1/),
    refused(['configs', 'set', 'broker', '1', 'node.id=2'], /cannot change while a broker runs/),
    refused(['configs', 'describe', 'topic', 'nope'], /there is no topic nope/),
  ])
  assert.match(described, /^retention.ms +1000 +topic +604800000$/m)
  assert.match(all, /^retention.ms=1000 {2}\(topic; default 604800000\)\n {4}Segments older/m)
  assert.match(all, /^max.message.bytes=1048588 {2}\(default\)$/m)
  assert.equal(JSON.parse(json).configs[1].value, '1000')
  const unset = await out(['configs', 'unset', ...ofTopic, 'retention.ms'])
  assert.deepEqual(rows(unset)[0], 'retention.ms 1000 604800000')
})

test('configs of one broker come before those of all', async () => {
  const key = 'log.retention.ms'
  await out(['configs', 'set', 'broker', `${key}=7000`])
  await out(['configs', 'set', 'broker', '1', `${key}=8000`])
  assert.match(
    await out(['configs', 'describe', 'broker']),
    /^log.retention.ms +8000 +this broker/m,
  )
  assert.match(await out(['configs', 'describe', 'broker', 'default']), /^log.retention.ms +7000/m)
  assert.equal(rows(await out(['configs', 'unset', 'broker', '1', key]))[0], `${key} 8000 7000`)
  await out(['configs', 'unset', 'broker', key])
})

test('bash completes commands, files, and topics of the cluster that the line names', async () => {
  await out(['topics', 'create', 'completed-topic'])
  const program = join(directory, 'ottla')
  const bin = join(import.meta.dirname, '..', 'src', 'bin.js')
  writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${bin}' "$@"\n`)
  chmodSync(program, 0o755)
  writeFileSync(join(directory, 'records.log'), '')
  const lines: [line: string, words: string][] = [
    ['ottla gro', 'groups'],
    ['ottla topics describe -b 127.0.0.1:1 ', ''],
    [`ottla topics describe -b ${bootstrap} completed`, 'completed-topic'],
    [`ottla groups reset-offsets g -b ${bootstrap} --topic=completed`, 'completed-topic'],
    ['ottla produce orders --acks=a', 'all'],
    ['ottla log dump records', 'records.log'],
  ]
  const bash = `eval "$(ottla completion bash)"
    try() {
      COMP_LINE="$1" COMP_POINT=\${#1} COMP_WORDS=(\${1//=/ = })
      [[ $1 == *' ' ]] && COMP_WORDS+=('')
      COMP_CWORD=$(( \${#COMP_WORDS[@]} - 1 ))
      # A busy machine may need longer than completion waits: then it is asked again, as a person would.
      for attempt in 1 2 3 4 5; do
        _ottla ottla
        (( \${#COMPREPLY[@]} > 0 )) && break
      done
      printf '%s\\n' "\${COMPREPLY[*]}"
    }
    complete -p ottla
    for line in "$@"; do try "$line"; done`
  const { stdout, stderr } = await promisify(execFile)(
    'bash',
    ['-c', bash, 'bash', ...lines.map(([line]) => line)],
    { cwd: directory, env: { ...process.env, PATH: `${directory}:${process.env.PATH}` } },
  )
  assert.equal(stderr, '')
  assert.deepEqual(stdout.trimEnd().split('\n'), [
    'complete -F _ottla ottla',
    ...lines.map(([, words]) => words),
  ])
})
