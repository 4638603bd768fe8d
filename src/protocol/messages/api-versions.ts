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

/**
 * Asks which APIs a broker speaks; the first request of a connection. v3 flexible, name of the
 * client (KIP-511).
 */
export const apiVersionsRequest = message(
  'ApiVersionsRequest',
  { apiKey: 18, versions: '0-5', flexible: '3+' },
  {
    clientSoftwareName: string({ versions: '3+', ignorable: true }),
    clientSoftwareVersion: string({ versions: '3+', ignorable: true }),
    clusterId: string({ versions: '5+', nullable: '5+', default: null, ignorable: true }),
    nodeId: int32({ versions: '5+', default: -1, ignorable: true }),
  },
)
export type ApiVersionsRequest = Incoming<typeof apiVersionsRequest>

/**
 * The APIs and their versions. An unknown version is answered in v0 (KIP-511) · v3 flexible,
 * features (KIP-584).
 */
export const apiVersionsResponse = message(
  'ApiVersionsResponse',
  { apiKey: 18, versions: '0-5', flexible: '3+' },
  {
    errorCode: int16(),
    apiKeys: array({
      apiKey: int16(),
      minVersion: int16(),
      maxVersion: int16(),
    }),
    throttleTimeMs: int32({ versions: '1+', ignorable: true }),
    supportedFeatures: array(
      {
        name: string(),
        minVersion: int16(),
        maxVersion: int16(),
      },
      { versions: '3+', tag: 0, ignorable: true },
    ),
    finalizedFeaturesEpoch: int64({ versions: '3+', tag: 1, default: -1, ignorable: true }),
    finalizedFeatures: array(
      {
        name: string(),
        maxVersionLevel: int16(),
        minVersionLevel: int16(),
      },
      { versions: '3+', tag: 2, ignorable: true },
    ),
    zkMigrationReady: bool({ versions: '3+', tag: 3, default: false, ignorable: true }),
  },
)
export type ApiVersionsResponse = Outgoing<typeof apiVersionsResponse>
