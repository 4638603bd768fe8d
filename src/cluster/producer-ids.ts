/**
 * Producer ids (KIP-98): blocks of 1000 are taken from the store, single ids from memory. A block is
 * used only after its transaction is known to have succeeded, so no two brokers ever share one; what
 * is left of a block at the end of a process is lost, which 63 bits can afford.
 */
import { type Entry, type MetadataStore, StoreUnavailableError } from '../io/io.ts'
import { KafkaError } from '../protocol/errors.ts'
import { codecs, keys } from './keys.ts'
import type { Transactor } from './transact.ts'

const blockSize = 1000

/** Gives out the ids of this process. */
export class ProducerIds {
  readonly #store: MetadataStore
  readonly #transactor: Transactor
  #next = 0
  #blockEnd = 0
  #taking: Promise<void> | undefined

  constructor(store: MetadataStore, transactor: Transactor) {
    this.#store = store
    this.#transactor = transactor
  }

  /**
   * An id that no broker gave out before; waits for the store when a new block is due. Throws
   * COORDINATOR_NOT_AVAILABLE when that does not answer.
   */
  async next(): Promise<number> {
    while (this.#next === this.#blockEnd) {
      this.#taking ??= this.#takeBlock().finally(() => {
        this.#taking = undefined
      })
      await this.#taking
    }
    return this.#next++
  }

  async #takeBlock(): Promise<void> {
    let known = await this.#read()
    while (true) {
      const value = known === undefined ? { next: 0 } : codecs.producerIds.decode(known.value)
      const end = value.next + blockSize
      if (!Number.isSafeInteger(end)) throw new KafkaError('UNKNOWN_SERVER_ERROR', 'no ids left')
      const by = this.#transactor.nextBy()
      const outcome = await this.#transactor.run(
        {
          compares: [
            { key: keys.producerIds, target: 'modRevision', equals: known?.modRevision ?? 0n },
          ],
          ops: [
            {
              put: keys.producerIds,
              value: codecs.producerIds.encode({ ...value, next: end, by }),
            },
          ],
          proofKey: keys.producerIds,
        },
        by,
      )
      if (outcome.applied) {
        this.#next = value.next
        this.#blockEnd = end
        return
      }
      known = outcome.found
    }
  }

  async #read(): Promise<Entry | undefined> {
    try {
      return (await this.#store.get({ key: keys.producerIds })).entries[0]
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error
      throw new KafkaError('COORDINATOR_NOT_AVAILABLE', 'the metadata store does not answer')
    }
  }
}
