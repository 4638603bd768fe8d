/** Kafka's own definitions of messages, and what a declaration of ours does not share with them. */
import {
  type Field,
  type Fields,
  includes,
  type Message,
  range,
} from '../../src/protocol/schema.ts'

/** One definition; ranges are texts, names begin with a capital. */
export interface Definition {
  readonly name: string
  readonly type: string
  readonly apiKey?: number
  readonly validVersions: string
  readonly flexibleVersions: string
  readonly latestVersionUnstable?: boolean
  readonly fields: readonly FieldDefinition[]
  readonly commonStructs?: readonly { name: string; fields: readonly FieldDefinition[] }[]
}

interface FieldDefinition {
  readonly name: string
  /** A type, a struct's name, or either behind `[]`. */
  readonly type: string
  readonly versions?: string
  readonly nullableVersions?: string
  readonly taggedVersions?: string
  readonly flexibleVersions?: string
  readonly tag?: number
  readonly ignorable?: boolean
  readonly default?: string | number | boolean | null
  readonly fields?: readonly FieldDefinition[]
}

/** One line for each fact that differs; ranges are compared version by version. */
export function differences(message: Message, definition: Definition): string[] {
  const problems: string[] = []
  const same = (fact: string, ours: unknown, theirs: unknown): void => {
    if (!Object.is(ours, theirs)) problems.push(`${fact} is ${ours}, officially ${theirs}`)
  }
  const valid = range(definition.validVersions)
  same('type', message.type, definition.type)
  same('apiKey', message.apiKey, definition.apiKey)
  same('first version', message.versions.first, valid.first)
  same('last version', message.versions.last, valid.last)
  same('latestUnstable', message.latestUnstable, definition.latestVersionUnstable ?? false)
  const versions = []
  for (let version = valid.first; version <= valid.last; version++) versions.push(version)
  for (const version of versions) {
    const flexible = includes(range(definition.flexibleVersions), version)
    same(`flexible ${version}`, includes(message.flexible, version), flexible)
  }
  const compareFields = (
    ours: Fields,
    theirs: readonly FieldDefinition[],
    path: string,
    alive: readonly number[],
  ): void => {
    same(`${path}fields`, Object.keys(ours).join(), theirs.map(({ name }) => camel(name)).join())
    for (const field of theirs) {
      const declared = ours[camel(field.name)]
      if (declared !== undefined) compareField(declared, field, path + camel(field.name), alive)
    }
  }
  const compareField = (
    ours: Field,
    theirs: FieldDefinition,
    path: string,
    alive: readonly number[],
  ): void => {
    const present = alive.filter(version => includes(versionsOf(theirs), version))
    const declared = alive.filter(version => includes(ours.versions, version))
    same(`${path} versions`, declared.join(), present.join())
    const nullable = range(theirs.nullableVersions ?? 'none')
    const tagged = range(theirs.taggedVersions ?? 'none')
    for (const version of present) {
      same(`${path} nullable`, includes(ours.nullable, version), includes(nullable, version))
      same(`${path} tag`, ours.tag, includes(tagged, version) ? theirs.tag : undefined)
    }
    same(`${path} flexible`, ours.flexible, theirs.flexibleVersions !== 'none')
    same(`${path} ignorable`, ours.ignorable, theirs.ignorable ?? false)
    same(`${path} default`, ours.default, defaultOf(theirs))
    const isArray = theirs.type.startsWith('[]')
    const type = isArray ? theirs.type.slice(2) : theirs.type
    const inner = isArray ? ours.element : ours
    same(`${path} array`, ours.kind === 'array', isArray)
    same(`${path} type`, inner?.kind, isStruct(type) ? 'struct' : type)
    if (isStruct(type)) {
      const common = definition.commonStructs?.find(({ name }) => name === type)
      compareFields(inner?.fields ?? {}, theirs.fields ?? common?.fields ?? [], `${path}.`, present)
    }
  }
  compareFields(message.fields, definition.fields, '', versions)
  return problems
}

function versionsOf(field: FieldDefinition): { first: number; last: number } {
  return range(field.versions ?? field.taggedVersions ?? 'none')
}

function camel(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1)
}

function isStruct(type: string): boolean {
  return /^[A-Z]/.test(type)
}

/** In a definition numbers are texts or numbers; no default means zero, empty or none. */
function defaultOf(field: FieldDefinition): unknown {
  const { type, default: given } = field
  // A null that is not the text "null" is overlooked by Kafka's generator, except for structs.
  if (type.startsWith('[]')) return given === 'null' ? null : undefined
  if (given === 'null' || (given === null && isStruct(type))) return null
  if (type === 'string') return given ?? ''
  if (type === 'bool') return given === true || given === 'true'
  if (type === 'uuid') return 'AAAAAAAAAAAAAAAAAAAAAA'
  if (type === 'records') return field.nullableVersions === undefined ? undefined : null
  if (type === 'bytes' || isStruct(type)) return undefined
  const whole = BigInt(given === undefined || given === null ? 0 : String(given))
  const number = Number(whole)
  return Number.isSafeInteger(number) ? number : whole
}
