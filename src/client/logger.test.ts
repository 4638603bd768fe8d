import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { defaultLogger, guarded } from './logger.ts'

async function nextWarning(emit: () => void): Promise<readonly [string, string, string]> {
  const heard = once(process, 'warning')
  emit()
  const [warning] = (await heard) as [Error & { detail: string }]
  return [warning.name, warning.message, warning.detail]
}

test('warnings go the way of those of Node, with their fields; the rest goes nowhere', async () => {
  const fields = { groupId: 'g', error: new Error('why'), at: { offset: 1 }, none: undefined }
  const heard = await nextWarning(() => {
    defaultLogger.debug({}, 'not this')
    defaultLogger.info({}, 'nor this')
    defaultLogger.warn(fields, 'it stands still')
  })
  assert.deepEqual(heard, [
    'OttlaWarning',
    'it stands still',
    'groupId=g error=why at={ offset: 1 }',
  ])
})

test('a logger that throws breaks nothing and is told of', async () => {
  const broken = () => {
    throw new Error('no disk')
  }
  const logger = guarded({ debug: broken, info: broken, warn: broken, error: broken })
  const heard = await nextWarning(() => logger.info({}, 'hello'))
  assert.deepEqual(heard, ['OttlaWarning', "the logger threw on 'hello'", 'error=no disk'])
})

test('a field that JSON cannot have does not break the default logger', async () => {
  const circle: Record<string, unknown> = { big: 1n }
  circle['self'] = circle
  const [, message] = await nextWarning(() => defaultLogger.warn({ circle }, 'a circle'))
  assert.equal(message, 'a circle')
})
