import {
  array,
  bool,
  type Incoming,
  int8,
  int16,
  int32,
  message,
  type Outgoing,
  string,
} from '../schema.ts'

/**
 * Raises or lowers the levels of the cluster's features (KIP-584). v1 kinds of downgrade, trial
 * runs (KIP-778).
 */
export const updateFeaturesRequest = message(
  'UpdateFeaturesRequest',
  { apiKey: 57, versions: '0-2', flexible: '0+' },
  {
    timeoutMs: int32({ default: 60000 }),
    featureUpdates: array({
      feature: string(),
      maxVersionLevel: int16(),
      allowDowngrade: bool({ versions: '0' }),
      upgradeType: int8({ versions: '1+', default: 1 }),
    }),
    validateOnly: bool({ versions: '1+', default: false }),
  },
)
export type UpdateFeaturesRequest = Incoming<typeof updateFeaturesRequest>

/** Whether the features were changed (KIP-584). */
export const updateFeaturesResponse = message(
  'UpdateFeaturesResponse',
  { apiKey: 57, versions: '0-2', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+' }),
    results: array(
      {
        feature: string(),
        errorCode: int16(),
        errorMessage: string({ nullable: '0+' }),
      },
      { versions: '0-1', ignorable: true },
    ),
  },
)
export type UpdateFeaturesResponse = Outgoing<typeof updateFeaturesResponse>
