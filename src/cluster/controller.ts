/**
 * The controller: the broker that holds the `controller` key decides what partitions there are and
 * who leads them (replication.md §1, §5).
 *
 * Work is one queue, one item at a time: decide from the image, commit, wait until the image shows
 * it, go on. Every transaction compares `controller` (still ours) and `controller-seq` (its number
 * is the next one) and rewrites the latter, so each takes effect at most once and in order, whatever
 * became of earlier copies. A change of brokers or partitions queues a pass of `repairs`.
 *
 * The role hangs on the broker's lease and is given up with it alone.
 */
import type { Io } from '../io/io.ts'
import { StoreRequestError } from '../io/io.ts'
import { KafkaError } from '../protocol/errors.ts'
import type {
  ConfigChange,
  ConfigOp,
  ConfigResource,
  ConfigRules,
  CreatedTopic,
  DeletedTopic,
  ElectionKind,
  ElectionOutcome,
  FeatureUpdate,
  NewPartitions,
  NewReplicas,
  NewTopic,
  Outcome,
  PartitionRef,
  ReplicasOutcome,
  RequestOptions,
  TopicRef,
} from './admin.ts'
import { unregisterBroker } from './broker-removal.ts'
import {
  changeConfigs,
  chunkSize,
  createPartitions,
  createTopic,
  deleteTopic,
  dropUnnamedTopic,
  type Given,
  type Plan,
  type Step,
} from './controller-state.ts'
import { within } from './deadline.ts'
import { electLeaders } from './elections.ts'
import { updateFeatures } from './feature-updates.ts'
import { ourFeatures, type SupportedFeatures } from './features.ts'
import type { Image, ImageChange } from './image.ts'
import type { ImageFeed } from './image-feed.ts'
import { codecs, keys } from './keys.ts'
import type { Membership, Registration } from './membership.ts'
import { randomId } from './random-id.ts'
import { movesInStep, reassign } from './reassignments.ts'
import { type LossyElection, repairs } from './repairs.ts'
import type { Transactor } from './transact.ts'

/** What the controller asks the partitions of its broker. */
export interface Settled {
  /** Resolves when the folders of a topic are open and writable here, or renamed away. */
  settled(topicId: string): Promise<void>
}

/** What the controller decides by, and whom it waits for. */
export interface ControllerOptions {
  readonly rules: ConfigRules
  readonly replicas: Settled
  /** What this process speaks; absent: what this release does. */
  readonly features?: SupportedFeatures
}

/** A reign: from taking the key to losing it. */
interface Term {
  readonly epoch: bigint
  /** `modRevision` of `controller-seq` after our last transaction. */
  seq: bigint
  request: number
}

const retryMs = 500
const maxAttempts = 10
/** Of requests; repairs are never more than one. */
const longestQueue = 10_000
const zeroTopicId = 'AAAAAAAAAAAAAAAAAAAAAA'

/**
 * The role as this broker has it, or seeks it: each answer comes when this image shows the change.
 * All that is asked of it throws NOT_CONTROLLER when another broker has the role.
 */
export class Controller {
  readonly #io: Io
  readonly #image: Image
  readonly #feed: ImageFeed
  readonly #membership: Membership
  readonly #transactor: Transactor
  readonly #options: ControllerOptions
  readonly #unsubscribe: (() => void)[]
  #term: Term | undefined
  #isTaking = false
  #cancelRetry = () => {}
  #isClosed = false
  #queue: Promise<void> = Promise.resolve()
  #queued = 0
  /** What the repairs that are queued look at; undefined: none are. */
  #toRepair: 'all' | Set<string> | undefined
  #active = Promise.withResolvers<void>()

  constructor(
    io: Io,
    image: Image,
    feed: ImageFeed,
    membership: Membership,
    transactor: Transactor,
    options: ControllerOptions,
  ) {
    this.#io = io
    this.#image = image
    this.#feed = feed
    this.#membership = membership
    this.#transactor = transactor
    this.#options = options
    this.#unsubscribe = [
      image.subscribe(change => this.#onChange(change)),
      membership.subscribe(() => this.#seekRole()),
    ]
    this.#seekRole()
  }

  /** This broker holds the role, as far as it knows. */
  get isActive(): boolean {
    return this.#term !== undefined
  }

  async createTopics(
    topics: readonly NewTopic[],
    options: RequestOptions,
  ): Promise<CreatedTopic[]> {
    const names = topics.map(({ name }) => name)
    return answers(
      topics.map(async topic => {
        const answer = await this.#answer<CreatedTopic>(
          { name: topic.name },
          options,
          given => {
            refuseRepeated(topic.name, names)
            return createTopic(this.#image, topic, randomId(this.#io.random), given)
          },
          ({ topicId }) => this.#options.replicas.settled(topicId!),
        )
        const isShown = options.validateOnly === true && answer.error === undefined
        return isShown ? { ...answer, topicId: zeroTopicId } : answer
      }),
    )
  }

  async deleteTopics(
    topics: readonly TopicRef[],
    options: RequestOptions,
  ): Promise<DeletedTopic[]> {
    return answers(
      topics.map(ref =>
        this.#answer<DeletedTopic>(
          ref,
          options,
          given => deleteTopic(this.#image, ref, given),
          ({ topicId }) => this.#options.replicas.settled(topicId!),
        ),
      ),
    )
  }

  async createPartitions(
    requests: readonly NewPartitions[],
    options: RequestOptions,
  ): Promise<Outcome[]> {
    const names = requests.map(({ name }) => name)
    return answers(
      requests.map(request =>
        this.#answer<Outcome>(
          {},
          options,
          given => {
            refuseRepeated(request.name, names)
            return createPartitions(this.#image, request, given)
          },
          () => this.#options.replicas.settled(this.#image.topicIdOf(request.name)!),
        ),
      ),
    )
  }

  /** AlterConfigs: the overrides given replace all there are. */
  alterConfigs(
    changes: readonly {
      resource: ConfigResource
      configs: ReadonlyMap<string, string | null>
    }[],
    options: RequestOptions,
  ): Promise<Outcome[]> {
    return this.#changeConfigs(changes, options)
  }

  incrementalAlterConfigs(
    changes: readonly { resource: ConfigResource; ops: readonly ConfigOp[] }[],
    options: RequestOptions,
  ): Promise<Outcome[]> {
    return this.#changeConfigs(changes, options)
  }

  /** Begins moves to other replicas, or cancels them; those with nothing to copy are done then. */
  alterReassignments(
    asked: readonly NewReplicas[],
    options: RequestOptions & { readonly mayChangeFactor: boolean },
  ): Promise<ReplicasOutcome[]> {
    return this.#inSteps<NewReplicas, ReplicasOutcome>(asked, movesInStep, options, some =>
      reassign(this.#image, some, options.mayChangeFactor),
    )
  }

  async electLeaders(
    kind: ElectionKind,
    asked: readonly PartitionRef[],
    options: RequestOptions,
  ): Promise<ElectionOutcome[]> {
    const outcomes = await this.#inSteps<PartitionRef, ElectionOutcome>(
      asked,
      chunkSize,
      options,
      some => electLeaders(this.#image, kind, some),
    )
    for (const { topic, index, leader } of kind === 'unclean' ? outcomes : []) {
      if (leader !== undefined) this.#reportLoss({ topic, index, leader, kind: 'unclean' })
    }
    return outcomes
  }

  /** Throws BROKER_ID_NOT_REGISTERED, INVALID_REQUEST, NOT_CONTROLLER, REQUEST_TIMED_OUT. */
  async unregisterBroker(brokerId: number, { deadlineMs }: RequestOptions): Promise<void> {
    const done = this.#perform({ deadlineMs }, () => unregisterBroker(this.#image, brokerId))
    await within(this.#io.clock, done, deadlineMs)
  }

  /** Throws INVALID_UPDATE_VERSION, NOT_CONTROLLER, REQUEST_TIMED_OUT. */
  async updateFeatures(updates: readonly FeatureUpdate[], options: RequestOptions): Promise<void> {
    const features = this.#options.features ?? ourFeatures
    const done = this.#perform(options, () => updateFeatures(this.#image, updates, features))
    await within(this.#io.clock, done, options.deadlineMs)
  }

  /** Work that is queued is not done. */
  close(): void {
    this.#isClosed = true
    this.#term = undefined
    this.#cancelRetry()
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
  }

  #changeConfigs(changes: readonly ConfigChange[], options: RequestOptions): Promise<Outcome[]> {
    const names = changes.map(({ resource }) => `${resource.type}/${resource.name}`)
    return answers(
      changes.map((change, i) =>
        this.#answer<Outcome>(
          {},
          options,
          given => {
            refuseRepeated(names[i]!, names)
            return changeConfigs(this.#image, change, given)
          },
          // The repairs that the change called for (minIsr) stand in the queue before this.
          () => this.#enqueue(async () => {}),
        ),
      ),
    )
  }

  /** Partitions, as many at a time as a transaction takes. Throws NOT_CONTROLLER. */
  async #inSteps<Asked extends PartitionRef, Answer extends PartitionRef & Outcome>(
    asked: readonly Asked[],
    size: number,
    options: RequestOptions,
    decide: (some: readonly Asked[]) => Plan<Answer[]>,
  ): Promise<Answer[]> {
    const names = new Set(asked.map(({ topic, index }) => `${topic}-${index}`))
    if (names.size < asked.length) {
      throw new KafkaError('INVALID_REQUEST', 'a partition is there twice')
    }
    const outcomes: Promise<Answer[]>[] = []
    for (let at = 0; at < asked.length; at += size) {
      outcomes.push(this.#step(asked.slice(at, at + size), options, decide))
    }
    return (await Promise.all(outcomes)).flat()
  }

  async #step<Asked extends PartitionRef, Answer extends PartitionRef & Outcome>(
    some: readonly Asked[],
    options: RequestOptions,
    decide: (some: readonly Asked[]) => Plan<Answer[]>,
  ): Promise<Answer[]> {
    try {
      const done = this.#perform(options, () => decide(some)).then(async answer => {
        // The repairs that it called for stand in the queue before this.
        await this.#enqueue(async () => {})
        return answer
      })
      return await within(this.#io.clock, done, options.deadlineMs)
    } catch (error) {
      if (!(error instanceof KafkaError) || error.error === 'NOT_CONTROLLER') throw error
      return some.map(({ topic, index }) => ({ topic, index, error }) as unknown as Answer)
    }
  }

  /** One resource from the request to the answer; what it refuses is the answer. */
  async #answer<Answer extends Outcome>(
    asked: Answer,
    options: RequestOptions,
    decide: (given: Given) => Plan<Answer>,
    afterwards: (answer: Answer) => Promise<void>,
  ): Promise<Answer> {
    try {
      const done = this.#perform(options, decide).then(async answer => {
        if (options.validateOnly !== true) await afterwards(answer)
        return answer
      })
      return await within(this.#io.clock, done, options.deadlineMs)
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      return { ...asked, error }
    }
  }

  async #perform<Answer>(
    options: RequestOptions,
    decide: (given: Given) => Plan<Answer>,
  ): Promise<Answer> {
    await this.#whenActive()
    if (this.#queued >= longestQueue) {
      throw new KafkaError('REQUEST_TIMED_OUT', 'the controller is busy')
    }
    return this.#enqueue(async () => {
      for (let attempt = 0; attempt < maxAttempts; attempt++) {
        if (this.#io.clock.monotonicMs() >= options.deadlineMs) {
          throw new KafkaError('REQUEST_TIMED_OUT', 'the controller is busy')
        }
        const { steps, answer } = decide({
          rules: this.#options.rules,
          nowMs: this.#io.clock.wallMs(),
          random: this.#io.random.u32(),
        })
        if (options.validateOnly === true) return answer
        if (await this.#commitAll(steps)) return answer
      }
      throw new KafkaError('REQUEST_TIMED_OUT', 'what it is about keeps changing')
    })
  }

  /** Waits while this broker is about to get the role; another broker's is not ours to wait for. */
  async #whenActive(): Promise<void> {
    const { controllerId } = this.#image
    const isElsewhere = controllerId !== undefined && controllerId !== this.#membership.brokerId
    if (this.#isClosed || isElsewhere) throw new KafkaError('NOT_CONTROLLER')
    if (this.#term === undefined) await this.#active.promise
  }

  /** One item at a time. */
  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    this.#queued++
    const done = this.#queue.then(work)
    this.#queue = done.then(
      () => void this.#queued--,
      () => void this.#queued--,
    )
    return done
  }

  async #commitAll(steps: readonly Step[]): Promise<boolean> {
    for (const step of steps) if (!(await this.#commit(step))) return false
    return true
  }

  /** True when it took effect; the image shows it then. Throws NOT_CONTROLLER when deposed. */
  async #commit(step: Step): Promise<boolean> {
    const term = this.#term
    if (term === undefined) throw new KafkaError('NOT_CONTROLLER')
    const by = this.#transactor.nextBy()
    const seq = { controllerEpoch: term.epoch, request: term.request + 1, by }
    const outcome = await this.#transactor.run(
      {
        compares: [
          { key: keys.controller, target: 'createRevision', equals: term.epoch },
          { key: keys.controllerSeq, target: 'modRevision', equals: term.seq },
          ...step.compares,
        ],
        ops: [...step.ops, { put: keys.controllerSeq, value: codecs.controllerSeq.encode(seq) }],
        proofKey: keys.controllerSeq,
      },
      by,
    )
    if (outcome.applied) {
      term.seq = outcome.revision
      term.request++
      await this.#feed.reached(outcome.revision)
      return true
    }
    // A moment for the image to show what was in the way; it is read again in any case.
    const soonMs = this.#io.clock.monotonicMs() + retryMs
    await this.#feed.reached(outcome.revision, soonMs).catch(() => {})
    if (outcome.found?.modRevision !== term.seq) this.#depose(term)
    if (this.#term !== term) throw new KafkaError('NOT_CONTROLLER')
    return false
  }

  #onChange(change: ImageChange): void {
    const term = this.#term
    if (term !== undefined && this.#image.controller?.createRevision !== term.epoch) {
      this.#depose(term)
    }
    if (change.controller) this.#seekRole()
    if (this.#term === undefined) return
    const isAboutAll = change.brokers.size > 0 || [...change.configs].some(isOfBroker)
    this.#repairSoon(isAboutAll ? 'all' : this.#touchedTopics(change))
  }

  #touchedTopics({ topics, configs }: ImageChange): Set<string> {
    const touched = new Set(topics)
    for (const name of configs) {
      const topicId = this.#image.topicIdOf(name.slice('topic/'.length))
      if (topicId !== undefined) touched.add(topicId)
    }
    return touched
  }

  #depose(term: Term): void {
    if (this.#term !== term) return
    this.#term = undefined
    this.#active = Promise.withResolvers<void>()
    this.#toRepair = undefined
    this.#io.report.info({ controllerEpoch: term.epoch }, 'no longer the controller')
    this.#seekRole()
  }

  #seekRole(): void {
    const { registration } = this.#membership
    if (this.#term !== undefined || this.#isTaking || this.#isClosed) return
    if (registration === undefined) return
    if (this.#image.controller !== undefined) {
      this.#takeUp(registration)
      return
    }
    this.#isTaking = true
    void this.#takeRole()
      .catch(error => {
        if (!(error instanceof StoreRequestError) && !this.#isClosed) throw error
      })
      .finally(() => {
        if (this.#isClosed) return
        // Our registration may have run out, unnoticed yet: then it is tried again after the next.
        const timer = this.#io.clock.timer(retryMs, () => {
          this.#isTaking = false
          this.#seekRole()
        })
        this.#cancelRetry = () => timer.cancel()
      })
  }

  async #takeRole(): Promise<void> {
    const registration = this.#membership.registration!
    const { brokerId } = this.#membership
    const { brokerEpoch, lease } = registration
    const by = this.#transactor.nextBy()
    const value = codecs.controller.encode({ brokerId, brokerEpoch, by })
    const seq = codecs.controllerSeq.encode({ controllerEpoch: brokerEpoch, request: 0, by })
    const outcome = await this.#transactor.run(
      {
        compares: [
          { key: keys.controller, target: 'version', equals: 0n },
          { key: keys.alive(brokerId), target: 'createRevision', equals: brokerEpoch },
        ],
        ops: [
          { put: keys.controller, value, lease },
          { put: keys.controllerSeq, value: seq },
        ],
        proofKey: keys.controller,
      },
      by,
    )
    if (!outcome.applied) return
    await this.#feed.reached(outcome.revision)
    if (this.#image.controller?.createRevision === outcome.revision) this.#begin(outcome.revision)
  }

  /**
   * A copy of our attempt came late, when another broker had come and gone: the role is ours, and
   * nobody else can take it.
   */
  #takeUp({ brokerEpoch }: Registration): void {
    const { controller, controllerSeq } = this.#image
    const { value, createRevision } = controller!
    const isOurs = value.brokerId === this.#membership.brokerId && value.brokerEpoch === brokerEpoch
    // Written together: nothing was done with it yet.
    if (isOurs && controllerSeq?.modRevision === createRevision) this.#begin(createRevision)
  }

  #begin(revision: bigint): void {
    if (this.#isClosed) return
    this.#term = { epoch: revision, seq: revision, request: 0 }
    void this.#enqueue(() => this.#dropUnnamed()).catch(error => this.#refused(error))
    this.#repairSoon('all')
    this.#active.resolve()
  }

  async #dropUnnamed(): Promise<void> {
    for (const topicId of [...this.#image.unnamedTopics()]) {
      await this.#commit(dropUnnamedTopic(topicId))
    }
  }

  #repairSoon(what: 'all' | Set<string>): void {
    if (what !== 'all' && what.size === 0) return
    const isQueued = this.#toRepair !== undefined
    if (what === 'all' || this.#toRepair === 'all') this.#toRepair = 'all'
    else this.#toRepair = new Set([...(this.#toRepair ?? []), ...what])
    if (!isQueued) void this.#enqueue(() => this.#repair()).catch(error => this.#refused(error))
  }

  async #repair(): Promise<void> {
    const what = this.#toRepair
    this.#toRepair = undefined
    if (what === undefined) return
    let size = chunkSize
    while (this.#term !== undefined) {
      const ids = what === 'all' ? [] : [...what]
      const topics = ids.map(id => this.#image.topicById(id)).filter(topic => topic !== undefined)
      const { steps, lossyElections } = repairs(
        this.#image,
        this.#options.rules,
        what === 'all' ? 'all' : topics,
        size,
      )
      if (steps.length === 0) return
      const isDone = await this.#commitAll(steps)
      // What is in the way of a chunk is in the way of one partition of it.
      size = isDone ? chunkSize : 1
      if (isDone) {
        for (const election of lossyElections) this.#reportLoss(election)
      }
    }
  }

  #reportLoss(election: LossyElection): void {
    this.#io.report.error({ ...election }, 'elected a leader that may have lost records')
  }

  /** A refusal in work that nobody asked for: the next controller does it. */
  #refused(error: unknown): void {
    if (this.#isClosed) return
    if (!(error instanceof KafkaError)) throw error
    this.#io.report.info({ error: error.message }, 'the controller stopped its work')
  }
}

/**
 * One for each resource. Throws NOT_CONTROLLER when that is all there is to say: another is to be
 * asked.
 */
async function answers<Answer extends Outcome>(asked: readonly Promise<Answer>[]) {
  const outcomes = await Promise.all(asked)
  const isNobodys = outcomes.every(({ error }) => error?.error === 'NOT_CONTROLLER')
  if (isNobodys && outcomes.length > 0) throw new KafkaError('NOT_CONTROLLER')
  return outcomes
}

function refuseRepeated(name: string, names: readonly string[]): void {
  if (names.indexOf(name) !== names.lastIndexOf(name)) {
    throw new KafkaError('INVALID_REQUEST', `${name} is there twice`)
  }
}

function isOfBroker(name: string): boolean {
  return name.startsWith('broker/')
}
