import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTopics } from '../client/topics.ts'
import {
  client,
  consume,
  host,
  type Lines,
  logDirs,
  produce,
  start,
  topic,
} from '../sim/two-directories.ts'
import { simulated, type World } from '../sim/world.ts'

/** A broker that was stopped in order, with a record in each of four partitions. */
async function filled(world: World): Promise<void> {
  const broker = await start(world)
  const cluster = client(world)
  await createTopics(cluster, [{ name: topic, partitions: 4 }])
  for (const partition of [0, 1, 2, 3]) await produce(cluster, partition, `v${partition}`)
  const dirs = await logDirs(cluster)
  assert.deepEqual(
    dirs.map(({ logDir, errorCode, partitions }) => [logDir, errorCode, partitions.length]),
    [
      ['/a', 0, 2],
      ['/b', 0, 2],
    ],
  )
  cluster.close()
  await broker.close()
}

function isLossy(line: string): boolean {
  return line === 'elected a leader that may have lost records'
}

function failAll(world: World, directory: string): void {
  world.disk(host).fault = (_, path) => (path.startsWith(directory) ? 'EIO' : undefined)
}

test('partitions are spread over the directories, and are there after a restart', () =>
  simulated().run(async world => {
    await filled(world)
    const broker = await start(world)
    assert.deepEqual(broker.dataDirectories, ['/a', '/b'])
    const cluster = client(world)
    for (const partition of [0, 1, 2, 3]) {
      assert.deepEqual(await consume(cluster, partition), [`v${partition}`])
    }
    await broker.close()
  }))

test('a start without one of its directories serves the rest; with it all is there again', () =>
  simulated().run(async world => {
    await filled(world)
    failAll(world, '/b')
    const lines: Lines = []
    const broker = await start(world, {}, lines)
    const cluster = client(world)
    const [a, b] = await logDirs(cluster)
    assert.deepEqual(b, { logDir: '/b', errorCode: 56, partitions: [] })
    const lost = [0, 1, 2, 3].filter(partition => !a!.partitions.includes(partition))
    for (const partition of a!.partitions) assert.equal(await produce(cluster, partition, 'w'), 1)
    for (const partition of lost) await assert.rejects(produce(cluster, partition, 'w'))
    assert.ok(!world.disk(host).paths().includes(`/a/${topic}-${lost[0]}/partition.metadata`))
    // What comes new goes where there is room.
    await createTopics(cluster, [{ name: 'new', partitions: 2 }])
    assert.ok(world.disk(host).paths().includes('/a/new-1/partition.metadata'))
    const told = lines.filter(line => /^\/b cannot be used: 2 partitions that lie/.test(line))
    assert.equal(told.length, 1)
    // The other directory was closed in order, and says so.
    assert.deepEqual(lines.filter(isLossy), [])
    cluster.close()
    await broker.close()

    world.disk(host).fault = undefined
    const later: Lines = []
    const whole = await start(world, {}, later)
    assert.equal(later.filter(isLossy).length, lost.length)
    const again = client(world)
    for (const partition of a!.partitions) {
      assert.deepEqual(await consume(again, partition), [`v${partition}`, 'w'])
    }
    for (const partition of lost) {
      assert.deepEqual(await consume(again, partition), [`v${partition}`])
      assert.equal(await produce(again, partition, 'w'), 1)
    }
    await whole.close()
  }))

/** The disk of /b is not mounted: an empty folder. Answers the partitions that lie there. */
async function unmounted(world: World): Promise<number[]> {
  await filled(world)
  const names = world.disk(host).paths()
  const lost = [0, 1, 2, 3].filter(index =>
    names.some(path => path.startsWith(`/b/${topic}-${index}/`)),
  )
  await world.io(host).disk.rename('/b', '/unmounted')
  return lost
}

test('a disk that is not mounted is no new disk: what lies there is offline, at every start, until it is back', () =>
  simulated().run(async world => {
    const lost = await unmounted(world)
    for (let round = 0; round < 3; round++) {
      const lines: Lines = []
      const broker = await start(world, round === 2 ? { 'log.dirs': '/a' } : {}, lines)
      const cluster = client(world)
      for (const index of [0, 1, 2, 3]) {
        const produced = produce(cluster, index, 'w')
        if (lost.includes(index)) await assert.rejects(produced)
        else assert.equal(await produced, round + 1)
      }
      assert.equal(
        lines.filter(line => /2 partitions that .*'touch \/a\/ottla-forget/.test(line)).length,
        1,
      )
      const folders = world
        .disk(host)
        .paths()
        .filter(path => path.includes(`/${topic}-${lost[0]}/`))
      assert.ok(folders.every(path => path.startsWith('/unmounted/')))
      cluster.close()
      // A kill does no harm to the proof of what is here.
      if (round === 1) world.kill(host)
      else await broker.close()
      assert.ok(round !== 2 || !lines.some(isLossy))
    }
    const { disk } = world.start(host)
    await disk.remove('/b')
    await disk.rename('/unmounted', '/b')
    world.kill(host)
    const broker = await start(world)
    for (const index of lost) assert.deepEqual(await consume(client(world), index), [`v${index}`])
    await broker.close()
  }))

test('when a person says that a disk is lost for good, what lay on it begins anew', () =>
  simulated().run(async world => {
    const lost = await unmounted(world)
    await world.io(host).disk.replaceFile('/a/ottla-forget-missing', new Uint8Array(0))
    for (let round = 0; round < 2; round++) {
      const lines: Lines = []
      const broker = await start(world, {}, lines)
      assert.deepEqual(broker.dataDirectories, ['/a', '/b'])
      for (const index of lost) assert.equal(await produce(client(world), index, 'w'), round)
      assert.ok(!lines.some(line => /missing/.test(line)))
      await broker.close()
    }
  }))

test('damage in one directory after a kill says nothing of what lies in the other', () =>
  simulated().run(async world => {
    const broker = await start(world)
    const cluster = client(world)
    await createTopics(cluster, [{ name: topic, partitions: 4 }])
    for (const partition of [0, 1, 2, 3]) await produce(cluster, partition, 'v')
    const [, b] = await logDirs(cluster)
    assert.equal(broker.dataDirectories.length, 2)
    cluster.close()
    world.kill(host)
    world.disk(host).flip(`/b/${topic}-${b!.partitions[0]}/00000000000000000000.log`, 64)
    const lines: Lines = []
    const again = await start(world, {}, lines)
    assert.equal(lines.filter(isLossy).length, b!.partitions.length)
    await again.close()
  }))

test('a directory that fails while the broker runs takes its partitions offline, no others', () =>
  simulated().run(async world => {
    await filled(world)
    const broker = await start(world)
    const cluster = client(world)
    const before = await logDirs(cluster)
    failAll(world, '/b')
    const [lost] = before[1]!.partitions
    await assert.rejects(produce(cluster, lost!, 'x'))
    for (const partition of before[0]!.partitions) {
      assert.equal(await produce(cluster, partition, 'x'), 1)
    }
    await world.sleep(30_000)
    assert.deepEqual((await logDirs(cluster))[1], { logDir: '/b', errorCode: 56, partitions: [] })
    await assert.rejects(consume(cluster, lost!))
    world.disk(host).fault = undefined
    await broker.close()
    assert.equal(await broker.ended, undefined)
  }))

test('the directory of the metadata store is one that the broker cannot do without', () =>
  simulated().run(async world => {
    await filled(world)
    const broker = await start(world)
    failAll(world, '/a')
    const cluster = client(world)
    await createTopics(cluster, [{ name: 'new' }]).catch(() => {})
    assert.match((await broker.ended)!.message, /metadata store cannot write/)
    world.kill(host)
    failAll(world, '/a')
    await assert.rejects(start(world), {
      name: 'ConfigError',
      message: /has the metadata store, so it lies in \/a/,
    })
  }))

test('the metadata store may have a directory of its own, and is found when log.dirs changes', () =>
  simulated().run(async world => {
    const first = await start(world, { 'metadata.log.dir': '/meta', 'log.dirs': '/a' })
    const { clusterId } = first
    assert.ok(world.disk(host).paths().includes('/meta/ottla-metadata.log'))
    await assert.rejects(world.start(host).disk.lock('/meta'), { name: 'DirectoryLockedError' })
    await first.close()
    await world.io(host).disk.rename('/meta/ottla-metadata.log', '/a/ottla-metadata.log')
    await world.io(host).disk.remove('/meta')
    const second = await start(world, { 'log.dirs': '/new,/a' })
    assert.equal(second.clusterId, clusterId)
    await second.close()
  }))

test('a partition that lies in two directories is refused, and both copies stay', () =>
  simulated().run(async world => {
    await filled(world)
    const { disk } = world.io(host)
    const inA = world.disk(host).paths().includes(`/a/${topic}-0/partition.metadata`)
    const [from, to] = inA ? ['/a', '/b'] : ['/b', '/a']
    const path = `${topic}-0/partition.metadata`
    await disk.makeDirectory(`${to}/${topic}-0`)
    await disk.replaceFile(`${to}/${path}`, world.disk(host).content(`${from}/${path}`)!)
    await assert.rejects(start(world), {
      name: 'ConfigError',
      message: /partition orders-0 lies in \/a and in \/b: keep the copy that is complete/,
    })
    for (const place of ['/a', '/b']) {
      assert.ok(world.disk(host).paths().includes(`${place}/${path}`))
    }
  }))

test('producers are stopped before the disk is full; consumers go on, and all when there is room', () =>
  simulated().run(async world => {
    const lines: Lines = []
    const broker = await start(world, { 'log.dir.min.free.bytes': '1000000' }, lines)
    const cluster = client(world)
    await createTopics(cluster, [{ name: topic, partitions: 1 }])
    assert.equal(await produce(cluster, 0, 'a'), 0)
    const disk = world.disk(host)
    disk.capacityBytes = disk.usedBytes + 900_000
    await world.sleep(1100)
    await produce(cluster, 0, 'b') // Has the disk looked at.
    await assert.rejects(produce(cluster, 0, 'c'), {
      error: 'KAFKA_STORAGE_ERROR',
      message: /the disk of \/[ab] is nearly full/,
    })
    assert.deepEqual(await consume(cluster, 0), ['a', 'b'])
    await world.sleep(5000)
    await assert.rejects(produce(cluster, 0, 'c'))
    assert.equal(lines.filter(line => /producers are stopped/.test(line)).length, 1)
    disk.capacityBytes += 900_000
    await world.sleep(1100)
    assert.equal(await produce(cluster, 0, 'c'), 2)
    assert.equal(lines.filter(line => /producers go on/.test(line)).length, 1)
    await broker.close()
  }))
