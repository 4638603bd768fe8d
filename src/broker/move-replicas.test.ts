import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Cluster } from '../client/cluster.ts'
import { alterOffsets, fetchOffsets } from '../client/groups.ts'
import { createTopics, deleteTopics } from '../client/topics.ts'
import { deleteRecordsRequest, deleteRecordsResponse } from '../protocol/messages/delete-records.ts'
import {
  describeLogDirsRequest,
  describeLogDirsResponse,
} from '../protocol/messages/describe-log-dirs.ts'
import {
  client,
  consume,
  host,
  type Lines,
  logDirs,
  move,
  produce,
  start,
  topic,
  valuesOf,
} from '../sim/two-directories.ts'
import { simulated, type World } from '../sim/world.ts'

const small = { 'log.segment.bytes': '1048576' }

/** Where partition 0 lies: the first directory that has its folder. */
function place(world: World): string[] {
  return ['/a', '/b'].filter(path =>
    world.disk(host).paths().includes(`${path}/${topic}-0/partition.metadata`),
  )
}

async function arrived(world: World, cluster: Cluster, path: string): Promise<void> {
  for (let n = 0; n < 1000; n++) {
    const dirs = await logDirs(cluster)
    if (dirs.find(({ logDir }) => logDir === path)!.partitions.includes(0)) return
    await world.sleep(20)
  }
  assert.fail(`partition 0 is not in ${path}`)
}

async function withFutures(cluster: Cluster) {
  const answer = await cluster.callBroker(
    1,
    describeLogDirsRequest,
    describeLogDirsResponse,
    { topics: [{ topic, partitions: [0] }] },
    ({ errorCode }) => errorCode,
  )
  return answer.results.flatMap(({ logDir, topics }) =>
    topics.flatMap(({ partitions }) => partitions.map(each => ({ logDir, ...each }))),
  )
}

test('a replica moves while it is written, and the old folder goes', () =>
  simulated().run(async world => {
    const lines: Lines = []
    const broker = await start(world, small, lines)
    const cluster = client(world)
    await createTopics(cluster, [{ name: topic, partitions: 1 }])
    const expected: string[] = []
    const write = async (count: number) => {
      for (let n = 0; n < count; n++) {
        const value = `${expected.length}`.padEnd(100_000, 'x')
        assert.equal(await produce(cluster, 0, value), expected.length)
        expected.push(value)
      }
    }
    await write(40)
    const [from] = place(world)
    const to = from === '/a' ? '/b' : '/a'
    assert.equal(await move(cluster, to, 0), 0)
    const [, future] = (await withFutures(cluster)).sort(
      (a, b) => Number(a.isFutureKey) - Number(b.isFutureKey),
    )
    assert.equal(future!.logDir, to)
    assert.equal(future!.isFutureKey, true)
    assert.ok(future!.offsetLag > 0 && future!.offsetLag <= 40, `${future!.offsetLag}`)
    await write(20)
    await arrived(world, cluster, to)
    await write(5)
    assert.deepEqual(place(world), [to])
    const found: string[] = []
    for (let offset = 0; offset < expected.length; ) {
      const [result] = await cluster.fetch([{ topic, partition: 0, offset }], { maxWaitMs: 0 })
      assert.ok(!(result instanceof Error) && result !== undefined)
      const values = valuesOf(result.records)
      found.push(...values)
      offset += values.length
    }
    assert.deepEqual(found, expected)
    assert.equal(lines.filter(line => /lies in its new directory/.test(line)).length, 1)
    cluster.close()
    await broker.close()

    const again = await start(world, small)
    const second = client(world)
    assert.equal(await produce(second, 0, 'last'), 65)
    // And back, which finds nothing of the first move in its way.
    assert.equal(await move(second, from!, 0), 0)
    await arrived(world, second, from!)
    assert.equal(await produce(second, 0, 'more'), 66)
    assert.ok(
      !world
        .disk(host)
        .paths()
        .some(path => /moved-from|-future/.test(path)),
    )
    await again.close()
  }))

test('what was deleted stays deleted where the replica moves to', () =>
  simulated().run(async world => {
    await start(world)
    const cluster = client(world)
    await createTopics(cluster, [{ name: topic, partitions: 1 }])
    for (const value of ['a', 'b', 'c', 'd']) await produce(cluster, 0, value)
    const deleted = await cluster.callBroker(
      1,
      deleteRecordsRequest,
      deleteRecordsResponse,
      {
        topics: [{ name: topic, partitions: [{ partitionIndex: 0, offset: 2 }] }],
        timeoutMs: 1000,
      },
      () => 0,
    )
    assert.equal(deleted.topics[0]!.partitions[0]!.lowWatermark, 2)
    const to = place(world)[0] === '/a' ? '/b' : '/a'
    await move(cluster, to, 0)
    await arrived(world, cluster, to)
    const check = async (next: Cluster) => {
      const read = (offset: number) =>
        next.fetch([{ topic, partition: 0, offset }], { maxWaitMs: 0 })
      const [before] = await read(1)
      assert.equal((before as { error?: string }).error, 'OFFSET_OUT_OF_RANGE')
      const [after] = await read(2)
      assert.ok(!(after instanceof Error) && after !== undefined)
      assert.deepEqual(valuesOf(after.records), ['c', 'd'])
    }
    await check(cluster)
    world.kill(host)
    const again = await start(world)
    await check(client(world))
    await again.close()
  }))

test('a replica without any record moves, too', () =>
  simulated().run(async world => {
    const broker = await start(world)
    const cluster = client(world)
    await createTopics(cluster, [{ name: topic, partitions: 1 }])
    const to = place(world)[0] === '/a' ? '/b' : '/a'
    assert.equal(await move(cluster, to, 0), 0)
    await arrived(world, cluster, to)
    assert.equal(await produce(cluster, 0, 'a'), 0)
    assert.deepEqual(await consume(cluster, 0), ['a'])
    await broker.close()
  }))

test('committed offsets are where they were while their partition moves, and commits go on', () =>
  simulated().run(async world => {
    const broker = await start(world)
    const cluster = client(world, 30_000)
    await createTopics(cluster, [{ name: topic, partitions: 1 }])
    const commit = async (offset: number) => {
      const outcomes = await alterOffsets(cluster, 'group', [{ topic, partition: 0, offset }])
      assert.equal(outcomes[0]!.error, undefined)
    }
    await commit(1)
    const offsets = '__consumer_offsets'
    const isIn = (path: string) =>
      world.disk(host).paths().includes(`${path}/${offsets}-0/partition.metadata`)
    const to = isIn('/a') ? '/b' : '/a'
    assert.equal(await move(cluster, to, 0, offsets), 0)
    for (let offset = 2; offset < 200; offset++) await commit(offset)
    assert.ok(isIn(to))
    assert.equal((await fetchOffsets(cluster, 'group'))[0]!.offset, 199)
    await broker.close()
    const again = await start(world)
    assert.equal((await fetchOffsets(client(world), 'group'))[0]!.offset, 199)
    await again.close()
  }))

test('what cannot be moved is refused, and a move can be given up', () =>
  simulated().run(async world => {
    const broker = await start(world)
    const cluster = client(world)
    await createTopics(cluster, [{ name: topic, partitions: 1 }])
    await produce(cluster, 0, 'a')
    const [from] = place(world)
    const to = from === '/a' ? '/b' : '/a'
    assert.equal(await move(cluster, '/c', 0), 57)
    assert.equal(await move(cluster, to, 1), 3)
    assert.equal(await move(cluster, to, 0, 'unknown'), 3)
    assert.equal(await move(cluster, from!, 0), 0)
    for (let n = 0; n < 30; n++) await produce(cluster, 0, 'x'.repeat(100_000))
    assert.equal(await move(cluster, to, 0), 0)
    assert.equal(await move(cluster, from!, 0), 0)
    await world.sleep(2000)
    assert.deepEqual(place(world), [from])
    assert.ok(
      !world
        .disk(host)
        .paths()
        .some(path => path.includes('-future')),
    )

    world.disk(host).fault = (_, path) => (path.startsWith('/b') ? 'EIO' : undefined)
    await move(cluster, '/b', 0)
    await world.sleep(1000)
    if (from === '/a') assert.equal(await produce(cluster, 0, 'y'), 31)
    world.disk(host).fault = undefined
    await broker.close()
  }))

test('a topic that is deleted while it moves leaves nothing', () =>
  simulated().run(async world => {
    const broker = await start(world)
    const cluster = client(world)
    await createTopics(cluster, [{ name: topic, partitions: 1 }])
    for (let n = 0; n < 30; n++) await produce(cluster, 0, 'x'.repeat(100_000))
    const to = place(world)[0] === '/a' ? '/b' : '/a'
    assert.equal(await move(cluster, to, 0), 0)
    await deleteTopics(cluster, [topic])
    await world.sleep(120_000)
    assert.ok(
      !world
        .disk(host)
        .paths()
        .some(path => path.includes(topic)),
    )
    await broker.close()
  }))

/** Resolves after so many operations that change what is on the disk, reads and writes not counted. */
function afterChanges(world: World, count: number): Promise<void> {
  const changes = ['rename', 'remove', 'syncDirectory', 'makeDirectory', 'sync', 'truncate']
  let left = count
  return new Promise(resolve => {
    world.disk(host).fault = operation => {
      if (changes.includes(operation) && --left === 0) resolve()
      return undefined
    }
  })
}

for (const kind of ['kill', 'power loss'] as const) {
  test(`a ${kind} at any point of a move leaves every acknowledged record, once`, async () => {
    const seen = { old: 0, both: 0, new: 0 }
    let sweep = 0
    for (let step = 1; seen.new < 12; step++) {
      assert.ok(step < 200, 'the move never ended')
      await simulated(1000 * sweep + step).run(async world => {
        const sync = { ...small, 'log.flush.interval.messages': '1' }
        await start(world, sync)
        const cluster = client(world)
        await createTopics(cluster, [{ name: topic, partitions: 1 }])
        const acknowledged: string[] = []
        for (let n = 0; n < 6; n++) {
          const value = `${n}`.padEnd(200_000, 'x')
          await produce(cluster, 0, value)
          acknowledged.push(value)
        }
        const [from] = place(world)
        const to = from === '/a' ? '/b' : '/a'
        const reached = afterChanges(world, step)
        await move(cluster, to, 0)
        let isDead = false
        const writing = (async () => {
          for (let n = 0; !isDead; n++) {
            const value = `w${n}`
            const offset = await produce(cluster, 0, value).catch(() => -1)
            if (!isDead && offset >= 0) acknowledged.push(value)
          }
        })()
        await reached
        isDead = true
        world.kill(host)
        if (kind === 'power loss') world.disk(host).powerLoss()
        world.disk(host).fault = undefined
        const places = place(world)
        assert.notEqual(places.length, 0, `step ${step}`)
        seen[places.length === 2 ? 'both' : places[0] === from ? 'old' : 'new']++

        const broker = await start(world, sync)
        const again = client(world)
        const values: string[] = []
        for (;;) {
          const position = { topic, partition: 0, offset: values.length }
          const [result] = await again.fetch([position], { maxWaitMs: 0 })
          assert.ok(!(result instanceof Error) && result !== undefined, `step ${step}: ${result}`)
          const more = valuesOf(result.records)
          if (more.length === 0) break
          values.push(...more)
        }
        const lost = acknowledged.filter(value => !values.includes(value))
        assert.deepEqual(lost, [], `step ${step}`)
        await produce(again, 0, 'after')
        assert.equal(place(world).length, 1, `step ${step}`)
        assert.ok(
          !world
            .disk(host)
            .paths()
            .some(path => path.includes('-future')),
        )
        again.close()
        cluster.close()
        await writing
        await broker.close()
      })
      // A moment with two folders is short: once more, with other delays, when none was met.
      if (seen.new === 12 && seen.both === 0 && sweep < 4) {
        sweep++
        seen.new = 0
        step = 0
      }
    }
    assert.ok(seen.old > 10 && seen.both > 0, JSON.stringify(seen))
  })
}

test('a move copies no faster than it may', () =>
  simulated().run(async world => {
    const properties = { ...small, 'replica.alter.log.dirs.io.max.bytes.per.second': '500000' }
    const broker = await start(world, properties)
    const cluster = client(world)
    await createTopics(cluster, [{ name: topic, partitions: 1 }])
    for (let n = 0; n < 40; n++) await produce(cluster, 0, 'x'.repeat(100_000))
    const [from] = place(world)
    const to = from === '/a' ? '/b' : '/a'
    const startMs = world.nowMs
    assert.equal(await move(cluster, to, 0), 0)
    await arrived(world, cluster, to)
    const tookMs = world.nowMs - startMs
    // Four megabytes, the last one of which is copied as fast as can be.
    assert.ok(tookMs > 5000 && tookMs < 9000, `${tookMs}`)
    cluster.close()
    await broker.close()
  }))
