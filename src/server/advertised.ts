/**
 * The address a client is told for a broker.
 *
 * For this broker it is by default the address by which the client came: the local end of its own
 * connection surely leads here, on loopback, on any interface, and inside a container network.
 * advertised.listeners overrides it, listener by listener. For other brokers it is what they
 * registered for the same listener.
 */
import type { Broker } from '../cluster/image.ts'
import type { Endpoint } from '../config/listeners.ts'
import type { RequestContext } from './context.ts'

/** Where the client of this request reaches `broker`; undefined: not by the listener it uses. */
export function addressOf(ctx: RequestContext, broker: Broker): Endpoint | undefined {
  const { connection } = ctx
  if (broker.brokerId !== ctx.domain.brokerId) {
    return broker.listeners.find(({ name }) => name === connection.listener)
  }
  const own = { host: plainAddress(connection.localAddress), port: connection.localPort }
  const told = ctx.config.advertised.get(connection.listener)
  if (told === undefined) return own
  return { host: told.host, port: told.port === 0 ? own.port : told.port }
}

/** All brokers that the client can reach, with where. */
export function reachableBrokers(ctx: RequestContext) {
  const reachable: (Endpoint & { nodeId: number; rack: string | null })[] = []
  for (const broker of ctx.image.brokers()) {
    const address = addressOf(ctx, broker)
    if (address === undefined) continue
    const { host, port } = address
    reachable.push({ nodeId: broker.brokerId, host, port, rack: broker.rack })
  }
  return reachable
}

/** An IPv4 client of a socket that is open for IPv6 too shows as ::ffff:a.b.c.d. */
export function plainAddress(address: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address
}
