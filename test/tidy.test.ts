/**
 * Holds the architecture: order of folders, purity, sizes, dead files. See docs/style.md.
 * A rule is a function over one file; a breach is a line that names the file and the rule.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { test } from 'node:test'

const root = resolve(import.meta.dirname, '..')
const src = join(root, 'src')

/** A file imports its own folder or folders before it. Changing this list is a design decision. */
const layers = [
  'base',
  'metrics',
  'io',
  'protocol',
  'config',
  'security',
  'client',
  'kafkajs',
  'log',
  'tier',
  'cluster',
  'replica',
  'coordinator',
  'quota',
  'server',
  'console',
  'broker',
  'sim',
  'cli',
]

/** Folders whose tests may use the simulated world, which stands below them. */
const entryPoints = [
  'index.ts',
  'protocol.ts',
  'testing.ts',
  'kafkajs.ts',
  'kafkajs/register.ts',
  'bin.js',
]
const wordsNotUsed = /(^|-)(utils?|helpers?|manager|impl|misc|common)(-|\.|$)/

interface SourceFile {
  readonly path: string
  readonly folder: string
  readonly text: string
  readonly isTest: boolean
  readonly imports: readonly string[]
}

function walk(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap(entry =>
    entry.isDirectory() ? walk(join(directory, entry.name)) : [join(directory, entry.name)],
  )
}

function load(file: string): SourceFile {
  const text = readFileSync(file, 'utf8')
  const path = relative(src, file).split(sep).join('/')
  const imports = [...text.matchAll(/(?:from|import\()\s*'([^']+)'/g)].map(match => match[1]!)
  return {
    path,
    text,
    folder: path.includes('/') ? path.slice(0, path.indexOf('/')) : '',
    isTest: path.endsWith('.test.ts'),
    imports,
  }
}

const files = walk(src)
  .filter(file => file.endsWith('.ts'))
  .map(load)
const code = files.filter(file => !file.isTest)

function target(file: SourceFile, specifier: string): string {
  return relative(src, resolve(src, dirname(file.path), specifier))
    .split(sep)
    .join('/')
}

function breaches(select: readonly SourceFile[], rule: (file: SourceFile) => string[]): string[] {
  return select.flatMap(file => rule(file).map(why => `src/${file.path}: ${why}`))
}

test('a file imports its own folder or folders above it', () => {
  const found = breaches(code, file => {
    if (file.folder === '') return []
    const own = layers.indexOf(file.folder)
    if (own < 0) return [`folder ${file.folder} is not in the list of layers`]
    return file.imports
      .filter(specifier => specifier.startsWith('.'))
      .map(specifier => target(file, specifier))
      .filter(path => layers.indexOf(path.split('/')[0]!) > own || !path.includes('/'))
      .map(path => `imports ${path}, which is below it`)
  })
  assert.deepEqual(found, [])
})

test('imports name a file with its extension', () => {
  const found = breaches(files, file =>
    file.imports
      .filter(specifier => specifier.startsWith('.') && !/\.(ts|js|json)$/.test(specifier))
      .map(specifier => `imports '${specifier}' without its extension`),
  )
  assert.deepEqual(found, [])
})

test('state machines and the lower layers are pure', () => {
  const pure = code.filter(
    file =>
      ['base', 'metrics', 'protocol', 'config'].includes(file.folder) ||
      file.path.endsWith('-state.ts'),
  )
  const found = breaches(pure, file => {
    const reasons: string[] = []
    if (/\basync\b|\bawait\b/.test(withoutComments(file.text))) reasons.push('is asynchronous')
    if (/\bDate\b|Math\.random|performance\.now/.test(withoutComments(file.text)))
      reasons.push('reads the clock or chance')
    for (const specifier of file.imports) {
      if (!specifier.startsWith('.')) continue
      const path = target(file, specifier)
      const typesOnly = new RegExp(`import type [^;]*?'${specifier.replace(/[.]/g, '\\.')}'`)
      if (path.startsWith('io/') && !typesOnly.test(file.text)) reasons.push(`imports ${path}`)
    }
    return reasons
  })
  assert.deepEqual(found, [])
})

test('the outside world is reached through io alone', () => {
  const allowed = ['io', 'cli', 'console']
  const outside =
    /'node:(fs|fs\/promises|net|tls|dns|http|https|timers|timers\/promises|worker_threads|child_process|os|sqlite)'/
  const ambient =
    /\b(setTimeout|setInterval|setImmediate)\(|\bDate\.now\(|new Date\(\)|Math\.random\(|performance\.now\(|randomUUID\(|randomBytes\(/
  const found = breaches(
    code.filter(file => !allowed.includes(file.folder) && file.folder !== 'sim'),
    file => {
      const text = withoutComments(file.text)
      return [outside, ambient].flatMap(pattern => {
        const match = pattern.exec(text)
        return match === null ? [] : [`uses ${match[0]}`]
      })
    },
  )
  assert.deepEqual(found, [])
})

test('only server, client, sim and the fetcher know requests and responses', () => {
  const found = breaches(
    code.filter(file => ['log', 'cluster', 'replica', 'config', 'io'].includes(file.folder)),
    file =>
      file.path === 'replica/fetcher.ts'
        ? []
        : file.imports
            .filter(specifier => /protocol\/messages\//.test(specifier))
            .map(specifier => `imports ${specifier}`),
  )
  assert.deepEqual(found, [])
})

test('files have at most 800 lines, and 100 columns', () => {
  const isTable = (file: SourceFile) =>
    file.path.startsWith('protocol/messages/') ||
    /(keys|errors|table)[a-z-]*\.ts$/.test(file.path) ||
    file.text.includes('@generated by protoc-gen-es')
  const found = breaches(code, file => {
    const lines = file.text.split('\n')
    const reasons: string[] = []
    if (lines.length > 800 && !isTable(file)) reasons.push(`has ${lines.length} lines`)
    return reasons
  })
  assert.deepEqual(found, [])
})

test('no file is named for what it is not', () => {
  const found = breaches(files, file => {
    const name = file.path.slice(file.path.lastIndexOf('/') + 1)
    if (wordsNotUsed.test(name)) return ['name says nothing']
    return /^[a-z0-9-]+(\.test)?\.ts$/.test(name) ? [] : ['name is not kebab-case']
  })
  assert.deepEqual(found, [])
})

test('every file is reached from an entry point or a test', () => {
  const byPath = new Map(files.map(file => [file.path, file]))
  const reached = new Set<string>()
  const visit = (path: string): void => {
    const file = byPath.get(path)
    if (file === undefined || reached.has(path)) return
    reached.add(path)
    for (const specifier of file.imports)
      if (specifier.startsWith('.')) visit(target(file, specifier))
  }
  for (const path of [...entryPoints, 'cli/main.ts', 'sim/main.ts', 'protocol/registry.ts'])
    visit(path)
  for (const file of files) if (file.isTest) visit(file.path)
  const found = code.filter(file => !reached.has(file.path)).map(file => `src/${file.path}`)
  assert.deepEqual(found, [])
})

test('no TODO without an issue, and no debris', () => {
  const found = breaches(files, file =>
    file.text
      .split('\n')
      .flatMap((line, index) =>
        /\b(TODO|FIXME|XXX)\b(?!\(#\d+\))/.test(line) || /console\.log\(|debugger/.test(line)
          ? file.folder === 'cli' || file.folder === 'sim'
            ? []
            : [`line ${index + 1}: ${line.trim()}`]
          : [],
      ),
  )
  assert.deepEqual(found, [])
})

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1')
}
