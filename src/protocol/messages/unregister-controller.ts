import { type Incoming, int16, int32, message, type Outgoing, string } from '../schema.ts'

/** Forgets a KRaft controller that is gone for good. */
export const unregisterControllerRequest = message(
  'UnregisterControllerRequest',
  { apiKey: 94, versions: '0', flexible: '0+' },
  {
    controllerId: int32(),
  },
)
export type UnregisterControllerRequest = Incoming<typeof unregisterControllerRequest>

/** Whether it is forgotten. */
export const unregisterControllerResponse = message(
  'UnregisterControllerResponse',
  { apiKey: 94, versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+' }),
  },
)
export type UnregisterControllerResponse = Outgoing<typeof unregisterControllerResponse>
