/**
 * Asks a running Apache Kafka (PORT on 127.0.0.1, freshly started, node id 1) all questions of
 * group-cases.ts and writes its answers to kafka-group-answers.json,
 * which `npx biome check --write` then brings into form.
 */
import { writeFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { nodeIo } from '../src/io/node.ts'
import { askAll, groupCases } from './group-cases.ts'
import { find } from './group-client.ts'
import { WireClient } from './wire-client.ts'

const connect = () => WireClient.connect(nodeIo(), Number(process.argv[2]))
// Until its first group is asked for, Kafka has no topic for them; then it takes a moment.
await find(await connect(), 'g')
await setTimeout(5000)
const answers: Record<string, unknown> = {}
for (const api of Object.keys(groupCases)) {
  answers[api] = await askAll(api, connect, what => console.error(`${api}: ${what}`))
}
const file = new URL('kafka-group-answers.json', import.meta.url)
writeFileSync(file, `${JSON.stringify(answers, null, 2)}\n`)
process.exit()
