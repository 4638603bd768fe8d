/** Keys and ranges as etcd has them: bytes, and the end of a range instead of a prefix. */
import type { KeyValue } from './etcd-pb.ts'
import type { Entry, KeyRange } from './io.ts'

/** What a range request names. `rangeEnd` is exclusive and empty for one key. */
export interface EtcdRange {
  readonly key: Uint8Array
  readonly rangeEnd: Uint8Array
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const nothing = new Uint8Array(0)

/** As a key it is the first one that can be, as an end it is behind all. */
const zero = new Uint8Array([0])

/** Keys behind a namespace, which nobody outside of this file sees. */
export class KeySpace {
  readonly #namespace: string

  constructor(namespace: string) {
    this.#namespace = namespace
  }

  bytes(key: string): Uint8Array {
    return encoder.encode(this.#namespace + key)
  }

  text(key: Uint8Array): string {
    return decoder.decode(key).slice(this.#namespace.length)
  }

  range(range: KeyRange): EtcdRange {
    if ('key' in range) return { key: this.bytes(range.key), rangeEnd: nothing }
    const key = this.bytes(range.prefix)
    return key.length === 0 ? { key: zero, rangeEnd: zero } : { key, rangeEnd: behind(key) }
  }
}

/** The first key that comes after all with this prefix. UTF-8 has no byte 0xff: the last can grow. */
function behind(prefix: Uint8Array): Uint8Array {
  const end = prefix.slice()
  end[end.length - 1]!++
  return end
}

/** The key that comes next. */
export function successor(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1)
  next.set(key)
  return next
}

export function entryOf(keySpace: KeySpace, kv: KeyValue): Entry {
  const { key, value, createRevision, modRevision, version, lease } = kv
  return { key: keySpace.text(key), value, createRevision, modRevision, version, lease }
}
