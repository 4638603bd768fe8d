import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { apis } from './apis.ts'
import { configuration, protocolSupport } from './support.ts'

function doc(name: string): string {
  return readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')
}

test('docs/protocol-support.md is what the list of APIs prints', () => {
  assert.equal(doc('protocol-support.md'), protocolSupport(), 'npm run docs')
})

test('docs/configuration.md is what the key tables print', () => {
  assert.equal(doc('configuration.md'), configuration(), 'npm run docs')
})

test('the list of APIs is in order of keys, none twice', () => {
  const keys = apis.map(({ request }) => request.apiKey!)
  assert.deepEqual(
    keys,
    [...new Set(keys)].sort((a, b) => a - b),
  )
})
