/**
 * The public API is documented: what the entry points export has docstrings, and docs/api is what
 * these print (`npm run docs`).
 *
 * Every name has a docstring, and every method and field of it. Without one may go what is told for
 * all of its kind: `[Symbol.asyncDispose]`, which is `close`; of an error its constructor and what all
 * errors have; a field that bears one of Kafka's own words, if it is no option. What is marked
 * `@internal` is not public. The names of `ottla/kafkajs` are those of kafkajs, which documents them.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { apiDocs, publicNames } from '../scripts/api-docs.ts'
import type { Member, PublicName } from '../scripts/public-names.ts'

const names = publicNames()

/** Kafka's words, which mean the same wherever they stand. */
const kafkaWords = [
  ...['topic', 'partition', 'offset', 'timestamp', 'key', 'value', 'headers'],
  ...['clusterId', 'brokerId', 'host', 'port', 'rack', 'clientId'],
  ...['groupId', 'memberId', 'groupInstanceId', 'apiKey', 'apiVersion', 'correlationId'],
]
const errorFields = ['name', 'code', 'retriable']

test('every public name, method and field has a docstring', () => {
  const undocumented = names.flatMap(owner => [
    ...(owner.doc === '' ? [`${owner.file}:${owner.line}: ${owner.name}`] : []),
    ...owner.members
      .filter(member => member.doc === '' && !isToldForAll(owner, member))
      .map(({ file, line, name }) => `${file}:${line}: ${name}`),
  ])
  assert.deepEqual([...new Set(undocumented)], [])
})

function isToldForAll(owner: PublicName, { kind, name }: Member): boolean {
  if (name === '[Symbol.asyncDispose]') return true
  if (owner.isError && (kind === 'constructor' || errorFields.includes(name))) return true
  return kind === 'field' && kafkaWords.includes(name) && !/(Options|Settings)$/.test(owner.name)
}

test('every type that the public API speaks of is public, too', () => {
  const known = new Set(names.map(({ name }) => name))
  const hidden = names.flatMap(({ name, file, line, mentions, members }) => [
    ...mentions.map(type => ({ type, at: `${file}:${line}: ${name}` })),
    ...members.flatMap(member =>
      member.mentions.map(type => ({
        type,
        at: `${member.file}:${member.line}: ${name}.${member.name}`,
      })),
    ),
  ])
  assert.deepEqual(
    hidden.filter(({ type }) => !known.has(type)).map(({ type, at }) => `${at} speaks of ${type}`),
    [],
  )
})

test('docs/api is what the docstrings print', () => {
  const folder = join(import.meta.dirname, '../docs/api')
  const printed = apiDocs(names)
  assert.deepEqual(readdirSync(folder).sort(), [...printed.keys()].sort(), 'npm run docs')
  for (const [file, text] of printed) {
    const committed = readFileSync(join(folder, file), 'utf8').split('\n')
    const line = text.split('\n').findIndex((each, index) => each !== committed[index])
    assert.equal(line, -1, `docs/api/${file}:${line + 1} is not what is printed: npm run docs`)
    assert.equal(committed.join('\n'), text)
  }
})
