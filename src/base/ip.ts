/** IP addresses as text and as their 4 or 16 bytes in network order. Pure: `node:net` cannot convert. */

/** Undefined when it is neither an IPv4 nor an IPv6 address. A zone (`%eth0`) is left out. */
export function ipBytes(text: string): Uint8Array | undefined {
  if (!text.includes(':')) return v4Bytes(text)
  const [address = ''] = text.split('%')
  const halves = address.split('::')
  if (halves.length > 2) return undefined
  const head = groupsOf(halves[0]!)
  const tail = groupsOf(halves[1] ?? '')
  if (head === undefined || tail === undefined) return undefined
  const missing = 16 - head.length - tail.length
  const isWhole = halves.length === 2 ? missing >= 2 : missing === 0
  return isWhole ? Uint8Array.from([...head, ...new Array(missing).fill(0), ...tail]) : undefined
}

/** Throws RangeError unless there are 4 or 16 bytes. */
export function ipText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.length !== 16) throw new RangeError(`${bytes.length} bytes are no IP address`)
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! << 8) | bytes[2 * i + 1]!)
  // The longest run of zeros is left out (RFC 5952); of equally long ones the first.
  let [start, end] = [0, 0]
  for (let from = 0; from < 8; from++) {
    let to = from
    while (groups[to] === 0) to++
    if (to - from > end - start) [start, end] = [from, to]
  }
  const hex = (some: readonly number[]) => some.map(group => group.toString(16)).join(':')
  if (end - start < 2) return hex(groups)
  return `${hex(groups.slice(0, start))}::${hex(groups.slice(end))}`
}

function v4Bytes(text: string): Uint8Array | undefined {
  const parts = text.split('.')
  const isRight = parts.length === 4 && parts.every(part => /^\d{1,3}$/.test(part) && +part < 256)
  return isRight ? Uint8Array.from(parts, Number) : undefined
}

/** Bytes of groups between colons; the last may be an IPv4 address. */
function groupsOf(text: string): number[] | undefined {
  if (text === '') return []
  const bytes: number[] = []
  const groups = text.split(':')
  for (const [index, group] of groups.entries()) {
    const v4 = index === groups.length - 1 && group.includes('.') ? v4Bytes(group) : undefined
    if (v4 !== undefined) bytes.push(...v4)
    else if (/^[0-9a-fA-F]{1,4}$/.test(group)) {
      const value = Number.parseInt(group, 16)
      bytes.push(value >> 8, value & 255)
    } else return undefined
  }
  return bytes
}
