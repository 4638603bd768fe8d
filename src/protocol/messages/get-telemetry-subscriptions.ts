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
  uuid,
} from '../schema.ts'

/** A client asks which metrics it should push (KIP-714). */
export const getTelemetrySubscriptionsRequest = message(
  'GetTelemetrySubscriptionsRequest',
  { apiKey: 71, versions: '0', flexible: '0+' },
  {
    clientInstanceId: uuid(),
  },
)
export type GetTelemetrySubscriptionsRequest = Incoming<typeof getTelemetrySubscriptionsRequest>

/** The metrics wanted, and how often (KIP-714). */
export const getTelemetrySubscriptionsResponse = message(
  'GetTelemetrySubscriptionsResponse',
  { apiKey: 71, versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    clientInstanceId: uuid(),
    subscriptionId: int32(),
    acceptedCompressionTypes: array(int8()),
    pushIntervalMs: int32(),
    telemetryMaxBytes: int32(),
    deltaTemporality: bool(),
    requestedMetrics: array(string()),
  },
)
export type GetTelemetrySubscriptionsResponse = Outgoing<typeof getTelemetrySubscriptionsResponse>
