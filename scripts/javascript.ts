/**
 * The JavaScript that users run: by esbuild, in a file for each entry point and files that several of
 * them share, for Node takes longer to find hundreds of files than to run them.
 */
import { chmodSync, copyFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildSync } from 'esbuild'

const root = join(import.meta.dirname, '..')

/** Into `directory`, which need not be there; the bin is `bin.js`. Throws where the sources do not parse. */
export function buildJavaScript(directory: string): void {
  const { files } = JSON.parse(readFileSync(join(root, 'tsconfig.build.json'), 'utf8'))
  buildSync({
    absWorkingDir: root,
    entryPoints: files,
    outbase: 'src',
    outdir: directory,
    // As deep as the folders of src: what is beside them is found by its path.
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node22.15',
  })
  const bin = join(directory, 'bin.js')
  copyFileSync(join(root, 'src/bin.js'), bin)
  chmodSync(bin, 0o755)
}
