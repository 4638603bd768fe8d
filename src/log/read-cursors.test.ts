import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ReadCursors } from './read-cursors.ts'

test('who reads on from where a read ended is led there, whoever made that read', () => {
  const cursors = new ReadCursors()
  cursors.note(10, 700, cursors.generation)
  cursors.note(20, 900, cursors.generation)
  for (let time = 0; time < 2; time++) {
    assert.equal(cursors.find(10, 2000)?.position, 700)
    assert.equal(cursors.find(20, 2000)?.position, 900)
  }
  assert.equal(cursors.find(11, 2000), undefined)
  assert.equal(cursors.find(20, 900), undefined, 'nothing is there yet')
})

test('what a read found that began before a cut counts for nothing', () => {
  const cursors = new ReadCursors()
  cursors.note(10, 700, cursors.generation)
  const { generation } = cursors
  cursors.clear()
  cursors.note(20, 900, generation)
  assert.deepEqual([cursors.find(10, 2000), cursors.find(20, 2000)], [undefined, undefined])
})

test('sixteen are known: the oldest goes first', () => {
  const cursors = new ReadCursors()
  for (let offset = 0; offset < 17; offset++) cursors.note(offset, 0, cursors.generation)
  assert.deepEqual([cursors.find(0, 1), cursors.find(1, 1)?.baseOffset], [undefined, 1])
})
