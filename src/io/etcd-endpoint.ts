/**
 * One member of etcd, by one HTTP/2 connection.
 *
 * There are no pings: a default etcd closes the connection of a client that pings more often than
 * every 5 s. A dead member is noticed by the deadline of whatever was asked of it.
 */
import { type Client, Code, ConnectError, createClient } from '@connectrpc/connect'
import { createGrpcTransport } from '@connectrpc/connect-node'
import { Auth, Cluster, KV, Lease, Maintenance, Watch } from './etcd-pb.ts'
import { EtcdSession } from './etcd-session.ts'

/** An answer above this is refused: a page of 1,000 keys, or a revision of a watch, is far below. */
const maxAnswerBytes = 64 * 1024 * 1024

/** How the member is to be sure of us, and we of it: PEM texts. */
export interface EtcdTls {
  /** Certificates of authorities; the system's when absent. */
  readonly ca?: string
  readonly certificate?: string
  readonly key?: string
}

/** One member. */
export class EtcdEndpoint {
  /** `host:port`. */
  readonly address: string
  readonly kv: Client<typeof KV>
  readonly watch: Client<typeof Watch>
  readonly lease: Client<typeof Lease>
  readonly cluster: Client<typeof Cluster>
  readonly maintenance: Client<typeof Maintenance>
  readonly auth: Client<typeof Auth>
  readonly #session: EtcdSession

  constructor(address: string, tls: EtcdTls | undefined) {
    this.address = address
    const baseUrl = `${tls === undefined ? 'http' : 'https'}://${address}`
    this.#session = new EtcdSession(baseUrl, {
      ...(tls?.ca !== undefined && { ca: tls.ca }),
      ...(tls?.certificate !== undefined && { cert: tls.certificate }),
      ...(tls?.key !== undefined && { key: tls.key }),
    })
    const transport = createGrpcTransport({
      baseUrl,
      sessionManager: this.#session,
      readMaxBytes: maxAnswerBytes,
    })
    this.kv = createClient(KV, transport)
    this.watch = createClient(Watch, transport)
    this.lease = createClient(Lease, transport)
    this.cluster = createClient(Cluster, transport)
    this.maintenance = createClient(Maintenance, transport)
    this.auth = createClient(Auth, transport)
  }

  /** Makes sure of a connection. Throws: then nothing was asked of this member. */
  async connect(timeoutMs: number): Promise<void> {
    const timer = setTimeout(() => this.abort('no connection in time'), timeoutMs)
    try {
      await this.#session.ready()
    } finally {
      clearTimeout(timer)
    }
  }

  /** Ends the connection and all that goes on in it; the next call makes a new one. */
  abort(reason: string): void {
    this.#session.abort(new ConnectError(reason, Code.Unavailable))
  }
}
