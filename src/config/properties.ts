/**
 * Reads the text of a server.properties file: Java's format, as Kafka's own files are written in it.
 * `key=value`, `key: value` or `key value`; `#` and `!` start a comment line; a backslash at the end
 * of a line continues it, elsewhere it escapes (`\n`, `\t`, `\u00e9`, `\=`). The last of two equal
 * keys wins.
 */
export function parseProperties(text: string): Map<string, string> {
  const properties = new Map<string, string>()
  for (const line of logicalLines(text)) {
    // A key ends at the first unescaped '=', ':' or white space.
    const key = /^(?:\\.|[^=:\s\\])*/su.exec(line)![0]
    const value = line.slice(key.length).replace(/^\s*[=:]?\s*/u, '')
    properties.set(unescaped(key), unescaped(value))
  }
  return properties
}

function* logicalLines(text: string): Iterable<string> {
  let pending: string | undefined
  for (const raw of text.split(/\r\n|\r|\n/u)) {
    const line = raw.trimStart()
    if (pending === undefined && (line === '' || line.startsWith('#') || line.startsWith('!'))) {
      continue
    }
    const joined: string = (pending ?? '') + line
    const backslashes = /\\*$/u.exec(joined)![0].length
    if (backslashes % 2 === 1) {
      pending = joined.slice(0, -1)
    } else {
      pending = undefined
      yield joined
    }
  }
  if (pending !== undefined && pending !== '') yield pending
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', f: '\f' }

function unescaped(text: string): string {
  if (!text.includes('\\')) return text
  return text.replace(/\\(?:u([0-9a-fA-F]{4})|(.))/gsu, (_, code?: string, char?: string) =>
    code === undefined ? (escapes[char!] ?? char!) : String.fromCharCode(Number.parseInt(code, 16)),
  )
}
