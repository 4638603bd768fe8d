/** Brokers as users get them: the package of a commit, or what the sources are built to. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { buildJavaScript } from '../../scripts/javascript.ts'

const root = resolve(import.meta.dirname, '../..')

/** The commit that a name such as HEAD^ stands for; undefined: there is none. */
export function commitOf(name: string): string | undefined {
  const { status, stdout } = spawnSync('git', ['rev-parse', '--verify', `${name}^{commit}`], {
    cwd: root,
    encoding: 'utf8',
  })
  return status === 0 ? stdout.trim() : undefined
}

/** Whether brokers of that commit can form a cluster. */
export function knowsSharedStore(commit: string): boolean {
  return (
    spawnSync('git', ['cat-file', '-e', `${commit}:src/io/etcd.ts`], { cwd: root }).status === 0
  )
}

/** Throws when that commit does not build. */
export function install(commit: string, directory: string): void {
  const [tree, app] = [join(directory, 'tree'), join(directory, 'app')]
  for (const each of [tree, app]) mkdirSync(each, { recursive: true })
  const archive = join(directory, 'tree.tar')
  run(root, 'git', 'archive', '--output', archive, commit)
  run(tree, 'tar', '-xf', archive)
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'))
  const packed = run(tree, 'npm', 'pack', '--silent', '--pack-destination', directory)
  const tarball = join(directory, packed.trim().split('\n').at(-1)!)
  writeFileSync(join(app, 'package.json'), '{ "private": true, "type": "module" }')
  run(app, 'npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund', '--silent', tarball)
}

/** Builds the sources as they are now; so nobody who edits them meets a run that goes on. */
export function build(directory: string): void {
  mkdirSync(directory, { recursive: true })
  buildJavaScript(join(directory, 'dist'))
  copyFileSync(join(root, 'package.json'), join(directory, 'package.json'))
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'))
}

/** What `node` runs to start what was built there. */
export function builtProgramOf(directory: string): string {
  return join(directory, 'dist/bin.js')
}

/** What `node` runs to start what was installed there. */
export function programOf(directory: string): string {
  return join(directory, 'app/node_modules/ottla/dist/bin.js')
}

function run(cwd: string, command: string, ...words: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, words, { cwd, encoding: 'utf8' })
  if (status === 0) return stdout
  const said = `${stdout}${stderr}`.slice(0, 2000)
  throw new Error(`${command} ${words[0]} ended with ${status}: ${said}`)
}
