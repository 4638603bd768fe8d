/**
 * Builds what users install: `src/` without tests in `dist/`, types by TypeScript and JavaScript by
 * esbuild, and the bin. In one file for each entry point and what several of them share, for Node takes
 * longer to find hundreds of files than to run them. npm runs it as `prepack`; nothing in development
 * needs it.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { buildSync } from 'esbuild'

const root = join(import.meta.dirname, '..')
const dist = join(root, 'dist')

rmSync(dist, { recursive: true, force: true })
const tsc = join(root, 'node_modules/typescript/bin/tsc')
execFileSync(process.execPath, [tsc, '--project', join(root, 'tsconfig.build.json')], {
  cwd: root,
  stdio: 'inherit',
})
const { files: entryPoints } = JSON.parse(readFileSync(join(root, 'tsconfig.build.json'), 'utf8'))
buildSync({
  absWorkingDir: root,
  entryPoints,
  outbase: 'src',
  outdir: dist,
  // As deep as the folders of src: what is beside them is found by its path.
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  packages: 'external',
  format: 'esm',
  platform: 'node',
  target: 'node22.15',
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
