/**
 * The command `ottla`. `start` is the one command whose start time counts: it is recognised here and
 * goes to the broker without loading the command-line library.
 */
import { explain } from './failure.ts'
import { parseStart } from './start-options.ts'

const argv = process.argv.slice(2)

// `ottla consume … | head` ends this pipe early: that is no error. A broker goes on without it.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  if (argv[0] !== 'start') process.exit(0)
})
// Whoever reads the log may go before the broker does.
process.stderr.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

try {
  await run(argv)
} catch (error) {
  const line = explain(error)
  console.error(line === undefined ? error : `ottla: ${line}`)
  if (line === undefined) {
    console.error('ottla: this is a bug: please report it with the lines above')
  }
  process.exit(1)
}

async function run(argv: readonly string[]): Promise<void> {
  const [command, ...rest] = argv
  const start = command === 'start' ? parseStart(rest) : undefined
  if (start !== undefined) {
    const { runStart } = await import('./start.ts')
    return await runStart(start)
  }
  if (command === undefined && process.stdout.isTTY) {
    const { welcome } = await import('./welcome.ts')
    return await welcome()
  }
  const { runProgram } = await import('./program.ts')
  await runProgram(argv)
}
