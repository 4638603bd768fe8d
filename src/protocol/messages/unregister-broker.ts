import { type Incoming, int16, int32, message, type Outgoing, string } from '../schema.ts'

/** UnregisterBrokerRequest. */
export const unregisterBrokerRequest = message(
  'UnregisterBrokerRequest',
  { apiKey: 64, versions: '0', flexible: '0+' },
  {
    brokerId: int32(),
  },
)
export type UnregisterBrokerRequest = Incoming<typeof unregisterBrokerRequest>

/** UnregisterBrokerResponse. */
export const unregisterBrokerResponse = message(
  'UnregisterBrokerResponse',
  { apiKey: 64, versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+' }),
  },
)
export type UnregisterBrokerResponse = Outgoing<typeof unregisterBrokerResponse>
