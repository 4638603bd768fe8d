import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTopics } from '../client/topics.ts'
import { buildBatch } from '../protocol/records/build.ts'
import { client, consume, host, start, topic } from '../sim/two-directories.ts'
import { simulated } from '../sim/world.ts'

/** The table "What is kept, and when" of the README, line by line (docs/replication.md §9). */
const policies = {
  os: {},
  interval: { 'log.flush.interval.ms': '1000' },
  sync: { 'log.flush.interval.messages': '1' },
} satisfies Record<string, Record<string, string>>

/** How many of ten acknowledged records must be there; five are older than the interval. */
const kept = {
  kill: { os: 10, interval: 10, sync: 10 },
  powerLoss: { os: 0, interval: 5, sync: 10 },
} as const

for (const policy of ['os', 'interval', 'sync'] as const) {
  for (const acks of [1, -1] as const) {
    for (const end of ['kill', 'powerLoss'] as const) {
      const must = kept[end][policy]
      test(`flush policy ${policy}, acks=${acks === 1 ? '1' : 'all'}: a ${end} leaves ${must} of 10 at least, in order`, async () => {
        let least = 10
        for (let seed = 1; seed <= 12; seed++) {
          await simulated(seed).run(async world => {
            const properties = { 'log.dirs': '/a', ...policies[policy] }
            await start(world, properties)
            const cluster = client(world)
            await createTopics(cluster, [{ name: topic, partitions: 1 }])
            const expected: string[] = []
            for (let number = 0; number < 10; number++) {
              const value = `${number}`.padEnd(2000, 'x')
              const records = buildBatch({}, [{ value, timestamp: 1_767_225_600_000 }])
              const [result] = await cluster.produce([{ topic, partition: 0, records }], { acks })
              assert.ok(result !== undefined && !(result instanceof Error))
              expected.push(value)
              if (number === 4) await world.sleep(1500)
            }
            world[end](host)
            cluster.close()
            const broker = await start(world, properties)
            const again = client(world)
            const values = await consume(again, 0)
            assert.deepEqual(values, expected.slice(0, values.length), `seed ${seed}`)
            assert.ok(values.length >= must, `seed ${seed}: ${values.length}`)
            least = Math.min(least, values.length)
            again.close()
            await broker.close()
          })
        }
        // No promise is smaller than it could be.
        assert.ok(must === 10 || least < 10, `${least}`)
      })
    }
  }
}
