/**
 * Brings what only the controller can do to the controller (replication.md §1, KIP-590).
 *
 * On the controller itself the request is carried out here. Elsewhere it goes there in an envelope,
 * with the name and address of the client and what is left of its time, and the answer comes back as
 * the client gets it. When no controller is known, or it is gone, or is it no more, the request is
 * tried again as soon as the image shows another one, until its deadline. What became of an envelope
 * without an answer is unknown, so the second one may find it done already (TOPIC_ALREADY_EXISTS): the
 * same happens to a client of Kafka, whose brokers do this too.
 *
 * Before a forwarded answer is given, this broker's image catches up with what the controller had
 * decided by then: a client finds what it made, although it made it elsewhere. That is a courtesy, and
 * ends after a second.
 */
import { ipBytes } from '../base/ip.ts'
import { ConnectionError } from '../client/connection.ts'
import type { Peers } from '../client/peers.ts'
import type { CreatedTopic, NewTopic, RequestOptions } from '../cluster/admin.ts'
import type { Controller } from '../cluster/controller.ts'
import type { Image } from '../cluster/image.ts'
import type { ImageFeed } from '../cluster/image-feed.ts'
import type { Io } from '../io/io.ts'
import { errorName, KafkaError } from '../protocol/errors.ts'
import { decodeResponse, encodeRequest } from '../protocol/frame.ts'
import { createTopicsRequest, createTopicsResponse } from '../protocol/messages/create-topics.ts'
import { envelopeRequest, envelopeResponse } from '../protocol/messages/kraft.ts'
import { anonymous, encodePrincipal, type Principal } from '../security/principal.ts'
import { plainAddress } from './advertised.ts'

/** Of the request in an envelope: ten thousand topics are in it. */
export const maxForwardedBytes = 16 * 1024 * 1024

/** A request on its way to the controller. */
export interface ForwardedRequest {
  readonly principal: Principal
  /** Of the client. */
  readonly host: string
  /** Monotonic: what the client allows. */
  readonly deadlineMs: number
  /** The request without its size, for a controller that has so long for it. */
  frame(leftMs: number): Uint8Array
}

export interface ForwarderOptions {
  readonly brokerId: number
  readonly image: Image
  readonly feed: ImageFeed
  readonly controller: Controller
  readonly peers: Peers
}

/** In which the controller is asked: requests of fetchers do not wait behind it. */
const lane = 'controller'
/** The controller answers by the deadline of the client: that answer is still taken. */
const graceMs = 1000
const retryMs = 100
const courtesyMs = 1000

const createTopicsVersion = 7

/** The way to the controller, wherever that is. */
export class Forwarder {
  readonly #io: Io
  readonly #options: ForwarderOptions
  readonly #unsubscribe: () => void
  #controller: { readonly brokerId: number; readonly epoch: bigint } | undefined

  constructor(io: Io, options: ForwarderOptions) {
    this.#io = io
    this.#options = options
    this.#unsubscribe = options.image.subscribe(({ controller }) => {
      if (controller) this.#leaveOld()
    })
    this.#leaveOld()
  }

  close(): void {
    this.#unsubscribe()
  }

  /**
   * The answer without its size, or what `here` gives on the controller itself. Throws NOT_CONTROLLER
   * when none was known in time, REQUEST_TIMED_OUT, INVALID_REQUEST for what is too large, and what
   * `here` and the controller refuse the whole request with.
   */
  forward<T>(request: ForwardedRequest, here: () => Promise<T>): Promise<T | Uint8Array> {
    return this.#atController<T | Uint8Array>(request.deadlineMs, here, id =>
      this.#ask(id, request),
    )
  }

  /** In the name of this broker: for clients that ask for a topic, and for its own. */
  createTopics(topics: readonly NewTopic[], options: RequestOptions): Promise<CreatedTopic[]> {
    const { deadlineMs } = options
    return this.#atController(
      deadlineMs,
      () => this.#options.controller.createTopics(topics, options),
      async controllerId => {
        const frame = (leftMs: number) => createTopicsFrame(topics, options, leftMs)
        const asked = { principal: anonymous, host: '127.0.0.1', deadlineMs, frame }
        const answer = await this.#ask(controllerId, asked)
        const { response } = decodeResponse(createTopicsResponse, createTopicsVersion, answer)
        return response.topics.map(({ errorCode, errorMessage, numPartitions, ...topic }) =>
          errorCode === 0
            ? {
                name: topic.name,
                topicId: topic.topicId,
                partitionCount: numPartitions,
                replicationFactor: topic.replicationFactor,
              }
            : {
                name: topic.name,
                error: new KafkaError(errorName(errorCode), errorMessage ?? undefined),
              },
        )
      },
    )
  }

  async #atController<T>(
    deadlineMs: number,
    here: () => Promise<T>,
    there: (controllerId: number) => Promise<T>,
  ): Promise<T> {
    const { brokerId, image } = this.#options
    const { clock } = this.#io
    for (;;) {
      const { controllerId } = image
      try {
        if (controllerId === brokerId) return await here()
        if (controllerId !== undefined) return await there(controllerId)
      } catch (error) {
        if (!isPassing(error)) throw error
      }
      const leftMs = deadlineMs - clock.monotonicMs()
      if (leftMs <= 0) {
        if (image.controllerId === undefined) throw new KafkaError('NOT_CONTROLLER')
        throw new KafkaError(
          'REQUEST_TIMED_OUT',
          'the controller did not answer: it may still happen',
        )
      }
      await this.#change(Math.min(leftMs, controllerId === undefined ? leftMs : retryMs))
    }
  }

  async #ask(controllerId: number, request: ForwardedRequest): Promise<Uint8Array> {
    const { peers, image } = this.#options
    const { clock } = this.#io
    const leftMs = Math.max(0, request.deadlineMs - clock.monotonicMs())
    const requestData = request.frame(Math.floor(leftMs))
    if (requestData.length > maxForwardedBytes) {
      throw new KafkaError('INVALID_REQUEST', `it is larger than ${maxForwardedBytes} bytes`)
    }
    const envelope = {
      requestData,
      requestPrincipal: encodePrincipal(request.principal),
      clientHostAddress: ipBytes(plainAddress(request.host)) ?? new Uint8Array(4),
    }
    const deadlineMs = clock.monotonicMs() + leftMs + graceMs
    const asked = peers.request(controllerId, lane, envelopeRequest, envelopeResponse, envelope, {
      deadlineMs,
    })
    const reign = image.controller?.createRevision
    const { responseData, errorCode } = await this.#during(reign, asked)
    if (errorCode !== 0) throw new KafkaError(errorName(errorCode))
    if (responseData === null) throw new KafkaError('UNKNOWN_SERVER_ERROR')
    await this.#catchUp(Math.min(deadlineMs, clock.monotonicMs() + courtesyMs))
    return responseData
  }

  /** As `asked`; rejects with NOT_CONTROLLER when the image shows another controller before that. */
  #during<T>(reign: bigint | undefined, asked: Promise<T>): Promise<T> {
    const { image } = this.#options
    return new Promise((resolve, reject) => {
      const stop = image.subscribe(() => {
        if (image.controller?.createRevision !== reign) reject(new KafkaError('NOT_CONTROLLER'))
      })
      asked.then(resolve, reject).finally(stop)
    })
  }

  async #catchUp(deadlineMs: number): Promise<void> {
    try {
      await this.#options.feed.caughtUp(deadlineMs)
    } catch (error) {
      this.#io.report.warn({ error }, 'answered what the controller did before it was seen here')
    }
  }

  /** What waits for an earlier controller has nothing to wait for. */
  #leaveOld(): void {
    const { image, peers } = this.#options
    const { controller } = image
    const old = this.#controller
    if (old !== undefined && old.epoch !== controller?.createRevision) {
      peers.closeLane(old.brokerId, lane)
    }
    this.#controller = controller && {
      brokerId: controller.value.brokerId,
      epoch: controller.createRevision,
    }
  }

  /** Resolves when the image shows another controller, or none, or after `patienceMs`. */
  #change(patienceMs: number): Promise<void> {
    return new Promise(resolve => {
      const done = () => {
        timer.cancel()
        stop()
        resolve()
      }
      const timer = this.#io.clock.timer(patienceMs, done)
      const stop = this.#options.image.subscribe(({ controller }) => {
        if (controller) done()
      })
    })
  }
}

function isPassing(error: unknown): boolean {
  if (error instanceof ConnectionError) return error.retriable
  return error instanceof KafkaError && error.error === 'NOT_CONTROLLER'
}

function createTopicsFrame(
  topics: readonly NewTopic[],
  { validateOnly = false }: RequestOptions,
  timeoutMs: number,
): Uint8Array {
  const fields = {
    topics: topics.map(({ name, partitionCount, replicationFactor, assignments, configs }) => ({
      name,
      numPartitions: partitionCount,
      replicationFactor,
      assignments: [...(assignments ?? [])].map(([partitionIndex, brokerIds]) => ({
        partitionIndex,
        brokerIds,
      })),
      configs: [...configs].map(([key, value]) => ({ name: key, value })),
    })),
    timeoutMs,
    validateOnly,
  }
  const chunks = encodeRequest(createTopicsRequest, createTopicsVersion, 0, null, fields)
  return Buffer.concat(chunks).subarray(4)
}
