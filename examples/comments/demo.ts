/**
 * `npm run demo`: a burst of comments through this example, with events and with direct calls.
 * `--comments N` for another number than 20,000, `--picture FILE` draws what was seen as SVG,
 * `BOOTSTRAP=host:port` uses a broker that runs already.
 */
import { install } from './demo/install.ts'

process.exit(await main())

async function main(): Promise<number> {
  await install(import.meta.dirname)
  const { runDemo } = await import('./demo/story.ts') // needs what has just been installed
  return runDemo(process.argv.slice(2))
}
