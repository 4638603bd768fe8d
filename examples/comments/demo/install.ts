/** Gets the packages of the example, once. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Runs `npm ci` in `directory` unless what is installed there is newer than the lock file. */
export async function install(directory: string): Promise<void> {
  const lock = join(directory, 'package-lock.json')
  const installed = join(directory, 'node_modules', '.package-lock.json')
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return

  process.stdout.write('Installing fastify and kafkajs for the example (only the first time) … ')
  const startedMs = performance.now()
  const [command, ...first] = npm()
  const npmCi = spawn(
    command,
    [...first, 'ci', '--prefix', directory, '--no-audit', '--no-fund', '--loglevel=error'],
    { stdio: ['ignore', 'ignore', 'inherit'], shell: process.platform === 'win32' },
  )
  const [code] = await once(npmCi, 'exit')
  if (code !== 0) {
    console.error(
      `\nnpm ci failed (exit code ${code}); try it by hand: npm ci --prefix ${directory}`,
    )
    process.exit(1)
  }
  process.stdout.write(`${((performance.now() - startedMs) / 1000).toFixed(1)} s\n`)
}

/** The npm that runs us; without one, the npm of the path. */
function npm(): [string, ...string[]] {
  const script = process.env['npm_execpath']
  return script?.endsWith('npm-cli.js') ? [process.execPath, script] : ['npm']
}
