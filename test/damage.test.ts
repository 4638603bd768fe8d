import assert from 'node:assert/strict'
import { test } from 'node:test'
import { damageCase } from './damage/cases.ts'

test('damage in any file is found, and never served', async () => {
  const first = Math.floor(Math.random() * 1e9)
  let found = 0
  for (let seed = first; seed < first + 80; seed++) {
    const { verdict } = await damageCase(seed)
    if (verdict === 'found') found++
  }
  assert.ok(found > 50, `only ${found} of 80 were found, from seed ${first} on`)
})
