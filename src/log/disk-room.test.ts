import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Io } from '../io/io.ts'
import { simulated, type World } from '../sim/world.ts'
import { DiskRoom } from './disk-room.ts'

const mebibyte = 1024 ** 2

/** A disk of 100 MiB of which `used` are used, and what is said about it. */
async function roomOn(world: World, minFreeBytes: number) {
  const io = world.io()
  const disk = world.disk()
  disk.capacityBytes = 100 * mebibyte
  await io.disk.makeDirectory('/data')
  const lines: string[] = []
  const line = (_: unknown, message: string) => void lines.push(message)
  let looks = 0
  const counting: Io = {
    ...io,
    report: { info: line, warn: line, error: line },
    disk: Object.assign(Object.create(io.disk), {
      space(path: string) {
        looks++
        return io.disk.space(path)
      },
    }),
  }
  const room = new DiskRoom(counting, '/data', () => minFreeBytes)
  await room.look()
  return { room, lines, disk, io, looks: () => looks }
}

async function use(io: Io, bytes: number): Promise<void> {
  const file = await io.disk.open('/data/used', { create: true })
  await file.truncate(bytes)
  await file.close()
}

const refused = { error: 'KAFKA_STORAGE_ERROR', message: /disk of \/data is nearly full/ }

test('producers are stopped before the bound, said once, and go on when there is room again', () =>
  simulated().run(async world => {
    const { room, lines, io } = await roomOn(world, 10 * mebibyte)
    room.refuseUnlessEnough(90 * mebibyte)
    assert.throws(() => room.refuseUnlessEnough(90 * mebibyte + 1), refused)
    assert.deepEqual(lines, [])

    await use(io, 91 * mebibyte)
    await room.look()
    for (let n = 0; n < 5; n++) {
      assert.throws(() => room.refuseUnlessEnough(1), refused)
      await world.sleep(1100)
    }
    assert.equal(lines.length, 1)
    assert.match(lines[0]!, /less than 10 MiB are free .* consumers go on\. .*retention\.ms/)

    // A little above the bound is not enough.
    await use(io, 89 * mebibyte)
    assert.throws(() => room.refuseUnlessEnough(1), refused)
    await world.sleep(1100)
    assert.throws(() => room.refuseUnlessEnough(1), refused)
    await use(io, 80 * mebibyte)
    await world.sleep(1100)
    assert.throws(() => room.refuseUnlessEnough(1), refused) // This one has the disk looked at.
    await world.sleep(100)
    room.refuseUnlessEnough(1)
    assert.equal(lines.length, 2)
    assert.match(lines[1]!, /room on the disk again/)
  }))

test('a producer that is stopped a little above the bound is told of, too', () =>
  simulated().run(async world => {
    const { room, lines, io } = await roomOn(world, 10 * mebibyte)
    await use(io, 89 * mebibyte)
    await room.look()
    assert.deepEqual(lines, [])
    for (let n = 0; n < 5; n++) {
      assert.throws(() => room.refuseUnlessEnough(2 * mebibyte), refused)
      await world.sleep(1100)
    }
    assert.match(lines.join('\n'), /^less than 10 MiB are free [^\n]*$/)
    await use(io, 80 * mebibyte)
    assert.throws(() => room.refuseUnlessEnough(2 * mebibyte), refused) // It has the disk looked at.
    await world.sleep(100)
    room.refuseUnlessEnough(2 * mebibyte)
    assert.equal(lines.length, 2)
  }))

test('a burst between two looks counts, and the disk is asked at most once a second', () =>
  simulated().run(async world => {
    const { room, looks } = await roomOn(world, 10 * mebibyte)
    assert.equal(looks(), 1)
    for (let n = 0; n < 90; n++) {
      room.refuseUnlessEnough(mebibyte)
      room.taken(mebibyte)
    }
    assert.throws(() => room.refuseUnlessEnough(1), refused)
    assert.equal(looks(), 1)
    await world.sleep(1100)
    for (let n = 0; n < 100; n++) assert.throws(() => room.refuseUnlessEnough(1), refused)
    await world.sleep(100)
    // Nothing of it reached the disk.
    room.refuseUnlessEnough(1)
    assert.equal(looks(), 2)
  }))

test('by default a part of the disk stays free, and 0 is no bound', () =>
  simulated().run(async world => {
    const { room } = await roomOn(world, -1)
    room.refuseUnlessEnough(98 * mebibyte)
    assert.throws(() => room.refuseUnlessEnough(98 * mebibyte + 1), {
      message: /more than 2\.0 MiB are free/,
    })
    const { room: unbound, looks } = await roomOn(world, 0)
    unbound.refuseUnlessEnough(200 * mebibyte)
    await world.sleep(2000)
    unbound.refuseUnlessEnough(200 * mebibyte)
    assert.equal(looks(), 0)
  }))

test('a disk that does not say how much room it has stops nobody', () =>
  simulated().run(async world => {
    const { room, disk, lines } = await roomOn(world, 10 * mebibyte)
    disk.fault = operation => (operation === 'stat' ? 'EIO' : undefined)
    await room.look()
    room.refuseUnlessEnough(200 * mebibyte)
    assert.deepEqual(lines, [])
  }))
