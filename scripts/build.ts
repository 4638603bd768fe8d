/**
 * Builds what users install: `src/` without tests as types and JavaScript in `dist/`. npm runs it as
 * `prepack`; nothing in development needs it.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { buildJavaScript } from './javascript.ts'

const root = join(import.meta.dirname, '..')
const dist = join(root, 'dist')

rmSync(dist, { recursive: true, force: true })
const tsc = join(root, 'node_modules/typescript/bin/tsc')
execFileSync(process.execPath, [tsc, '--project', join(root, 'tsconfig.build.json')], {
  cwd: root,
  stdio: 'inherit',
})
buildJavaScript(dist)

/** Every file that package.json promises. */
function promised(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return Object.values(value as object).flatMap(promised)
}
const { bin, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const missing = promised([bin, exports]).filter(path => !existsSync(join(root, path)))
if (missing.length > 0) throw new Error(`package.json names what was not built: ${missing}`)
