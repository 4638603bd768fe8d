/** The dumps of segments by kafka-dump-log and by `ottla log dump`, brought to the same lines. */

/** One line for each batch and each record of what kafka-dump-log printed. */
export function batchesOf(printed: string): string[] {
  const lines: string[] = []
  let file = ''
  for (const line of printed.split('\n')) {
    if (line.startsWith('Dumping ')) file = line.slice('Dumping '.length)
    else if (line.startsWith('baseOffset: ')) lines.push(`${file} ${batchLine(fieldsOf(line))}`)
    else if (line.startsWith('| offset: ')) lines.push(`${file} ${recordLine(line.slice(2))}`)
  }
  return lines
}

function batchLine(fields: ReadonlyMap<string, string>): string {
  const names = [
    ...['position', 'size', 'baseOffset', 'lastOffset', 'count', 'baseSequence', 'producerId'],
    ...['producerEpoch', 'partitionLeaderEpoch', 'isTransactional', 'isControl', 'compresscodec'],
    ...['crc', 'isvalid'],
  ]
  const times = ['CreateTime', 'LogAppendTime'].map(name => fields.get(name) ?? '')
  return [...names.map(name => `${name}=${fields.get(name)}`), ...times].join(' ')
}

function recordLine(line: string): string {
  const fields = fieldsOf(line)
  const names = ['offset', 'keySize', 'valueSize']
  const time = fields.get('CreateTime') ?? fields.get('LogAppendTime')
  return [...names.map(name => `${name}=${fields.get(name)}`), time].join(' ')
}

/** `name: value` pairs. */
function fieldsOf(line: string): Map<string, string> {
  return new Map([...line.matchAll(/(\w+): (\S+)/g)].map(([, name, value]) => [name!, value!]))
}

interface DumpedBatch {
  readonly position: number
  readonly sizeInBytes: number
  readonly baseOffset: number
  readonly lastOffset: number
  readonly recordCount: number
  readonly compression: string
  readonly timestampType: string
  readonly maxTimestamp: number
  readonly leaderEpoch: number
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly isTransactional: boolean
  readonly isControl: boolean
  readonly crc: number
  readonly crcValid: boolean
  readonly records: readonly {
    readonly offset: number
    readonly timestamp: number
    readonly key: Text
    readonly value: Text
  }[]
}

type Text = string | null | { readonly base64: string }

/** The same of what `ottla log dump --records --json` printed of that file. */
export function recordsIn(file: string, printed: string): string[] {
  const lines = printed.split('\n').filter(line => line !== '')
  return lines.flatMap(line => {
    const batch: DumpedBatch = JSON.parse(line)
    const time = `${batch.maxTimestamp}`
    const times = batch.timestampType === 'CreateTime' ? `${time} ` : ` ${time}`
    return [
      `${file} position=${batch.position} size=${batch.sizeInBytes} baseOffset=${batch.baseOffset}` +
        ` lastOffset=${batch.lastOffset} count=${batch.recordCount}` +
        ` baseSequence=${batch.baseSequence} producerId=${batch.producerId}` +
        ` producerEpoch=${batch.producerEpoch} partitionLeaderEpoch=${batch.leaderEpoch}` +
        ` isTransactional=${batch.isTransactional} isControl=${batch.isControl}` +
        ` compresscodec=${batch.compression} crc=${batch.crc} isvalid=${batch.crcValid} ${times}`,
      ...batch.records.map(
        record =>
          `${file} offset=${record.offset} keySize=${sizeOf(record.key)}` +
          ` valueSize=${sizeOf(record.value)} ${record.timestamp}`,
      ),
    ]
  })
}

/** −1 for null. */
function sizeOf(text: Text): number {
  if (text === null) return -1
  if (typeof text === 'string') return Buffer.byteLength(text)
  return Buffer.from(text.base64, 'base64').length
}
