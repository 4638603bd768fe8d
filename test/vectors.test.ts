import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { errors } from '../src/protocol/errors.ts'
import { firstFlexibleVersions } from '../src/protocol/header-versions.ts'
import { includes } from '../src/protocol/schema.ts'
import { checkVectors, messages, readLines } from './vectors/check.ts'
import { type Definition, differences } from './vectors/definitions.ts'
import { compiledCodec, interpretedCodec } from './vectors/message-vectors.ts'

const file = (name: string): URL => new URL(`./vectors/${name}`, import.meta.url)

test('compiled codecs agree with every golden message', () => {
  const lines = readLines(file('message-vectors.ndjson.gz'))
  const { total, disagreements } = checkVectors(lines, compiledCodec)
  assert.deepEqual(disagreements, [])
  assert.equal(total, 2097)
})

test('the interpreter agrees with every golden message', () => {
  const lines = readLines(file('message-vectors.ndjson.gz'))
  const { disagreements } = checkVectors(lines, interpretedCodec)
  assert.deepEqual(disagreements, [])
})

test('golden record batches are read and built', () => {
  const lines = readLines(file('record-batch-vectors.ndjson.gz'))
  const { total, disagreements } = checkVectors(lines, compiledCodec)
  assert.deepEqual(disagreements, [])
  assert.equal(total, 32)
})

test('a vector that is wrong in one bit is found', () => {
  const line = readLines(file('message-vectors.ndjson.gz'))[1] ?? ''
  const wrong = line.replace(/"hex":"(.)/, (_, digit) => `"hex":"${digit === '0' ? '1' : '0'}`)
  const { disagreements } = checkVectors([line, wrong], compiledCodec)
  assert.match(disagreements.join(), /^line 2: .* decoding gives/)
})

test('every declaration is the official one, field by field', () => {
  const definitions = readLines(file('definitions.ndjson.gz')).map(
    line => JSON.parse(line) as Definition,
  )
  const spoken = definitions.filter(definition => definition.validVersions !== 'none')
  assert.equal(spoken.length, 245)
  assert.deepEqual([...messages.keys()].sort(), spoken.map(({ name }) => name).sort())
  for (const definition of spoken) {
    const message = messages.get(definition.name)
    assert.deepEqual(message && differences(message, definition), [], definition.name)
  }
})

test('every file of messages is part of the entry point', async () => {
  for (const name of readdirSync(new URL('../src/protocol/messages/', import.meta.url))) {
    const module: Record<string, { name?: string }> = await import(
      `../src/protocol/messages/${name}`
    )
    for (const [key, message] of Object.entries(module)) {
      assert.equal(messages.get(message.name ?? ''), message, `${name}: ${key}`)
    }
  }
})

test('the table of header versions is that of the requests', () => {
  const expected: Record<number, number> = {}
  for (const message of messages.values()) {
    const { type, apiKey, flexible } = message
    if (type !== 'request' || apiKey === undefined) continue
    if (includes(flexible, flexible.first)) expected[apiKey] = flexible.first
  }
  assert.deepEqual(firstFlexibleVersions, expected)
})

test('the table of errors is the official one', () => {
  const [, ...rows] = readLines(file('errors.tsv'))
  const ours = Object.entries(errors).map(([name, { code, retriable, invalidatesMetadata }]) =>
    [code, name, retriable, invalidatesMetadata].join('\t'),
  )
  assert.deepEqual(ours, rows)
})
