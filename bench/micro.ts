/** The micro-benchmarks, one after the other: `npm run bench -- --micro`. Each also runs alone. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const files = {
  'Codecs of Produce and Fetch': 'codec.ts',
  Records: 'records.ts',
  Append: 'append.ts',
}

/** Prints bytes/ns and what an operation allocates. Throws when one fails. */
export function runMicro(): void {
  for (const [title, file] of Object.entries(files)) {
    console.log(`\n${title} (bench/${file})`)
    // mitata collects garbage before each measurement where it can.
    const args = ['--expose-gc', join(import.meta.dirname, file)]
    const { status, signal } = spawnSync(process.execPath, args, { stdio: 'inherit' })
    if (status !== 0) throw new Error(`${file} ended with ${signal ?? status}`)
  }
}
