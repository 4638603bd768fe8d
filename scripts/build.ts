/**
 * Builds what users install: `src/` without tests as JavaScript and types in `dist/`, and the bin.
 * npm runs it as `prepack`; nothing in development needs it.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const dist = join(root, 'dist')

rmSync(dist, { recursive: true, force: true })
const tsc = join(root, 'node_modules/typescript/bin/tsc')
execFileSync(process.execPath, [tsc, '--project', join(root, 'tsconfig.build.json')], {
  cwd: root,
  stdio: 'inherit',
})
copyFileSync(join(root, 'src/bin.js'), join(dist, 'bin.js'))
chmodSync(join(dist, 'bin.js'), 0o755)

/** Every file that package.json promises. */
function promised(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return Object.values(value as object).flatMap(promised)
}
const { bin, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const missing = promised([bin, exports]).filter(path => !existsSync(join(root, path)))
if (missing.length > 0) throw new Error(`package.json names what was not built: ${missing}`)
