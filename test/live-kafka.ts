/** Apache Kafka in a process of its own, as ../shared/bench starts it (BENCH names another place). */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { freePort } from './live-broker.ts'

const bench = process.env['BENCH'] ?? join(import.meta.dirname, '../../shared/bench')

export class LiveKafka {
  readonly bootstrap: string
  readonly #port: string

  private constructor(port: string) {
    this.#port = port
    this.bootstrap = `127.0.0.1:${port}`
  }

  /** One fresh broker. Throws when it does not start, or is not set up (see bench's kafka-setup). */
  static async start(): Promise<LiveKafka> {
    const port = String(await freePort())
    execFileSync(join(bench, 'kafka-start'), ['1', port], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    return new LiveKafka(port)
  }

  /** Stops it and removes its files. */
  async remove(): Promise<void> {
    execFileSync(join(bench, 'kafka-stop'), [this.#port, '--purge'], { stdio: 'ignore' })
  }
}
