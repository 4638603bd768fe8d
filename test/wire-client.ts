/** A broker in a simulated world, and a client that speaks to it in any version, byte by byte. */
import { Broker } from '../src/broker/broker.ts'
import type { Io, Socket } from '../src/io/io.ts'
import { decodeResponse, encodeRequest } from '../src/protocol/frame.ts'
import type { Fields, IncomingFields, Message, OutgoingFields } from '../src/protocol/schema.ts'
import { World } from '../src/sim/world.ts'

interface Port {
  received: Buffer
  wake: () => void
  isClosed: boolean
}

/** One connection; answers are read in order. */
export class WireClient {
  readonly #socket: Socket
  readonly #port: Port
  #correlationId = 0

  private constructor(socket: Socket, port: Port) {
    this.#socket = socket
    this.#port = port
  }

  static async connect(io: Io, port: number): Promise<WireClient> {
    const state: Port = { received: Buffer.alloc(0), wake: () => {}, isClosed: false }
    const socket = await io.network.connect({ host: '127.0.0.1', port, timeoutMs: 1000 }, () => ({
      data(chunk) {
        state.received = Buffer.concat([state.received, chunk])
        state.wake()
      },
      drain() {},
      close() {
        state.isClosed = true
        state.wake()
      },
    }))
    return new WireClient(socket, state)
  }

  get isClosed(): boolean {
    return this.#port.isClosed
  }

  close(): void {
    this.#socket.destroy()
  }

  /** Throws when the connection is closed instead. */
  async ask<Q extends Fields, R extends Fields>(
    request: Message<Q>,
    response: Message<R>,
    version: number,
    value: OutgoingFields<Q>,
  ): Promise<IncomingFields<R>> {
    this.send(request, version, value)
    return this.answer(response, version)
  }

  send<Q extends Fields>(request: Message<Q>, version: number, value: OutgoingFields<Q>): void {
    this.write(encodeRequest(request, version, ++this.#correlationId, 'test', value))
  }

  write(chunks: readonly Uint8Array[]): void {
    this.#socket.write(chunks)
  }

  /** The next answer. Throws when the connection is closed instead. */
  async answer<R extends Fields>(
    response: Message<R>,
    version: number,
  ): Promise<IncomingFields<R>> {
    const frame = await this.frame()
    if (frame === undefined) throw new Error('the connection was closed')
    return decodeResponse(response, version, frame).response
  }

  /** The bytes of the next answer; undefined: the connection was closed. */
  async frame(): Promise<Uint8Array | undefined> {
    const port = this.#port
    for (;;) {
      const size = port.received.length < 4 ? Number.NaN : port.received.readInt32BE(0)
      if (port.received.length >= 4 + size) {
        const frame = port.received.subarray(4, 4 + size)
        port.received = port.received.subarray(4 + size)
        return frame
      }
      if (port.isClosed) return undefined
      await new Promise<void>(resolve => {
        port.wake = resolve
      })
    }
  }
}

/** What a scenario is given. */
export interface Scene {
  readonly world: World
  readonly broker: Broker
  readonly client: WireClient
  connect(): Promise<WireClient>
}

/** Runs `scenario` against a fresh broker, and stops that at the end. */
export async function withBroker(
  properties: Readonly<Record<string, string>>,
  scenario: (scene: Scene) => Promise<void>,
): Promise<void> {
  const world = new World(1)
  const io = world.io()
  await world.run(async () => {
    const broker = await Broker.start({
      io,
      store: world.store(),
      properties: {
        listeners: 'PLAINTEXT://127.0.0.1:0',
        'offsets.topic.replication.factor': '1',
        ...properties,
      },
    })
    const connect = () => WireClient.connect(io, broker.address.port)
    await scenario({ world, broker, client: await connect(), connect })
    await broker.close()
  })
}
