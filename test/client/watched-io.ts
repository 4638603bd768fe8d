/**
 * An outside world in which one sees what a client asks of its brokers, and changes, holds back or
 * loses their answers: so what brokers say once in a blue moon is said when a case wants it.
 */
import type { Io, Socket, SocketHandlers } from '../../src/io/io.ts'
import { nodeIo } from '../../src/io/node.ts'
import { decodeRequestHeader, decodeResponse, encodeResponse } from '../../src/protocol/frame.ts'
import type { Fields, IncomingFields, Message, OutgoingFields } from '../../src/protocol/schema.ts'

/** A request as it was sent. */
export interface Asked {
  readonly apiKey: number
  readonly version: number
  /** Counts connections from 0. */
  readonly connection: number
}

/** A frame without its size, and what was asked. */
interface Answer extends Asked {
  readonly correlationId: number
  readonly frame: Uint8Array
}

/** What becomes of an answer: chunks of a frame with its size, nothing, or (undefined) itself. */
type Change = (answer: Answer) => Promise<readonly Uint8Array[] | 'lost' | undefined>

/** Changes what brokers answer to one kind of request. */
export interface Rule {
  readonly apiKey: number
  readonly change: Change
}

/**
 * `change` is given each answer of the kind, with its number from 0 over all connections, and makes
 * another of it, loses it, or leaves it as it is (undefined). While it waits, so do the answers behind.
 */
export function answers<F extends Fields>(
  message: Message<F>,
  change: (
    answer: IncomingFields<F>,
    nth: number,
  ) => OutgoingFields<F> | 'lost' | undefined | Promise<OutgoingFields<F> | 'lost' | undefined>,
): Rule {
  let count = 0
  return {
    apiKey: message.apiKey!,
    async change({ frame, version, correlationId }) {
      const { response } = decodeResponse(message, version, frame)
      const changed = await change(response, count++)
      if (changed === undefined || changed === 'lost') return changed
      return encodeResponse(message, version, correlationId, changed)
    },
  }
}

export class Watched {
  readonly io: Io
  /** Everything that was asked, in order. */
  readonly asked: Asked[] = []
  /** Connections that were opened, and that are open. */
  readonly connections = { opened: 0, open: 0 }
  readonly #rules: readonly Rule[]
  readonly #sockets = new Set<Socket>()

  constructor(...rules: readonly Rule[]) {
    this.#rules = rules
    const real = nodeIo()
    this.io = {
      ...real,
      network: {
        listen: real.network.listen.bind(real.network),
        connect: async (options, attach) => {
          const link = new Link(this.connections.opened++, this.asked, this.#rules)
          this.connections.open++
          let socket: Socket | undefined
          try {
            socket = await real.network.connect(options, given => {
              const handlers = attach(given)
              return link.between(handlers, () => {
                this.connections.open--
                if (socket !== undefined) this.#sockets.delete(socket)
              })
            })
          } catch (error) {
            this.connections.open--
            throw error
          }
          this.#sockets.add(socket)
          return link.listening(socket)
        },
      },
    }
  }

  /** How often this was asked. */
  count({ apiKey }: Message): number {
    return this.asked.filter(each => each.apiKey === apiKey).length
  }

  /** The connections over which it was asked. */
  over({ apiKey }: Message): readonly number[] {
    const mine = this.asked.filter(each => each.apiKey === apiKey)
    return [...new Set(mine.map(({ connection }) => connection))]
  }

  /** Ends all connections that are open, as a broker does with those that are idle for long. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}

/** One connection. */
class Link {
  readonly #connection: number
  readonly #asked: Asked[]
  readonly #rules: readonly Rule[]
  readonly #unanswered = new Map<number, Asked>()
  #bytes: Buffer = Buffer.alloc(0)
  #last = Promise.resolve()
  #isClosed = false

  constructor(connection: number, asked: Asked[], rules: readonly Rule[]) {
    this.#connection = connection
    this.#asked = asked
    this.#rules = rules
  }

  between(handlers: SocketHandlers, onClose: () => void): SocketHandlers {
    return {
      drain: () => handlers.drain(),
      close: error => {
        this.#isClosed = true
        onClose()
        handlers.close(error)
      },
      data: chunk => {
        this.#bytes = Buffer.concat([this.#bytes, chunk])
        while (this.#bytes.length >= 4 && this.#bytes.length >= 4 + this.#bytes.readInt32BE()) {
          const end = 4 + this.#bytes.readInt32BE()
          const whole = this.#bytes.subarray(0, end)
          this.#bytes = this.#bytes.subarray(end)
          this.#last = this.#last.then(() => this.#answer(whole, handlers))
        }
      },
    }
  }

  /** Each request is one `write`. */
  listening(socket: Socket): Socket {
    const write: Socket['write'] = chunks => {
      const { apiKey, apiVersion, correlationId } = decodeRequestHeader(
        Buffer.concat(chunks).subarray(4),
      )
      const asked = { apiKey, version: apiVersion, connection: this.#connection }
      this.#unanswered.set(correlationId, asked)
      this.#asked.push(asked)
      return socket.write(chunks)
    }
    return new Proxy(socket, {
      get(target, name) {
        if (name === 'write') return write
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }

  async #answer(whole: Buffer, handlers: SocketHandlers): Promise<void> {
    const frame = whole.subarray(4)
    const correlationId = frame.readInt32BE()
    const asked = this.#unanswered.get(correlationId)
    this.#unanswered.delete(correlationId)
    const rule = this.#rules.find(({ apiKey }) => apiKey === asked?.apiKey)
    const changed = await rule?.change({ ...asked!, correlationId, frame })
    if (changed === 'lost' || this.#isClosed) return
    for (const chunk of changed ?? [whole]) handlers.data(chunk)
  }
}
