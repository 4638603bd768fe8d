/**
 * The steps of `ottla doctor`, in the order in which a client meets them. A step that fails ends the
 * examination where nothing behind it could succeed.
 */
import { isIP } from 'node:net'
import type { Address, ClusterMetadata } from '../client/cluster.ts'
import { Connection, ConnectionError } from '../client/connection.ts'
import type { Io } from '../io/io.ts'
import { metadataRequest, metadataResponse } from '../protocol/messages/metadata.ts'
import { roundTrip } from './doctor-round-trip.ts'
import {
  addressText,
  advertisedTrouble,
  connectTrouble,
  type Finding,
  isLoopback,
  nameTrouble,
  protocolTrouble,
} from './doctor-words.ts'
import { plural } from './output.ts'
import { accepts, addressesOf, speak, speakTls } from './probe.ts'
import { type ListedApi, oldestClient, releaseOf } from './release.ts'
import { essential, pairedApis } from './spoken-apis.ts'

export interface ExaminationOptions {
  /** How long one experiment may take. */
  readonly patienceMs: number
  /** Makes a temporary topic, writes a record and reads it. */
  readonly write: boolean
}

export class Examination {
  readonly #io: Io
  readonly #given: Address
  readonly #options: ExaminationOptions
  /** What it is busy with. */
  waitingFor = ''
  /** As the broker listed them; empty before it did. */
  apis: readonly ListedApi[] = []

  constructor(io: Io, given: Address, options: ExaminationOptions) {
    this.#io = io
    this.#given = given
    this.#options = options
  }

  async *findings(): AsyncGenerator<Finding, void> {
    const address = yield* this.#reach()
    if (address === undefined || !(yield* this.#speaks(address))) return
    if (!(yield* this.#versions())) return
    const metadata = yield* this.#cluster()
    if (metadata === undefined) return
    for (const broker of metadata.brokers) yield await this.#advertised(broker, metadata, address)
    yield topicsFinding(metadata)
    if (this.#options.write) {
      this.waitingFor = 'a record to come back'
      yield* roundTrip(this.#io, this.#given)
    } else {
      const text = 'not tried: --write makes a topic for it, and removes it'
      yield { step: 'round trip', state: 'note', text }
    }
  }

  /** Name and connection; answers the first IP address that accepts. */
  async *#reach(): AsyncGenerator<Finding, string | undefined> {
    const { host, port } = this.#given
    const { patienceMs } = this.#options
    let ips: readonly string[] = [host]
    if (isIP(host) === 0) {
      this.waitingFor = `the name ${host}`
      try {
        ips = await addressesOf(host, patienceMs)
      } catch (error) {
        yield { step: 'name', ...nameTrouble(host, (error as NodeJS.ErrnoException).code) }
        return undefined
      }
      yield { step: 'name', state: 'good', text: `${host} is ${ips.join(' and ')}` }
    }
    this.waitingFor = `a connection to port ${port}`
    const tried = await Promise.all(
      ips.map(async ip => ({ ip, result: await accepts(ip, port, patienceMs) })),
    )
    const open = tried.find(({ result }) => 'ms' in result)
    for (const { ip, result } of tried) {
      const text = addressText({ host: ip, port })
      if ('ms' in result) {
        yield { step: 'connect', state: 'good', text: `${text} accepts, in ${msText(result.ms)}` }
        continue
      }
      const [why, advice] = connectTrouble(result.code, patienceMs)
      yield open === undefined
        ? { step: 'connect', state: 'bad', text: `${text} ${why}`, advice }
        : {
            step: 'connect',
            state: 'odd',
            text: `${text} ${why}`,
            advice: `Some clients try only this address of ${host}: give them ${open.ip}, or let the broker listen on both.`,
          }
    }
    return open?.ip
  }

  /** What speaks there; true for Kafka in plain text. */
  async *#speaks(ip: string): AsyncGenerator<Finding, boolean> {
    const { host, port } = this.#given
    const { patienceMs } = this.#options
    this.waitingFor = 'an answer to ApiVersions'
    const spoken = await speak(ip, port, patienceMs)
    if (spoken.kind === 'kafka') {
      this.apis = spoken.apis
      const text = 'Kafka, in plain text: clients use security.protocol=PLAINTEXT'
      yield { step: 'protocol', state: 'good', text }
      return true
    }
    this.waitingFor = 'an answer to TLS'
    const mayBeTls = ['tls', 'closed', 'silent'].includes(spoken.kind)
    const inTls = mayBeTls ? await speakTls(ip, port, host, patienceMs) : undefined
    yield { step: 'protocol', ...protocolTrouble(spoken, inTls) }
    return false
  }

  /** Whether broker and command have a version in common of all that is needed every day. */
  async *#versions(): AsyncGenerator<Finding, boolean> {
    const release = releaseOf(this.apis)
    const missing = pairedApis(this.apis).filter(
      ({ request, version }) => version === undefined && essential.includes(request),
    )
    if (missing.some(({ request, theirs }) => request === metadataRequest && theirs === 'none')) {
      yield {
        step: 'versions',
        state: 'bad',
        text: 'this is a controller, not a broker: it keeps the cluster together and takes no records',
        advice: 'Give clients the port of a listener that is not in controller.listener.names.',
      }
      return false
    }
    if (missing.length > 0) {
      yield {
        step: 'versions',
        state: 'bad',
        text: `it is like Kafka ${release}, too old for this command: ${missing
          .map(({ request, theirs, ours }) => `${request.name} ${theirs} there, ${ours} here`)
          .join('; ')}`,
        advice:
          'This command, and the clients of Kafka 4, need a broker of 2.1 (2018) or later: update the broker, or use a client of its own age.',
      }
      return false
    }
    yield {
      step: 'versions',
      state: 'good',
      text: `like Kafka ${release} or later: clients of Kafka ${oldestClient(this.apis)} or later fit`,
    }
    return true
  }

  async *#cluster(): AsyncGenerator<Finding, ClusterMetadata | undefined> {
    this.waitingFor = 'an answer to Metadata'
    try {
      const metadata = await this.#metadataOf(this.#given)
      const { clusterId, brokers, controllerId } = metadata
      const controller = controllerId === -1 ? 'no controller' : `controller ${controllerId}`
      const text = `${clusterId ?? 'without an id'}: ${plural(brokers.length, 'broker')}, ${controller}`
      const advice =
        'Nothing can be created or changed without one: look into the log of the broker.'
      if (controllerId === -1) yield { step: 'cluster', state: 'odd', text, advice }
      else yield { step: 'cluster', state: 'good', text }
      return metadata
    } catch (error) {
      const isClosed = error instanceof ConnectionError && error.code === 'CLOSED'
      yield {
        step: 'cluster',
        state: 'bad',
        text: isClosed
          ? 'it closes the connection when asked about the cluster'
          : `it does not describe the cluster: ${(error as Error).message}`,
        advice: isClosed
          ? 'The listener probably wants a login: clients use security.protocol=SASL_PLAINTEXT and sasl.mechanism with a user.'
          : 'Look into the log of the broker.',
      }
      return undefined
    }
  }

  /** Whether what a broker tells clients leads to it from here. */
  async #advertised(
    { nodeId, host, port }: ClusterMetadata['brokers'][number],
    { clusterId }: ClusterMetadata,
    ip: string,
  ): Promise<Finding> {
    const step = `broker ${nodeId}`
    const told = { host, port }
    const given = this.#given
    const text = `tells clients to go on at ${addressText(told)}`
    if (port === given.port && host === given.host) {
      return { step, state: 'good', text: `${text}, the address that you gave` }
    }
    this.waitingFor = `broker ${nodeId} at ${addressText(told)}`
    if (isLoopback(host) && !isLoopback(ip)) {
      const why = 'that is this machine itself'
      return { step, ...advertisedTrouble(told, why, given) }
    }
    const why = await this.#whyNot(told, clusterId)
    return why === undefined
      ? { step, state: 'good', text: `${text}, and it answers there` }
      : { step, ...advertisedTrouble(told, why, given) }
  }

  /** Why a broker of this cluster cannot be reached at an address; undefined when it can. */
  async #whyNot(told: Address, clusterId: string | null): Promise<string | undefined> {
    const { patienceMs } = this.#options
    try {
      await addressesOf(told.host, patienceMs)
    } catch {
      return `nobody knows the name ${told.host}`
    }
    const result = await accepts(told.host, told.port, patienceMs)
    if ('code' in result) return connectTrouble(result.code, patienceMs)[0]
    try {
      const other = (await this.#metadataOf(told)).clusterId
      return other === clusterId ? undefined : `another cluster answers (${other})`
    } catch (error) {
      return `it does not answer: ${(error as Error).message}`
    }
  }

  async #metadataOf(address: Address): Promise<ClusterMetadata> {
    const deadlineMs = this.#io.clock.monotonicMs() + this.#options.patienceMs
    const clientId = 'ottla-doctor'
    const connection = await Connection.open(this.#io, { ...address, clientId, deadlineMs })
    try {
      const body = { topics: null, allowAutoTopicCreation: false }
      return await connection.request(metadataRequest, metadataResponse, body, deadlineMs)
    } finally {
      connection.close()
    }
  }
}

function topicsFinding({ topics }: ClusterMetadata): Finding {
  const partitions = topics.flatMap(topic => topic.partitions)
  const leaderless = partitions.filter(({ leaderId }) => leaderId === -1).length
  const behind = partitions.filter(each => each.isrNodes.length < each.replicaNodes.length).length
  const step = 'topics'
  const all = `${plural(topics.length, 'topic')}, ${plural(partitions.length, 'partition')}`
  if (leaderless > 0) {
    return {
      step,
      state: 'bad',
      text: `${all}, ${leaderless} without a leader`,
      advice:
        'They can be neither written nor read until a broker that has them comes back: `ottla topics describe` names them.',
    }
  }
  if (behind > 0) {
    return {
      step,
      state: 'odd',
      text: `${all}, ${behind} with copies that are behind`,
      advice: 'A broker is away or slow: `ottla topics describe` shows which.',
    }
  }
  const text = partitions.length === 0 ? 'none yet' : `${all}, all with a leader`
  return { step, state: 'good', text }
}

function msText(ms: number): string {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`
}
