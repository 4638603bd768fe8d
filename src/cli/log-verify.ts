/** `ottla log verify DIRECTORY`: what is wrong with a broker's files, and where; `--repair` mends it. */
import { dirname, relative, resolve } from 'node:path'
import { DiskError, type Io } from '../io/io.ts'
import { nodeIo } from '../io/node.ts'
import { repair } from '../log/repair.ts'
import {
  type Finding,
  kindOfFolder,
  type Verification,
  type VerifyOptions,
  verify,
} from '../log/verify.ts'
import { Failure, fileProblem } from './failure.ts'
import { whileStopped } from './log-lock.ts'
import {
  bytesText,
  countText,
  Progress,
  plural,
  print,
  printJson,
  styled,
  table,
} from './output.ts'

interface VerifyCommandOptions {
  readonly deep?: true
  readonly repair?: true
  readonly json?: true
}

/** More folders than that are shown only where something is wrong. */
const maxFoldersShown = 40

/** Throws Failure when something is wrong, or remains so. */
export async function verifyCommand(path: string, options: VerifyCommandOptions): Promise<void> {
  const io = nodeIo()
  const directory = resolve(path)
  const root = await rootOf(io, directory, path)
  const wrong = await whileStopped(io.disk, root, async () => {
    const found = await shown(io, directory, options)
    if (!options.repair || !found.findings.some(isWrong)) return found
    for (const line of await repair(io, directory)) {
      await (options.json ? printJson({ repaired: line }) : print(`${line}\n`))
    }
    if (!options.json) await print('\nAfter that:\n\n')
    return await shown(io, directory, options)
  })
  const counts = countsOf(wrong.findings)
  if (counts !== '') throw new Failure(`${path}: ${counts}${adviceFor(wrong, options)}`)
}

async function rootOf(io: Io, directory: string, path: string): Promise<string> {
  try {
    const kind = await kindOfFolder(io.disk, directory)
    if (kind === 'directory') return directory
    if (kind === 'partition') return dirname(directory)
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    throw new Failure(`cannot read ${path}: ${fileProblem(error.cause)}`, { cause: error })
  }
  throw new Failure(`${path}: is neither a data directory nor the folder of a partition`)
}

async function shown(
  io: Io,
  directory: string,
  { deep, json }: VerifyCommandOptions,
): Promise<Verification> {
  const progress = new Progress()
  const options: VerifyOptions = {
    ...(deep ? { deep } : {}),
    onProgress: (done, total) => progress.show(() => progressText(done, total, progress)),
  }
  const found = await verify(io.disk, directory, options)
  progress.clear()
  if (json) {
    for (const folder of found.folders) await printJson(folder)
    for (const finding of found.findings) await printJson(finding)
  } else await printFound(found, directory, progress.elapsedMs)
  return found
}

function progressText(done: number, total: number, { elapsedMs }: Progress): string {
  const percent = total === 0 ? 100 : Math.floor((100 * done) / total)
  const rate = bytesText((1000 * done) / elapsedMs)
  return `${bytesText(done)} of ${bytesText(total)}, ${percent} %, ${rate}/s`
}

async function printFound(found: Verification, directory: string, tookMs: number): Promise<void> {
  const worst = worstByFolder(found, directory)
  const rows = found.folders
    .filter(({ name }) => found.folders.length <= maxFoldersShown || worst.has(name))
    .map(({ name, segments, batches, bytes, startOffset, endOffset }) => [
      ...[name, countText(segments), countText(batches), bytesText(bytes)],
      ...[startOffset, endOffset, worst.get(name) ?? 'sound'],
    ])
  const right = (title: string) => ({ title, align: 'right' }) as const
  const titles = ['segments', 'batches', 'bytes', 'from', 'end'].map(right)
  if (rows.length > 0) {
    await print(table([{ title: 'partition' }, ...titles, { title: '' }], rows))
  }
  const left = found.folders.length - rows.length
  if (left > 0) await print(`${plural(left, 'other partition')} without anything wrong\n`)
  for (const finding of found.findings) await print(`${findingText(finding, directory)}\n`)
  if (found.omittedFindings > 0) await print(`and ${countText(found.omittedFindings)} more\n`)
  const seconds = (tookMs / 1000).toFixed(1)
  await print(`${bytesText(found.bytes)} read in ${seconds} s\n`)
}

const words = {
  damage: 'damaged',
  torn: 'torn end',
  derived: 'to be rebuilt',
  note: 'note',
} as const

function worstByFolder(found: Verification, directory: string): Map<string, string> {
  const worst = new Map<string, string>()
  for (const kind of ['derived', 'torn', 'damage'] as const) {
    for (const finding of found.findings.filter(each => each.kind === kind)) {
      const path = relative(directory, finding.path)
      const name = found.folders.find(
        each => path === each.name || path.startsWith(`${each.name}/`),
      )
      const only = found.folders.length === 1 ? found.folders[0] : undefined
      const folder = name ?? only
      if (folder !== undefined) worst.set(folder.name, words[kind])
    }
  }
  return worst
}

function findingText({ kind, path, position, offset, what }: Finding, directory: string): string {
  const colour = kind === 'damage' ? 'red' : kind === 'note' ? 'dim' : 'yellow'
  const place = [
    relative(directory, path) || path,
    ...(position === undefined ? [] : [`at byte ${position}`]),
    ...(offset === undefined ? [] : [`offset ${offset}`]),
  ]
  return `${styled(colour, words[kind])}  ${place.join(', ')}: ${what}`
}

function isWrong({ kind }: Finding): boolean {
  return kind !== 'note'
}

function countsOf(findings: readonly Finding[]): string {
  const kinds = ['damage', 'torn', 'derived'] as const
  const counts = kinds.map(kind => [kind, findings.filter(each => each.kind === kind).length])
  return counts
    .filter(([, count]) => count !== 0)
    .map(([kind, count]) => `${count} ${words[kind as FindingWord]}`)
    .join(', ')
}

type FindingWord = keyof typeof words

function adviceFor({ findings }: Verification, options: VerifyCommandOptions): string {
  if (options.repair) return '; what remains cannot be mended from these files'
  const isDamaged = findings.some(({ kind }) => kind === 'damage')
  return isDamaged
    ? '; --repair keeps the readable records on both sides of damage, and copies of what it cuts'
    : '; the next start mends that, or --repair'
}
