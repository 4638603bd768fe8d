import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from '../io/io.ts'
import { simulated } from '../sim/world.ts'
import { SharedClock } from './shared-clock.ts'

/** Counts the timers that are set and have neither gone off nor been cancelled. */
function counted(clock: Clock): Clock & { pending: number } {
  return {
    pending: 0,
    wallMs: () => clock.wallMs(),
    monotonicMs: () => clock.monotonicMs(),
    timer(delayMs, run) {
      let isPending = true
      const end = () => {
        if (isPending) this.pending--
        isPending = false
      }
      this.pending++
      const timer = clock.timer(delayMs, () => {
        end()
        run()
      })
      return {
        cancel() {
          end()
          timer.cancel()
        },
      }
    },
  }
}

test('many timers are one, and each goes off in its time', () =>
  simulated().run(async world => {
    const clock = counted(world.io().clock)
    const shared = new SharedClock(clock)
    const startMs = clock.monotonicMs()
    const went: [number, number][] = []
    for (const delayMs of [5000, 100, 3000, 200, 101]) {
      shared.timer(delayMs, () => went.push([delayMs, clock.monotonicMs() - startMs]))
    }
    assert.equal(clock.pending, 1)
    await world.sleep(6000)
    assert.deepEqual(
      went.map(([delayMs]) => delayMs),
      [100, 101, 200, 3000, 5000],
    )
    for (const [delayMs, tookMs] of went) assert.ok(Math.abs(tookMs - delayMs) < 20, `${tookMs}`)
    assert.equal(clock.pending, 0)
  }))

test('what is cancelled does not go off, also when another one does it at that moment', () =>
  simulated().run(async world => {
    const shared = new SharedClock(world.io().clock)
    const went: string[] = []
    const early = shared.timer(10, () => went.push('early'))
    const second = shared.timer(51, () => went.push('second'))
    shared.timer(50, () => {
      went.push('first')
      second.cancel()
    })
    early.cancel()
    await world.sleep(100)
    assert.deepEqual(went, ['first'])
  }))

test('a closed clock holds no timer', () =>
  simulated().run(async world => {
    const clock = counted(world.io().clock)
    const shared = new SharedClock(clock)
    shared.timer(10, () => assert.fail('closed'))
    shared.close()
    assert.equal(clock.pending, 0)
    await world.sleep(100)
  }))
