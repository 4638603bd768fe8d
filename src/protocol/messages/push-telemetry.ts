import {
  bool,
  bytes,
  type Incoming,
  int8,
  int16,
  int32,
  message,
  type Outgoing,
  uuid,
} from '../schema.ts'

/** A client pushes its metrics, in OTLP (KIP-714). */
export const pushTelemetryRequest = message(
  'PushTelemetryRequest',
  { apiKey: 72, versions: '0', flexible: '0+' },
  {
    clientInstanceId: uuid(),
    subscriptionId: int32(),
    terminating: bool(),
    compressionType: int8(),
    metrics: bytes(),
  },
)
export type PushTelemetryRequest = Incoming<typeof pushTelemetryRequest>

/** Whether they were taken (KIP-714). */
export const pushTelemetryResponse = message(
  'PushTelemetryResponse',
  { apiKey: 72, versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
  },
)
export type PushTelemetryResponse = Outgoing<typeof pushTelemetryResponse>
