/** The lines a client program prints for `main.ts`: README.md says what they mean. */

/** The version of the client that speaks. */
export function version(text: string): void {
  console.log(`version ${text}`)
}

/** What it runs on, such as `Node 24.1.0`. */
export function runtime(text: string): void {
  console.log(`runtime ${text}`)
}

/** The client has no such thing. */
export function absent(what: string, why: string): void {
  console.log(`absent ${what}: ${why}`)
}

/** Runs `check`; prints that it was shown, or that it FAILED and why, and goes on. */
export async function shown(what: string, check: () => void | Promise<void>): Promise<void> {
  try {
    await check()
    console.log(`ok ${what}`)
  } catch (error) {
    process.exitCode = 1
    const text = error instanceof Error ? error.message : String(error)
    console.log(`FAILED ${what}: ${text.replaceAll(/\s*\n\s*/g, ' ').slice(0, 600)}`)
  }
}
