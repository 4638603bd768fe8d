/**
 * What was acknowledged is still there: node test/durability/run.ts [--messages N] [--kills K]
 *
 * The Java producer (idempotent, acks=all, 1 KB messages) fills one partition as fast as it can
 * while the broker is killed with `kill -9` K times and started again on the same data; a last kill
 * follows the last acknowledgement. Then everything is read back: each acknowledged message once,
 * in the order of sending, at the offset that was acknowledged. Prints figures; exit code 1 if not.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { LiveBroker } from '../live-broker.ts'

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '1000000' },
    kills: { type: 'string', default: '5' },
  },
})
const messages = Number(values.messages)
const kills = Number(values.kills)
if (!Number.isInteger(messages) || messages < 1 || !Number.isInteger(kills) || kills < 0) {
  throw new Error('usage: node test/durability/run.ts [--messages N] [--kills K]')
}
const giveUpAfterMs = 120_000 + messages

const setup = join(import.meta.dirname, '../clients/java/setup')
const command = execFileSync(setup, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
const words = command.split('\n')
const classPath = words[words.indexOf('-cp') + 1] ?? ''
const broker = await LiveBroker.start()
console.log(`durability: ${messages} messages of 1 KB, kill -9 ${kills} times and once at the end`)

const java = ['-Xmx1g', '-cp', classPath, 'Recorder', broker.bootstrap, String(messages)]
const recorder = spawn('java', java, { stdio: ['pipe', 'pipe', 'inherit'] })
const deadline = setTimeout(() => recorder.kill('SIGKILL'), giveUpAfterMs)
const ended = once(recorder, 'exit')
const downTimesMs: number[] = []

/** Answers once the broker accepts again. */
async function killAndRestart(acknowledged: number): Promise<void> {
  await broker.kill()
  const downMs = await broker.restart()
  downTimesMs.push(downMs)
  console.log(
    `  killed at ${acknowledged} acknowledged, accepts again after ${downMs.toFixed(0)} ms`,
  )
}

let fatal: unknown
let restarting: Promise<void> | undefined
/** Begins a kill; the lines of the producer that come meanwhile do not begin another. */
function kill(acknowledged: number): Promise<void> {
  restarting = killAndRestart(acknowledged)
    .catch((error: unknown) => {
      fatal = error
      recorder.kill('SIGKILL')
    })
    .finally(() => {
      restarting = undefined
    })
  return restarting
}

for await (const line of createInterface({ input: recorder.stdout })) {
  const acknowledged = Number(/^acknowledged (\d+)$/.exec(line)?.[1] ?? Number.NaN)
  if (Number.isNaN(acknowledged)) console.log(`  ${line}`)
  const next = (messages * (downTimesMs.length + 1)) / (kills + 1)
  if (restarting === undefined && downTimesMs.length < kills && acknowledged >= next) {
    void kill(acknowledged)
  }
  if (line.startsWith('produced ')) {
    await restarting
    await kill(messages)
    recorder.stdin.end('read back\n')
  }
}
const [code] = await ended
clearTimeout(deadline)
const killed = downTimesMs.length - 1
const surprises = broker.surprises()
for (const line of surprises) console.log(`  ${line}`)
const passed =
  code === 0 &&
  [fatal, broker.died, surprises[0]].every(bad => bad === undefined) &&
  killed === kills
if (!passed) {
  console.log(`${fatal ?? broker.died ?? `the recorder ended with ${code}, ${killed} kills`}`)
  console.log(`The broker's last words:\n${broker.logTail()}`)
}
await broker.remove()
console.log(passed ? 'durability: 1 passed, 0 failed' : 'durability: 0 passed, 1 failed')
process.exitCode = passed ? 0 : 1
