/** What each client program says of itself, one line a fact, for `main.ts` to put into its table. */

/** Prints the version of the client that speaks. */
export function version(text: string): void {
  console.log(`version ${text}`)
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
