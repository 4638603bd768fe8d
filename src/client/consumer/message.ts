/** A message as it is handed out. */

/** Bytes as stored; a view that stays valid as long as it is held. */
export type Bytes = Buffer | null

/** By name; of a name that occurs more than once all values, in order. */
export type MessageHeaders = Readonly<Record<string, Bytes | readonly Bytes[]>>

/** A message as it was stored. Plain fields all through, so that `{ ...message, topic: 'elsewhere' }` can be sent as it is. */
export class Message<K = Bytes, V = Bytes> {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Milliseconds since the epoch; −1 without one. */
  readonly timestamp: number
  readonly key: K
  readonly value: V
  readonly headers: MessageHeaders
  /** Of the leader that stored it; −1 when unknown (KIP-320). */
  readonly leaderEpoch: number

  /** @internal */
  constructor(
    topic: string,
    partition: number,
    offset: number,
    timestamp: number,
    key: K,
    value: V,
    headers: MessageHeaders,
    leaderEpoch: number,
  ) {
    this.topic = topic
    this.partition = partition
    this.offset = offset
    this.timestamp = timestamp
    this.key = key
    this.value = value
    this.headers = headers
    this.leaderEpoch = leaderEpoch
  }
}
