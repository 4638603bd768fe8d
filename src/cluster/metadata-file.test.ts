import assert from 'node:assert/strict'
import { test } from 'node:test'
import { codecs, everything, keys } from './keys.ts'
import { type KeyValue, metadataLines, restoredMetadata } from './metadata-file.ts'
import type { PartitionState } from './partition-state.ts'

const partition: PartitionState = {
  leader: [1, 40n],
  leaderEpoch: 7,
  partitionEpoch: 9,
  minIsr: 2,
  replicas: [1, 2, 3],
  isr: [
    [1, 40n],
    [2, 41n],
  ],
  elr: [],
  lastKnown: [],
  adding: [],
  removing: [],
}

const cluster = { clusterId: 'c', formatVersion: 1, features: new Map() }

const entries: readonly KeyValue[] = [
  { key: keys.alive(1), value: new TextEncoder().encode('{}') },
  { key: keys.admitted(1), value: new TextEncoder().encode('{}') },
  { key: keys.cluster, value: codecs.cluster.encode(cluster) },
  { key: keys.configs('topic', 't'), value: new TextEncoder().encode('{"x":"ž"}') },
  { key: keys.controllerSeq, value: new TextEncoder().encode('{}') },
  { key: `${everything}of-tomorrow/x`, value: new TextEncoder().encode('{"y":1}') },
  { key: keys.producerIds, value: codecs.producerIds.encode({ next: 3000 }) },
  { key: keys.partition('tid', 0), value: codecs.partition.encode(partition) },
]

const written = (from = entries) => [...metadataLines(from, 50n, 1_767_225_600_000)].join('')

function valueAt(found: readonly KeyValue[], key: string): Uint8Array {
  return found.find(each => each.key === key)!.value
}

test('a file holds what no broker has to be there for, and the cluster comes last', () => {
  const { head, entries: found } = restoredMetadata(written())
  assert.deepEqual(head, { clusterId: 'c', revision: '50', writtenMs: 1_767_225_600_000 })
  assert.deepEqual(
    found.map(({ key }) => key),
    [
      keys.configs('topic', 't'),
      `${everything}of-tomorrow/x`,
      keys.producerIds,
      keys.partition('tid', 0),
      keys.cluster,
    ],
  )
  assert.equal(new TextDecoder().decode(valueAt(found, keys.configs('topic', 't'))), '{"x":"ž"}')
})

test('what is put back believes nobody in sync, and begins above every epoch and id', () => {
  const { entries: found } = restoredMetadata(written())
  const state = codecs.partition.decode(valueAt(found, keys.partition('tid', 0)))
  assert.deepEqual(
    [state.leader, state.isr, state.elr, state.lastKnown, state.replicas, state.minIsr],
    [null, [], [], [1, 2, 3], [1, 2, 3], 2],
  )
  assert.ok(state.leaderEpoch >= 1_000_007)
  assert.ok(state.partitionEpoch >= 1_000_009)
  const { next } = codecs.producerIds.decode(valueAt(found, keys.producerIds))
  assert.ok(next >= 1_000_003_000)
})

test('a file that is cut, changed or of something else is refused', () => {
  const lines = written().trimEnd().split('\n')
  const refused = (text: string, message: RegExp) =>
    assert.throws(() => restoredMetadata(text), { name: 'MetadataFileError', message })
  refused('', /no file of/)
  refused('hello', /line 1 is no JSON/)
  refused(lines.slice(0, -1).join('\n'), /end is missing/)
  refused(lines.toSpliced(2, 1).join('\n'), /end is missing/)
  refused(lines.with(0, lines[0]!.replace('"format":1', '"format":2')).join('\n'), /newer release/)
  assert.throws(() => written(entries.filter(({ key }) => key !== keys.cluster)), /no cluster/)
  const late = { ...partition, leaderEpoch: 2 ** 31 - 1000 }
  const entry = { key: keys.partition('tid', 0), value: codecs.partition.encode(late) }
  refused(written([...entries.slice(0, -1), entry]), /leaves no room/)
})
