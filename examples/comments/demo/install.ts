/** Gets the packages of the example, once, and Ottla as this repository has it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, globSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Makes what `directory` imports be there, and not older than its sources. */
export async function install(directory: string): Promise<void> {
  const lock = join(directory, 'package-lock.json')
  if (!isFresh(join(directory, 'node_modules', '.package-lock.json'), [lock])) {
    const [command, ...first] = npm()
    const args = ['ci', '--prefix', directory, '--no-audit', '--no-fund', '--loglevel=error']
    await run('Installing fastify and undici for the example', command, [...first, ...args])
  }
  const repository = join(directory, '../..')
  const build = join(repository, 'scripts/build.ts')
  const sources = globSync('src/**/*.ts', { cwd: repository }).map(file => join(repository, file))
  // A copy of this folder has its ottla from npm.
  if (existsSync(build) && !isFresh(join(repository, 'dist/index.js'), sources)) {
    await run('Building ottla', process.execPath, [build])
  }
}

function isFresh(file: string, than: readonly string[]): boolean {
  if (!existsSync(file)) return false
  const { mtimeMs } = statSync(file)
  return than.every(each => statSync(each).mtimeMs <= mtimeMs)
}

async function run(what: string, command: string, args: readonly string[]): Promise<void> {
  process.stdout.write(`${what} (only the first time) … `)
  const startedMs = performance.now()
  const child = spawn(command, args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: command === 'npm' && process.platform === 'win32',
  })
  const [code] = await once(child, 'exit')
  if (code !== 0) {
    console.error(`\nexit code ${code}; try it by hand to see why: ${[command, ...args].join(' ')}`)
    process.exit(1)
  }
  process.stdout.write(`${((performance.now() - startedMs) / 1000).toFixed(1)} s\n`)
}

/** The npm that runs us; without one, the npm of the path. */
function npm(): [string, ...string[]] {
  const script = process.env['npm_execpath']
  return script?.endsWith('npm-cli.js') ? [process.execPath, script] : ['npm']
}
