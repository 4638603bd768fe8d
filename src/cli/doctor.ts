/** `ottla doctor`: says, step by step, why a client cannot connect. */
import { nodeIo } from '../io/node.ts'
import { addresses, type BootstrapOptions } from './bootstrap.ts'
import { Examination } from './doctor-examination.ts'
import { addressText, type Finding } from './doctor-words.ts'
import { Failure } from './failure.ts'
import { plural, print, printJson, styled, table, wrapped } from './output.ts'
import { pairedApis } from './spoken-apis.ts'
import { Working } from './working.ts'

interface DoctorOptions extends BootstrapOptions {
  readonly write?: true
  readonly apis?: true
  readonly json?: true
  /** Seconds. */
  readonly patience: number
}

const signs = { good: '✓', odd: '!', bad: '✗', note: '·' } as const
const colours = { good: 'green', odd: 'yellow', bad: 'red', note: 'dim' } as const
const stepWidth = 12

/** Exit code 1, with one line, when something is bad. */
export async function doctor(options: DoctorOptions): Promise<void> {
  const patienceMs = options.patience * 1000
  let bad = 0
  let odd = 0
  for (const address of addresses(options.bootstrap)) {
    if (!options.json) await print(`${styled('bold', addressText(address))}\n`)
    const examination = new Examination(nodeIo(), address, {
      patienceMs,
      write: options.write === true,
    })
    const working = new Working(() => examination.waitingFor)
    for await (const finding of examination.findings()) {
      working.pause()
      if (finding.state === 'bad') bad += 1
      if (finding.state === 'odd') odd += 1
      if (options.json) await printJson({ address: addressText(address), ...finding })
      else await print(findingText(finding))
    }
    working.end()
    if (options.apis && !options.json) await print(`\n${apisText(examination)}`)
    if (!options.json) await print('\n')
  }
  if (bad > 0) throw new Failure(`${plural(bad, 'problem')}: see ${signs.bad} above`)
  if (!options.json) await print(odd === 0 ? 'All is well.\n' : 'It works; see ! above.\n')
}

function findingText({ step, state, text, advice }: Finding): string {
  const sign = styled(colours[state], signs[state])
  const indent = ' '.repeat(stepWidth + 4)
  const lines = wrapped(text, indent.length)
  const head = `${sign} ${step.padEnd(stepWidth)}  ${lines.join(`\n${indent}`)}\n`
  if (advice === undefined) return head
  return `${head}${wrapped(advice, indent.length + 2)
    .map((line, index) => `${indent}${styled('dim', index === 0 ? '→ ' : '  ')}${line}\n`)
    .join('')}`
}

function apisText({ apis }: Examination): string {
  if (apis.length === 0) return 'It listed no APIs.\n'
  const paired = pairedApis(apis)
  const rows = paired.map(({ request, theirs, ours, version }) => [
    request.name.replace(/Request$/u, ''),
    theirs,
    ours,
    version ?? 'none in common',
  ])
  const others = apis.length - paired.filter(({ theirs }) => theirs !== 'none').length
  const columns = [
    { title: 'API' },
    { title: 'BROKER' },
    { title: 'OTTLA COMMAND' },
    { title: 'USED', align: 'right' as const },
  ]
  return `${table(columns, rows)}and ${plural(others, 'API')} that the command has no use for\n`
}
