import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseProperties } from './properties.ts'

test('properties are read as Java reads them', () => {
  const text = [
    '# a comment',
    '! another',
    '',
    'node.id=1',
    '  log.dirs = /a , /b  ',
    'num.partitions: 3',
    'auto.create.topics.enable true',
    'empty=',
    'bare',
    'long=one, \\',
    '     two',
    'escaped\\=key=a\\tb\\u00e9\\\\',
    'listeners=PLAINTEXT://:9092',
    'last=1',
    'last=2',
  ].join('\r\n')
  assert.deepEqual(Object.fromEntries(parseProperties(text)), {
    'node.id': '1',
    'log.dirs': '/a , /b  ',
    'num.partitions': '3',
    'auto.create.topics.enable': 'true',
    empty: '',
    bare: '',
    long: 'one, two',
    'escaped=key': 'a\tb\u00e9\\',
    listeners: 'PLAINTEXT://:9092',
    last: '2',
  })
})

test('a comment is no continuation and a trailing backslash is harmless', () => {
  assert.deepEqual(
    [...parseProperties('a=1\\\n#b\nc=2\\')],
    [
      ['a', '1#b'],
      ['c', '2'],
    ],
  )
})
