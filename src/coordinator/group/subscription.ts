/** What a member of the protocol type `consumer` subscribes to. */
import { int16At, int32At } from '../../base/bytes.ts'

const utf8 = new TextDecoder()

/**
 * Topics of a ConsumerProtocolSubscription of any version, all of which begin alike: version, then
 * the topics. Undefined when it does not parse: clients may write into it what they like.
 */
export function subscribedTopics(metadata: Uint8Array): readonly string[] | undefined {
  if (metadata.length < 6) return undefined
  const count = int32At(metadata, 2)
  if (count < 0 || count > metadata.length) return undefined
  const topics: string[] = []
  let at = 6
  for (let i = 0; i < count; i++) {
    if (at + 2 > metadata.length) return undefined
    const length = int16At(metadata, at)
    at += 2
    if (length < 0 || at + length > metadata.length) return undefined
    topics.push(utf8.decode(metadata.subarray(at, at + length)))
    at += length
  }
  return topics
}
