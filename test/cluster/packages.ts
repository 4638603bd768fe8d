/** The package of a commit, packed and installed as users get it. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

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

/** Answers the program that `node` runs to start it. */
export function install(commit: string, directory: string): string {
  const [tree, app] = [join(directory, 'tree'), join(directory, 'app')]
  for (const each of [tree, app]) mkdirSync(each, { recursive: true })
  const archive = execFileSync('git', ['archive', commit], {
    cwd: root,
    maxBuffer: 1024 * 1024 * 1024,
  })
  execFileSync('tar', ['-x', '-C', tree], { input: archive })
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'))
  const pack = ['pack', '--silent', '--pack-destination', directory]
  const name = execFileSync('npm', pack, { cwd: tree, encoding: 'utf8' }).trim().split('\n').at(-1)!
  writeFileSync(join(app, 'package.json'), '{ "private": true, "type": "module" }')
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--silent']
  execFileSync('npm', ['install', ...options, join(directory, name)], { cwd: app })
  return join(app, 'node_modules/ottla/dist/bin.js')
}
