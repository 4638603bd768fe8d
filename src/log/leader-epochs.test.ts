import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  formatDamage,
  formatEpochs,
  formatOffsets,
  parseDamage,
  parseEpochs,
  parseOffsets,
  parseProperties,
} from './checkpoint-file.ts'
import { folderName, offsetOfName, partitionOfFolder, retiredFolderName } from './file-names.ts'
import { LeaderEpochs } from './leader-epochs.ts'
import { formatSession, parseSession } from './session-file.ts'

function table(): LeaderEpochs {
  const epochs = new LeaderEpochs()
  for (const [epoch, start] of [
    [1, 0],
    [3, 10],
    [4, 25],
  ] as const) {
    epochs.assign(epoch, start)
  }
  return epochs
}

test('the end of an epoch is the start of the next known one, or the log end', () => {
  const epochs = table()
  assert.equal(epochs.endOf(0, 30), undefined)
  assert.deepEqual(epochs.endOf(1, 30), { epoch: 1, endOffset: 10 })
  assert.deepEqual(epochs.endOf(2, 30), { epoch: 1, endOffset: 10 })
  assert.deepEqual(epochs.endOf(3, 30), { epoch: 3, endOffset: 25 })
  assert.deepEqual(epochs.endOf(9, 30), { epoch: 4, endOffset: 30 })
  assert.equal(new LeaderEpochs().endOf(1, 0), undefined)
})

test('the epoch of an offset is that of the newest entry at or before it', () => {
  const epochs = table()
  assert.deepEqual(
    [0, 9, 10, 24, 25, 99].map(offset => epochs.epochAt(offset)),
    [1, 1, 3, 3, 4, 4],
  )
})

test('a known epoch changes nothing; a new one takes the place of entries that begin later', () => {
  const epochs = table()
  assert.equal(epochs.assign(4, 30), false)
  assert.equal(epochs.assign(6, 25), true)
  assert.deepEqual(epochs.entries, [
    { epoch: 1, startOffset: 0 },
    { epoch: 3, startOffset: 10 },
    { epoch: 6, startOffset: 25 },
  ])
})

test('cutting the end drops later entries; moving the start keeps the one that covers it', () => {
  const epochs = table()
  assert.equal(epochs.truncateFromEnd(25), true)
  assert.equal(epochs.latest, 3)
  assert.equal(epochs.truncateFromStart(12), true)
  assert.deepEqual(epochs.entries, [{ epoch: 3, startOffset: 12 }])
  assert.equal(epochs.truncateFromStart(12), false)
})

test('checkpoint files are read back, and nonsense is answered with undefined', () => {
  const offsets = new Map([
    ['words 0', 12],
    ['a.b-c_d 7', 2 ** 40],
  ])
  assert.deepEqual(parseOffsets(formatOffsets(offsets)), offsets)
  assert.equal(
    Buffer.from(formatOffsets(offsets)).toString(),
    '0\n2\nwords 0 12\na.b-c_d 7 1099511627776\n',
  )
  assert.deepEqual(parseEpochs(formatEpochs(table().entries)), table().entries)
  const damage = [{ baseOffset: 1, position: 2, endPosition: 3, startOffset: 4, endOffset: 5 }]
  assert.deepEqual(parseDamage(formatDamage(damage)), damage)
  for (const text of ['', '1\n0\n', '0\n2\na 0 1\n', '0\n1\na 0\n', '0\n1\na 0 -1\n', '\0\0\0']) {
    assert.equal(parseOffsets(Buffer.from(text)), undefined, text)
  }
  assert.equal(parseEpochs(Buffer.from('0\n2\n3 10\n2 20\n')), undefined)
  const properties = parseProperties(Buffer.from('#c\nversion=1\ncluster.id=a=b\n\n'), '=')
  assert.deepEqual(
    [...properties],
    [
      ['version', '1'],
      ['cluster.id', 'a=b'],
    ],
  )
})

test('a session file is read back, and one with a field missing is none', () => {
  const session = {
    directoryId: 'd',
    directoryIds: ['d', 'e'],
    missingIds: ['f'],
    lockInode: 5,
    brokerEpoch: 2n ** 60n,
    bootId: 'b',
    clean: false,
    allSync: true,
    lossy: false,
  }
  assert.deepEqual(parseSession(formatSession(session)), session)
  const json = JSON.parse(Buffer.from(formatSession(session)).toString())
  for (const key of Object.keys(json).filter(name => !/bootId|missingIds/.test(name))) {
    const { [key]: _, ...rest } = json
    assert.equal(parseSession(Buffer.from(JSON.stringify(rest))), undefined, key)
  }
  for (const text of ['', 'null', '[]', '{"clean":']) {
    assert.equal(parseSession(Buffer.from(text)), undefined)
  }
})

test('names of segments and folders are Kafka’s', () => {
  assert.equal(offsetOfName('00000000000000000042.log', '.log'), 42)
  for (const name of ['42.log', '00000000000000000042.index', '0000000000000000004x.log']) {
    assert.equal(offsetOfName(name, '.log'), undefined)
  }
  assert.deepEqual(partitionOfFolder(folderName('a-1.b', 12)), { topic: 'a-1.b', partition: 12 })
  for (const name of ['a', 'a-', 'a-1.0f-delete', 'a-99999999999', 'lost+found-1']) {
    assert.equal(partitionOfFolder(name), undefined, name)
  }
  assert.equal(retiredFolderName(`${'x'.repeat(249)}-0`, 'f'.repeat(32), 'delete').length, 255)
})
