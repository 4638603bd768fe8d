/**
 * docs/api: the public API, printed from docstrings; a page for each role.
 *
 * What is told of a name is what an editor shows of it. A name that no page holds is an error, so
 * that nothing new goes unprinted.
 */
import { errors } from '../src/protocol/errors.ts'
import { type Member, type PublicName, readPublicNames } from './public-names.ts'

interface Page {
  readonly file: string
  readonly title: string
  readonly about: string
  readonly holds: (name: PublicName) => boolean
}

/** A name is on the first page that holds it. */
const pages: readonly Page[] = [
  {
    file: 'producer.md',
    title: 'Producer',
    about: 'Sends records.',
    holds: ({ file, isError }) =>
      !isError && /^src\/client\/(producer|serializers|partitioner)|records\/batch/.test(file),
  },
  {
    file: 'consumer.md',
    title: 'Consumer',
    about: 'Reads messages, alone or as a member of a group.',
    holds: ({ file, isError }) => !isError && file.startsWith('src/client/consumer'),
  },
  {
    file: 'admin.md',
    title: 'Admin',
    about: 'Topics, configs, groups, offsets, brokers.',
    holds: ({ file, isError }) => !isError && file.startsWith('src/client/admin'),
  },
  {
    file: 'client.md',
    title: 'Client',
    about:
      'What producers, consumers and admins have in common: how they connect, and how they share.',
    holds: ({ file }) => /^src\/client\/(client|connected)\.ts$/.test(file),
  },
  {
    file: 'broker.md',
    title: 'Broker',
    about: 'A broker in the process of the program.',
    holds: ({ file, isError }) => !isError && file.startsWith('src/broker/'),
  },
  {
    file: 'testing.md',
    title: 'ottla/testing',
    about:
      'A broker for a test; `Broker` and its options are exported here, too. See [testing](../testing.md).',
    holds: ({ file }) => file === 'src/testing.ts',
  },
  {
    file: 'hooks.md',
    title: 'Hooks',
    about:
      'Logger, metrics and events. Interceptors are with [producers](producer.md) and [consumers](consumer.md).',
    holds: ({ file }) =>
      /^src\/client\/(logger|diagnostics|telemetry|client-metrics)\.ts$/.test(file),
  },
  {
    file: 'protocol.md',
    title: 'ottla/protocol',
    about:
      'The codec. Beside these names the entry point exports every message of the protocol as a declaration and a type: `metadataRequest`, `MetadataRequest`.',
    holds: ({ file, isError }) =>
      file.startsWith('src/protocol/') && !(isError && file.endsWith('/errors.ts')),
  },
  {
    file: 'errors.md',
    title: 'Errors',
    about:
      'What is thrown, and what promises reject with. Each has a `name`, a `code` to switch on, says whether it is `retriable`, and its message says what to do.',
    holds: ({ isError, file }) => isError || file.startsWith('src/client/'),
  },
]

/** Not `ottla/kafkajs`: its names are those of kafkajs, and mean what they mean there. */
const entries = ['src/index.ts', 'src/testing.ts', 'src/protocol.ts']

/** Every public name once, with the entry points that export it. */
export function publicNames(): readonly PublicName[] {
  const names = [...readPublicNames(entries).values()].flat().filter(isPrinted)
  const byPlace = new Map(names.map(name => [`${name.file}:${name.line}:${name.name}`, name]))
  return [...byPlace.values()]
}

/** The messages of the protocol are described by docs/protocol-support.md and Kafka's own guide. */
function isPrinted({ file }: PublicName): boolean {
  return !file.startsWith('src/protocol/messages/')
}

/** The pages of docs/api by their file names. */
export function apiDocs(names = publicNames()): ReadonlyMap<string, string> {
  const groups = new Map<Page, PublicName[]>(pages.map(page => [page, []]))
  for (const name of names) {
    const page = pages.find(each => each.holds(name))
    if (page === undefined) throw new Error(`${name.file}: no page of docs/api holds ${name.name}`)
    groups.get(page)!.push(name)
  }
  const held = [...groups].filter(([, its]) => its.length > 0)
  return new Map([
    ['README.md', contents(held)],
    ...held.map(([page, its]) => [page.file, printed(page, its, linksFrom(page, held))] as const),
  ])
}

type Held = readonly (readonly [Page, readonly PublicName[]])[]
type Links = ReadonlyMap<string, string>

/** Two entry points may export different things by one name: those of the own page come last, and win. */
function linksFrom(from: Page, held: Held): Links {
  const others = held.filter(([page]) => page !== from).toReversed()
  const own = held.filter(([page]) => page === from)
  return new Map(
    [...others, ...own].flatMap(([page, its]) =>
      its.map(({ name }) => [name, `${page.file}#${anchor(name)}`]),
    ),
  )
}

const note = '<!-- Printed from docstrings by `npm run docs`: change them there. -->\n'

function contents(held: Held): string {
  const lists = held.flatMap(([page, names]) => [
    `## [${page.title}](${page.file})\n`,
    `${page.about}\n`,
    ...inOrder(names).map(
      ({ name, doc }) => `- [${name}](${page.file}#${anchor(name)}): ${firstSentence(doc)}`,
    ),
    '',
  ])
  const kafkajs = [
    '## ottla/kafkajs\n',
    'The names of kafkajs, which mean what they mean there: see [from kafkajs](../from-kafkajs.md).\n',
  ]
  return [note, '# API\n', ...lists, ...kafkajs].join('\n')
}

function printed(page: Page, names: readonly PublicName[], links: Links): string {
  const sections = inOrder(names).map(name => section(name, links))
  const table = page.file === 'errors.md' ? [kafkaErrors()] : []
  return [note, `# ${page.title}\n`, `${page.about}\n`, ...sections, ...table].join('\n')
}

/** Classes first, then functions, then the rest; each as it is declared. */
function inOrder(names: readonly PublicName[]): PublicName[] {
  const ranks = { class: 0, function: 1, const: 1, interface: 2, type: 2 }
  return names.toSorted((a, b) => ranks[a.kind] - ranks[b.kind])
}

function section(name: PublicName, links: Links): string {
  const members = name.members.filter(isTold)
  const source = `[${name.file}](../../${name.file})`
  const rows = name.kind === 'class' ? members.filter(({ kind }) => kind === 'field') : members
  const methods = name.kind === 'class' ? members.filter(({ kind }) => kind !== 'field') : []
  return [
    `## ${name.name}\n`,
    `${code(name.texts)}\n`,
    `${name.doc}\n`,
    ...(rows.length > 0 ? [table(rows, links)] : []),
    ...methods.map(method => methodSection(name, method)),
    `From ${source}.\n`,
  ].join('\n')
}

/** What every class has, or what only the library calls, is told of where there is more to say. */
function isTold({ kind, name, doc }: Member): boolean {
  return doc !== '' || kind === 'field' || (kind === 'method' && name !== '[Symbol.asyncDispose]')
}

function methodSection({ name: owner }: PublicName, method: Member): string {
  const { kind, isStatic, name, doc } = method
  if (kind === 'constructor') {
    const texts = method.texts.map(text => text.replace(/^constructor/, `new ${owner}`))
    return [`### new ${owner}\n`, `${code(texts)}\n`, `${doc}\n`].join('\n')
  }
  const path = isStatic ? `${owner}.${name}` : name.startsWith('[') ? name : `.${name}`
  return [`### ${path}\n`, `${code(method.texts)}\n`, `${doc}\n`].join('\n')
}

function table(rows: readonly Member[], links: Links): string {
  const lines = rows.map(({ name, isOptional, kind, texts, doc }) => {
    const shown = `\`${name}${isOptional && kind === 'field' ? '?' : ''}\``
    return `| ${shown} | ${typeCell(texts, links)} | ${cell(doc)} |`
  })
  return ['| | type | |', '|---|---|---|', ...lines, ''].join('\n')
}

/** Types as code in which names of ours are links. */
function typeCell(texts: readonly string[], links: Links): string {
  const escaped = texts
    .join('; ')
    .replace(/\/\*\*.*?\*\//gs, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
  const linked = escaped.replace(/(?<!['"])\b[A-Za-z_]\w*/g, word => {
    const link = links.get(word)
    return link === undefined ? word : `[${word}](${link})`
  })
  return `<code>${cell(linked)}</code>`
}

function cell(text: string): string {
  return text.replace(/\s+/g, ' ').replaceAll('|', '\\|').trim()
}

function code(texts: readonly string[]): string {
  return ['```ts', ...texts, '```'].join('\n')
}

function firstSentence(doc: string): string {
  const [paragraph = ''] = doc.split('\n\n')
  const flat = paragraph.replace(/\s+/g, ' ')
  return /^.*?[.:](?= [A-Z]|$)/.exec(flat)?.[0] ?? flat
}

/** As GitHub makes them of headings. */
function anchor(name: string): string {
  return name.toLowerCase()
}

function kafkaErrors(): string {
  const rows = Object.entries(errors).map(
    ([name, { code, retriable, message }]) =>
      `| ${name} | ${code} | ${retriable ? 'yes' : ''} | ${cell(message)} |`,
  )
  return [
    "## Kafka's errors\n",
    'The `error` of a KafkaError. What is retriable the client has tried again already, until its time was up.\n',
    '| error | code | retriable | |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n')
}
