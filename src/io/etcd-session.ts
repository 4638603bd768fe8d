/**
 * One HTTP/2 connection to a member of etcd, made when it is needed and made anew when it is gone.
 *
 * The library's own keeper of sessions stops listening for errors when one ends, and an error that
 * comes then, as of a server that speaks no HTTP/2, ends the process. Here somebody always listens.
 */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionRequestOptions,
  connect,
  constants,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
} from 'node:http2'
import { Code, ConnectError } from '@connectrpc/connect'

/** What the library asks for a stream. */
export class EtcdSession {
  /** `https://host:port`. */
  readonly authority: string
  readonly #options: SecureClientSessionOptions
  #session: ClientHttp2Session | undefined
  #connected: Promise<ClientHttp2Session> | undefined

  constructor(baseUrl: string, options: SecureClientSessionOptions) {
    this.authority = new URL(baseUrl).origin
    this.#options = options
  }

  /** Resolves when there is a connection. Throws Node's error, or that of `abort`. */
  ready(): Promise<ClientHttp2Session> {
    if (this.#connected === undefined || this.#session!.closed || this.#session!.destroyed) {
      const session = connect(this.authority, this.#options)
      this.#session = session
      this.#connected = new Promise((resolve, reject) => {
        session.once('connect', () => resolve(session))
        session.on('error', reject)
        session.once('close', () => reject(new ConnectError('it closed', Code.Unavailable)))
      })
      this.#connected.catch(() => {})
    }
    return this.#connected
  }

  async request(
    method: string,
    path: string,
    headers: OutgoingHttpHeaders,
    options: Omit<ClientSessionRequestOptions, 'signal'>,
  ): Promise<ClientHttp2Stream> {
    const session = await this.ready()
    return session.request({ ...headers, ':method': method, ':path': path }, options)
  }

  /** Nobody counts here. */
  notifyResponseByteRead(): void {}

  /** Ends the connection and all streams in it. */
  abort(reason: Error): void {
    this.#session?.destroy(reason, constants.NGHTTP2_CANCEL)
  }
}
