/** docs/protocol-support.md and docs/configuration.md, printed from the tables that the broker runs on. */
import { brokerKeys } from '../config/broker-keys.ts'
import { groupKeys } from '../config/group-keys.ts'
import { type ConfigKey, describeValid, type Meaning } from '../config/key.ts'
import { topicSynonyms } from '../config/topic-config.ts'
import { topicKeys } from '../config/topic-keys.ts'
import { apis } from './apis.ts'

const note = (file: string) =>
  `<!-- Printed from ${file} by \`npm run docs\`: change it there. -->\n`

/** Every API with the versions that are served, and what clients should know about it. */
export function protocolSupport(): string {
  const rows = [...apis]
    .sort((a, b) => a.request.apiKey! - b.request.apiKey!)
    .map(({ request, served: { first, last }, listedMin, remarks }) => {
      const listed = listedMin === first ? '' : ` (listed from ${listedMin})`
      const name = request.name.replace(/Request$/, '')
      const versions = first === last ? `${first}` : `${first}–${last}`
      return `| ${request.apiKey} | ${name} | ${versions}${listed} | ${remarks} |`
    })
  return [
    note('src/server/apis.ts'),
    '# Protocol support\n',
    'The broker speaks the Kafka protocol of Apache Kafka 4.4. ApiVersions lists exactly the APIs and versions below;',
    'whatever is not in the table is not served. A request for it closes the connection, as in Kafka.\n',
    '| key | API | versions | |',
    '|---|---|---|---|',
    ...rows,
    '',
    '## Not yet',
    '',
    '- **Groups of the new protocol** (ConsumerGroupHeartbeat, KIP-848) and share groups: consumers use the classic protocol until then.',
    '- **Transactions**: InitProducerId refuses a transactional id with INVALID_REQUEST, which clients take as fatal, and Produce refuses',
    '  transactional batches.',
    '- **Security**: listeners are PLAINTEXT; TLS, SASL and ACLs are refused in the configuration rather than ignored.',
    '',
    'Record batches are of magic 2 (Kafka 0.11 and later), compressed with gzip, snappy, lz4 or zstd.',
    '',
  ].join('\n')
}

const meanings: readonly [Meaning, title: string, explanation: string][] = [
  ['acts', 'Keys that act', ''],
  [
    'refused',
    'Keys that are refused',
    'Any value but the default stops the start, or is answered with INVALID_CONFIG, because security or durability would silently differ.',
  ],
  [
    'later',
    'Keys whose feature is not here yet',
    'They are accepted and kept; a notice at the start names those that were set.',
  ],
  [
    'no-meaning',
    'Keys without a meaning here',
    'They are accepted; a notice at the start names those that were set.',
  ],
]

/** Every key of brokers, topics and groups, and what it means here. */
export function configuration(): string {
  return [
    note('the key tables in src/config/'),
    '# Configuration\n',
    'Keys, types and defaults are those of Apache Kafka 4.4. Three defaults are our own: `listeners` is loopback, the data directory (`log.dir`)',
    'is `ottla-data` in the working folder, and `node.id` is 1. No key is silently ignored.\n',
    ...section('Broker', brokerKeys, true),
    ...section('Topic', topicKeys, false),
    ...section('Group', groupKeys, false),
  ].join('\n')
}

function section(
  what: string,
  keys: ReadonlyMap<string, ConfigKey>,
  isBroker: boolean,
): readonly string[] {
  return meanings.flatMap(([meaning, title, explanation]) => {
    const rows = [...keys.values()].filter(key => key.meaning === meaning)
    if (rows.length === 0) return []
    const lines = [`## ${what}: ${title.toLowerCase()}`, '']
    if (explanation !== '') lines.push(explanation, '')
    if (meaning === 'acts') {
      const last = isBroker ? 'while it runs' : 'broker key'
      lines.push(`| key | type | default | valid | | ${last} |`, '|---|---|---|---|---|---|')
      return [...lines, ...rows.map(key => acting(key, isBroker)), '']
    }
    return [...lines, ...grouped(rows), '']
  })
}

function acting(key: ConfigKey, isBroker: boolean): string {
  const { name, type, doc, dynamic } = key
  const names = topicSynonyms.get(name) ?? []
  const last = isBroker ? (dynamic ? 'yes' : '') : names.map(code).join(', ')
  const cells = [code(name), type.toLowerCase(), shown(key), describeValid(key), doc, last]
  return `| ${cells.join(' | ')} |`
}

/** Keys that share a reason share a line. */
function grouped(keys: readonly ConfigKey[]): string[] {
  const byReason = Map.groupBy(keys, ({ doc }) => doc)
  return [...byReason].map(
    ([reason, same]) => `- ${capital(reason)}: ${same.map(({ name }) => code(name)).join(', ')}`,
  )
}

function shown({ defaultValue }: ConfigKey): string {
  if (defaultValue === null) return ''
  return defaultValue === '9223372036854775807' ? 'no bound' : code(defaultValue)
}

function code(text: string): string {
  return text === '' ? '' : `\`${text}\``
}

function capital(text: string): string {
  return (text.charAt(0).toUpperCase() + text.slice(1)).replace(/\.$/, '')
}
