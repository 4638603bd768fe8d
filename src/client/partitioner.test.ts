/**
 * Keys go where the Java client 4.4.0 puts them. test/partitioner/java.ndjson was made with the jars of
 * test/clients/java/setup:
 *
 *     javac -d DIR -cp '.cache/java/jars/*' test/partitioner/Partitions.java
 *     java -cp 'DIR:.cache/java/jars/*' Partitions > test/partitioner/java.ndjson
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { murmur2, partitionOfKey } from './partitioner.ts'

const counts = [1, 2, 3, 6, 7, 12, 50, 100, 1000, 4096]
const file = new URL('../../test/partitioner/java.ndjson', import.meta.url)
const vectors: readonly { key: string; hash: number; partitions: number[] }[] = readFileSync(
  file,
  'utf8',
)
  .trim()
  .split('\n')
  .map(line => JSON.parse(line))

test("keys hash as they do in Kafka's Java client, and go to the same partitions", () => {
  assert.equal(vectors.length, 366)
  for (const { key, hash, partitions } of vectors) {
    const bytes = Buffer.from(key, 'hex')
    assert.equal(murmur2(bytes), hash, key)
    const ours = counts.map(count => partitionOfKey(bytes, count))
    assert.deepEqual(ours, partitions, key)
  }
})

test("strings hash as the Java client's own tests say", () => {
  const known = new Map([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])
  for (const [text, hash] of known) assert.equal(murmur2(Buffer.from(text)), hash, text)
})
