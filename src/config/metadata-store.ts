/** Where cluster facts are decided, as `metadata.store` says it. */
import { ConfigError } from './key.ts'

/** etcd, and how to be let in. File names are those of PEM files. */
export interface MetadataStoreConfig {
  /** `host:port`, at least one; IPv6 addresses in brackets. */
  readonly endpoints: readonly string[]
  /** Before every key; '' for none, else with a slash at its beginning and none at its end. */
  readonly namespace: string
  readonly isEncrypted: boolean
  readonly caFile: string | undefined
  readonly certificateFile: string | undefined
  readonly keyFile: string | undefined
  readonly credentials: { readonly user: string; readonly password: string } | undefined
}

/** What stands beside the URL; undefined: it was not set. */
export interface StoreAccess {
  readonly caFile?: string | undefined
  readonly certificateFile?: string | undefined
  readonly keyFile?: string | undefined
  readonly user?: string | undefined
  readonly password?: string | undefined
}

const form = 'etcd://host:2379,host:2379/prefix, or etcds:// with TLS'

/** Keys that are about the connection to etcd, beside the URL itself. */
const nameOf: Readonly<Record<keyof StoreAccess, string>> = {
  caFile: 'metadata.store.ssl.ca.file',
  certificateFile: 'metadata.store.ssl.certificate.file',
  keyFile: 'metadata.store.ssl.key.file',
  user: 'metadata.store.user',
  password: 'metadata.store.password',
}

/** Undefined without a URL: the store is the broker's own file. Throws ConfigError. */
export function metadataStoreConfig(
  url: string | undefined,
  access: StoreAccess,
): MetadataStoreConfig | undefined {
  const given = (Object.keys(nameOf) as (keyof StoreAccess)[]).filter(
    part => access[part] !== undefined,
  )
  if (url === undefined) {
    if (given.length === 0) return undefined
    throw new ConfigError(`${nameOf[given[0]!]} is of use with metadata.store alone: say ${form}`)
  }
  const { isEncrypted, endpoints, namespace } = parseStoreUrl(url)
  const { caFile, certificateFile, keyFile, user, password } = access
  const ofTls = given.find(part => part.endsWith('File'))
  if (!isEncrypted && ofTls !== undefined) {
    throw new ConfigError(
      `${nameOf[ofTls]} is for TLS, and metadata.store begins with etcd://: say etcds://`,
    )
  }
  needBoth(nameOf.certificateFile, certificateFile, nameOf.keyFile, keyFile)
  needBoth(nameOf.user, user, nameOf.password, password)
  const credentials = user === undefined || password === undefined ? undefined : { user, password }
  return { endpoints, namespace, isEncrypted, caFile, certificateFile, keyFile, credentials }
}

/** Throws ConfigError, which does not repeat a password. */
export function parseStoreUrl(
  url: string,
): Pick<MetadataStoreConfig, 'endpoints' | 'namespace' | 'isEncrypted'> {
  const [, scheme, hosts, path] = /^([a-z]+):\/\/([^/]*)(\/.*)?$/.exec(url) ?? []
  if (hosts?.includes('@')) {
    throw new ConfigError(
      `metadata.store holds credentials: say them by ${nameOf.user} and ${nameOf.password}`,
    )
  }
  if (scheme !== 'etcd' && scheme !== 'etcds') {
    throw new ConfigError(`invalid value '${url.slice(0, 200)}' for metadata.store: say ${form}`)
  }
  const endpoints = hosts!.split(',').map(host => endpointOf(host.trim()))
  const namespace = (path ?? '').replace(/\/+$/, '')
  if (!/^(\/[A-Za-z0-9._-]+)*$/.test(namespace)) {
    throw new ConfigError(
      `invalid prefix '${namespace.slice(0, 200)}' in metadata.store: letters, digits, dots, hyphens and underscores between slashes`,
    )
  }
  return { isEncrypted: scheme === 'etcds', endpoints, namespace }
}

function endpointOf(text: string): string {
  const [, host, port = '2379'] =
    /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/.exec(text) ?? []
  if (host === undefined || Number(port) > 65535 || Number(port) === 0) {
    throw new ConfigError(`invalid address '${text.slice(0, 200)}' in metadata.store: say ${form}`)
  }
  return `${host}:${port}`
}

function needBoth(
  first: string,
  one: string | undefined,
  second: string,
  other: string | undefined,
): void {
  if ((one === undefined) === (other === undefined)) return
  const [has, lacks] = one === undefined ? [second, first] : [first, second]
  throw new ConfigError(`${has} is set and ${lacks} is not: they go together`)
}
