/**
 * A broker is gone for good (UnregisterBroker): the cluster forgets it.
 *
 * Apache Kafka forgets any broker at once, one that runs or one whose replicas are the last ones
 * included. Here it must have stopped, and no partition may name it any more: then there is nothing
 * of its that could be missed.
 */
import type { Op } from '../io/io.ts'
import { KafkaError } from '../protocol/errors.ts'
import { chunkSize, type Plan, type Step } from './controller-state.ts'
import type { Image } from './image.ts'
import { codecs, keys } from './keys.ts'

/** Throws BROKER_ID_NOT_REGISTERED, INVALID_REQUEST. */
export function unregisterBroker(image: Image, brokerId: number): Plan<Record<never, never>> {
  if (image.broker(brokerId) !== undefined) {
    throw new KafkaError('INVALID_REQUEST', `broker ${brokerId} is running: stop it first`)
  }
  if (image.admitted(brokerId) === undefined) {
    throw new KafkaError(
      'BROKER_ID_NOT_REGISTERED',
      `Broker ID ${brokerId} is not currently registered`,
    )
  }
  checkHoldsNothing(image, brokerId)
  const isGone = {
    key: keys.alive(brokerId),
    target: 'version' as const,
    equals: 0n,
  }
  const steps: Step[] = []
  const waits = waitsFor(image, brokerId)
  for (let at = 0; at < waits.length; at += chunkSize) {
    const chunk = waits.slice(at, at + chunkSize)
    steps.push({
      compares: [
        isGone,
        ...chunk.map(({ key, modRevision }) => ({
          key,
          target: 'modRevision' as const,
          equals: modRevision,
        })),
      ],
      ops: chunk.map(({ op }) => op),
    })
  }
  // Last: a removal that was cut short is begun again.
  const ops: Op[] = [
    { delete: { key: keys.admitted(brokerId) } },
    { delete: { key: keys.configs('broker', String(brokerId)) } },
  ]
  steps.push({ compares: [isGone], ops })
  return { steps, answer: {} }
}

function checkHoldsNothing(image: Image, brokerId: number): void {
  let count = 0
  let first: string | undefined
  for (const { name, partitions } of image.topics()) {
    for (const [index, { replicas }] of partitions.entries()) {
      if (!replicas.includes(brokerId)) continue
      count++
      first ??= `${name}-${index}`
    }
  }
  if (count === 0) return
  throw new KafkaError(
    'INVALID_REQUEST',
    `broker ${brokerId} is a replica of ${count} partitions (${first} is one): move them to other brokers first, as 'ottla topics reassign --from-broker ${brokerId}' does`,
  )
}

/** Deleted topics of which it would never report its folders gone. */
function waitsFor(image: Image, brokerId: number) {
  const found: { readonly key: string; readonly modRevision: bigint; readonly op: Op }[] = []
  for (const [topicId, { value, modRevision }] of image.deletedTopics()) {
    if (!value.waiting.includes(brokerId)) continue
    const key = keys.deleted(topicId)
    const waiting = value.waiting.filter(id => id !== brokerId)
    const op: Op =
      waiting.length === 0
        ? { delete: { key } }
        : { put: key, value: codecs.deleted.encode({ ...value, waiting }) }
    found.push({ key, modRevision, op })
  }
  return found
}
