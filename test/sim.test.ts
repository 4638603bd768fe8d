import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runClusterSeed } from '../src/sim/cluster-scenario.ts'
import { runSeed } from '../src/sim/scenario.ts'

/** Seeds that once failed; `npm run sim` finds new ones. */
const regressions = [205446784]

/** Of clusters: the same, and a few with every kind of fault. */
const clusterRegressions = [2, 4, 32, 188, 1059, 1150, 40617]

for (const seed of regressions) {
  test(`seed ${seed} keeps every promise`, async () => {
    assert.deepEqual((await runSeed(seed)).breaches, [])
  })
}

for (const seed of clusterRegressions) {
  test(`seed ${seed} of a cluster keeps every promise`, async () => {
    assert.deepEqual((await runClusterSeed(seed)).breaches, [])
  })
}

test('the same seed gives the same run', async () => {
  for (const seed of [1, 8]) {
    const { fingerprint, attempted, acknowledged, commits } = await runSeed(seed)
    assert.ok(acknowledged > 0 && commits > 0, 'a run in which nothing succeeds shows nothing')
    const again = await runSeed(seed)
    assert.deepEqual([again.fingerprint, again.attempted], [fingerprint, attempted])
  }
})

test('the same seed gives the same run of a cluster', async () => {
  for (const seed of [1, 11]) {
    const { fingerprint, events, acknowledged, breaches } = await runClusterSeed(seed)
    assert.deepEqual(breaches, [])
    assert.ok(acknowledged > 0, 'a run in which nothing succeeds shows nothing')
    const again = await runClusterSeed(seed)
    assert.deepEqual([again.fingerprint, again.events], [fingerprint, events])
  }
})
