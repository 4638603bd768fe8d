import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { type Input, linesOf, placeText } from './lines.ts'

async function cut(chunks: readonly string[], file?: string): Promise<string[]> {
  const input = Readable.from(chunks.map(chunk => Buffer.from(chunk))) as unknown as Input
  const found: string[] = []
  for await (const lines of linesOf(input, file)) {
    for (const { text, place } of lines) {
      found.push(`${placeText(place)}: ${Buffer.from(text).toString()}`)
    }
  }
  return found
}

test('lines come out whole and numbered, wherever the input is cut', async () => {
  const expected = ['line 1: a', 'line 2: ', 'line 3: größe', 'line 4: last']
  const text = 'a\n\ngröße\r\nlast'
  for (const size of [1, 2, 3, 100]) {
    const chunks = text.match(new RegExp(`[^]{1,${size}}`, 'gu'))!
    assert.deepEqual(await cut(chunks), expected, `cut every ${size}`)
  }
  assert.deepEqual(await cut(['a\n'], 'f.txt'), ['f.txt, line 1: a'])
  assert.deepEqual(await cut([]), [])
})

test('an input that fails is named', async () => {
  const failing = Readable.from(
    (function* () {
      yield Buffer.from('a\n')
      throw Object.assign(new Error('gone'), { code: 'EISDIR' })
    })(),
  ) as unknown as Input
  const reading = async () => {
    for await (const lines of linesOf(failing, 'folder')) assert.equal(lines.length, 1)
  }
  await assert.rejects(reading, {
    name: 'Failure',
    message: 'cannot read folder: it is a directory',
  })
})

test('a range of lines is written short where it can be', () => {
  const at = (line: number, file?: string) => ({ file, line })
  assert.equal(placeText(at(5), at(5)), 'line 5')
  assert.equal(placeText(at(5), at(90)), 'lines 5 to 90')
  assert.equal(placeText(at(5, 'a'), at(2, 'b')), 'a, line 5 to b, line 2')
})
