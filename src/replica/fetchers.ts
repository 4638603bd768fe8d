/**
 * What this broker follows, and its fetchers: num.replica.fetchers for each broker that leads any of it.
 */
import { Slabs } from '../base/slabs.ts'
import type { Peers } from '../client/peers.ts'
import type { Member } from '../cluster/partition-state.ts'
import type { FetcherConfig } from '../config/fetcher-config.ts'
import type { Io } from '../io/io.ts'
import type { Log } from '../log/log.ts'
import { Fetcher, type FollowerThrottle } from './fetcher.ts'
import { type FollowedPartition, Following } from './following.ts'

export interface FetchersOptions {
  readonly peers: Peers
  /** This broker at its registration; undefined while it has none that holds. */
  self(): Member | undefined
  /** As it is now; the count of fetchers, for what is followed from now on. */
  config(): FetcherConfig
  readonly throttle: FollowerThrottle
}

interface Followed {
  readonly following: Following
  readonly fetcher: Fetcher
}

/** Some answers of a megabyte, as most are at most. */
const slabBytes = 4 * 1024 * 1024

const idle = Promise.resolve()

export class Fetchers {
  readonly #io: Io
  readonly #options: FetchersOptions
  readonly #memory = new Slabs(slabBytes, 4 * slabBytes)
  /** By leader and lane. */
  readonly #fetchers = new Map<string, Fetcher>()
  readonly #followed = new Map<Log, Followed>()
  /** Of what is not followed any more, while something is still done to its log. */
  readonly #ending = new Map<Log, Promise<void>>()

  constructor(io: Io, options: FetchersOptions) {
    this.#io = io
    this.#options = options
  }

  /** The leader epoch in which a log is followed; −1: it is not. */
  epochOf(log: Log): number {
    return this.#followed.get(log)?.following.leaderEpoch ?? -1
  }

  /** Begins; after `unfollow` has resolved. `isAwaited`: writes with acks=all wait for this replica. */
  follow(
    partition: FollowedPartition,
    log: Log,
    leaderId: number,
    leaderEpoch: number,
    isAwaited: boolean,
  ): void {
    const { clock, report } = this.#io
    const backoffMs = () => this.#options.config().backoffMs
    const options = { clock, report, log, partition, leaderId, leaderEpoch, backoffMs }
    const following = new Following(options)
    const fetcher = this.#fetcherFor(following)
    this.#followed.set(log, { following, fetcher })
    fetcher.add(following, isAwaited)
  }

  /** No answer is used from now on; resolves when nothing is done to the log any more. */
  unfollow(log: Log): Promise<void> {
    const followed = this.#followed.get(log)
    if (followed === undefined) return this.#ending.get(log) ?? idle
    const { following, fetcher } = followed
    this.#followed.delete(log)
    fetcher.remove(following)
    const ending = following.end().finally(() => {
      if (this.#ending.get(log) === ending) this.#ending.delete(log)
    })
    this.#ending.set(log, ending)
    return ending
  }

  /** The registration of this broker changed. */
  wake(): void {
    for (const fetcher of this.#fetchers.values()) fetcher.wake()
  }

  /** Nothing is followed any more. */
  async close(): Promise<void> {
    for (const log of [...this.#followed.keys()]) void this.unfollow(log)
    await Promise.all([...this.#fetchers.values()].map(fetcher => fetcher.close()))
    await Promise.all(this.#ending.values())
  }

  #fetcherFor({ leaderId, topic, index }: Following): Fetcher {
    const lane = `fetch-${slotOf(topic, index, this.#options.config().fetchers)}`
    const name = `${leaderId} ${lane}`
    const known = this.#fetchers.get(name)
    if (known !== undefined) return known
    const { peers, throttle } = this.#options
    const fetcher = new Fetcher(this.#io, {
      peers,
      leaderId,
      lane,
      throttle,
      memory: this.#memory,
      self: () => this.#options.self(),
      config: () => this.#options.config(),
    })
    this.#fetchers.set(name, fetcher)
    return fetcher
  }
}

/** Neighbours lie on different ones. */
function slotOf(topic: string, index: number, count: number): number {
  let hash = index
  for (let at = 0; at < topic.length; at++) hash = (31 * hash + topic.charCodeAt(at)) >>> 0
  return hash % count
}
