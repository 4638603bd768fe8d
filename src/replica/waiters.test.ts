import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KafkaError } from '../protocol/errors.ts'
import { simulated } from '../sim/world.ts'
import { Waiters } from './waiters.ts'

/** A deadline that is not reached. */
const never = Number.MAX_SAFE_INTEGER

/** Names in the order in which their promises settle. */
function observed(log: string[], name: string, promise: Promise<void>): void {
  promise.then(
    () => log.push(name),
    error => log.push(`${name}: ${error.error}`),
  )
}

test('who waits is answered when the end is reached, in order', () =>
  simulated().run(async world => {
    const waiters = new Waiters(world.io().clock, 3)
    const log: string[] = []
    observed(log, 'reached before', waiters.wait(3, never))
    observed(log, 'five', waiters.wait(5, never))
    observed(log, 'nine', waiters.wait(9, never))
    await world.sleep(1)
    assert.deepEqual(log, ['reached before'])
    waiters.reach(8)
    await world.sleep(1)
    assert.deepEqual(log, ['reached before', 'five'])
    waiters.reach(9)
    await world.sleep(1)
    assert.deepEqual(log, ['reached before', 'five', 'nine'])
  }))

test('each deadline is kept, whatever the order they come in', () =>
  simulated().run(async world => {
    const { clock } = world.io()
    const waiters = new Waiters(clock, 0)
    const startMs = clock.monotonicMs()
    const took: [number, number][] = []
    const delays = [5000, 100, 3000, 200, 100]
    const waits = delays.map(async (delayMs, i) => {
      const wait = waiters.wait(i + 1, startMs + delayMs)
      await assert.rejects(wait, { error: 'REQUEST_TIMED_OUT' })
      took.push([delayMs, clock.monotonicMs() - startMs])
    })
    await Promise.all(waits)
    assert.deepEqual(
      took.map(([delayMs]) => delayMs),
      [100, 100, 200, 3000, 5000],
    )
    for (const [delayMs, tookMs] of took) assert.ok(Math.abs(tookMs - delayMs) < 20, `${tookMs}`)
  }))

test('one that timed out in the middle does not hold up those around it', () =>
  simulated().run(async world => {
    const waiters = new Waiters(world.io().clock, 0)
    const log: string[] = []
    const nowMs = world.io().clock.monotonicMs()
    observed(log, 'a', waiters.wait(1, nowMs + 9000))
    observed(log, 'b', waiters.wait(2, nowMs + 10))
    observed(log, 'c', waiters.wait(3, nowMs + 9000))
    await world.sleep(100)
    waiters.reach(3)
    await world.sleep(1)
    assert.deepEqual(log, ['b: REQUEST_TIMED_OUT', 'a', 'c'])
  }))

test('failing from an offset on leaves those below it', () =>
  simulated().run(async world => {
    const waiters = new Waiters(world.io().clock, 0)
    const log: string[] = []
    observed(log, 'a', waiters.wait(1, never))
    observed(log, 'b', waiters.wait(2, never))
    waiters.fail(1, new KafkaError('KAFKA_STORAGE_ERROR'))
    waiters.reach(1)
    await world.sleep(1)
    assert.deepEqual(log, ['b: KAFKA_STORAGE_ERROR', 'a'])
  }))

test('many thousands pass through in steps', () =>
  simulated().run(async world => {
    const waiters = new Waiters(world.io().clock, 0)
    const waits: Promise<void>[] = []
    for (let end = 1; end <= 20_000; end++) {
      waits.push(waiters.wait(end, never))
      if (end % 3 === 0) waiters.reach(Math.max(0, end - 1500))
    }
    waiters.reach(20_000)
    await Promise.all(waits)
  }))
