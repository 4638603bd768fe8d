import { test } from 'node:test'
import { runModel } from './model/model-run.ts'

// Thousands of seeds: npm run test:model -- --seeds N
for (let seed = 1; seed <= 24; seed++) {
  test(`a log does what its model does, seed ${seed}`, async () => {
    await runModel(seed)
  })
}
