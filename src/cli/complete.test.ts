import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Command, command } from './command.ts'
import { complete, splitLine } from './complete.ts'
import { completion, suggestions } from './completion-command.ts'
import { configs } from './configs-command.ts'
import { groups } from './groups-command.ts'
import { consume, produce } from './records-command.ts'
import { topics } from './topics-command.ts'

const root = command('ottla', '')
for (const each of [topics(), produce(), consume(), groups(), configs(), completion()]) {
  root.addCommand(each)
}
root.addCommand(suggestions(), { hidden: true })

function offered(line: string): string[] {
  const { candidates, prefix, ask } = complete(root, line)
  return [...candidates.map(({ value }) => prefix + value), ...(ask ? [`(${ask})`] : [])]
}

test('commands, then their commands; what is hidden is not offered', () => {
  assert.deepEqual(offered('ottla gr'), ['groups'])
  assert.deepEqual(offered('ottla _'), [])
  assert.deepEqual(offered('ottla groups de'), ['describe', 'delete-offsets', 'delete'])
  assert.deepEqual(offered('ottla configs '), ['describe', 'set', 'unset'])
  assert.deepEqual(offered('  ./bin/ottla completion z'), ['zsh'])
})

test('every command and every option of the tree is offered', () => {
  const visit = (at: Command, line: string): void => {
    const options = offered(`${line} -`)
    for (const { long, hidden } of at.options) {
      if (!hidden) assert.ok(options.includes(long!), `${line} ${long}`)
    }
    for (const each of at.commands.filter(one => one.name() !== '__complete')) {
      assert.ok(offered(`${line} `).includes(each.name()), `${line} ${each.name()}`)
      visit(each, `${line} ${each.name()}`)
    }
  }
  visit(root, 'ottla')
})

test('values are the words an option takes, names of the cluster, or files', () => {
  const lines: [line: string, values: string[]][] = [
    ['ottla produce orders -z l', ['lz4']],
    ['ottla produce orders --acks=a', ['--acks=all']],
    ['ottla consume ', ['(topics)']],
    ['ottla topics describe a ', ['(topics)']],
    ['ottla groups describe ', ['(groups)']],
    ['ottla groups reset-offsets billing --topic o', ['(topics)']],
    ['ottla groups reset-offsets billing --topic=o', ['(topics)']],
    ['ottla groups reset-offsets billing --from-file ', ['(files)']],
    ['ottla groups delete-offsets billing extra ', []],
    ['ottla configs describe ', ['topic', 'broker']],
    ['ottla configs set topic ', ['(topics)']],
    ['ottla configs set topic orders retention.m', ['retention.ms=']],
    ['ottla configs unset topic orders retention.m', ['retention.ms']],
    ['ottla configs set broker num.part', ['num.partitions=']],
    ['ottla groups delete -- -', ['(groups)']],
  ]
  for (const [line, values] of lines) assert.deepEqual(offered(line), values, line)
})

test('the cluster that the line names is asked, wherever it stands', () => {
  const { typed, bootstrap, ask } = complete(root, 'ottla consume -b kafka:9092 or')
  assert.deepEqual(
    { typed, bootstrap, ask },
    { typed: 'or', bootstrap: 'kafka:9092', ask: 'topics' },
  )
  assert.equal(complete(root, 'ottla consume --bootstrap=a:1,b:2 ').bootstrap, 'a:1,b:2')
  assert.deepEqual(offered('ottla consume -b '), [])
})

test('a line is cut into words as a shell cuts it', () => {
  assert.deepEqual(splitLine(`a 'b c' "d \\" e"f g\\ h `), ['a', 'b c', 'd " ef', 'g h', ''])
  assert.deepEqual(splitLine(`a 'unfinished b`), ['a', 'unfinished b'])
  assert.deepEqual(splitLine(''), [''])
})
