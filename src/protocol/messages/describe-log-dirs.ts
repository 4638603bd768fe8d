import {
  array,
  bool,
  type Incoming,
  int16,
  int32,
  int64,
  message,
  type Outgoing,
  string,
} from '../schema.ts'

/** Asks for the log directories of a broker (KIP-113). v2 flexible. */
export const describeLogDirsRequest = message(
  'DescribeLogDirsRequest',
  { apiKey: 35, versions: '1-5', flexible: '2+' },
  {
    topics: array(
      {
        topic: string(),
        partitions: array(int32()),
      },
      { nullable: '0+' },
    ),
  },
)
export type DescribeLogDirsRequest = Incoming<typeof describeLogDirsRequest>

/**
 * Log directories and the size of each replica (KIP-113). v2 flexible · v4 size of the volume
 * (KIP-827) · v5 cordoned (KIP-1066).
 */
export const describeLogDirsResponse = message(
  'DescribeLogDirsResponse',
  { apiKey: 35, versions: '1-5', flexible: '2+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16({ versions: '3+', ignorable: true }),
    results: array({
      errorCode: int16(),
      logDir: string(),
      topics: array({
        name: string(),
        partitions: array({
          partitionIndex: int32(),
          partitionSize: int64(),
          offsetLag: int64(),
          isFutureKey: bool(),
        }),
      }),
      totalBytes: int64({ versions: '4+', default: -1, ignorable: true }),
      usableBytes: int64({ versions: '4+', default: -1, ignorable: true }),
      isCordoned: bool({ versions: '5+', default: false, ignorable: true }),
    }),
  },
)
export type DescribeLogDirsResponse = Outgoing<typeof describeLogDirsResponse>
