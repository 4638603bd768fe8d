import { type Incoming, int16, int32, message, type Outgoing, string } from '../schema.ts'

/** Forgets a broker that is gone for good (KIP-631). */
export const unregisterBrokerRequest = message(
  'UnregisterBrokerRequest',
  { apiKey: 64, versions: '0', flexible: '0+' },
  {
    brokerId: int32(),
  },
)
export type UnregisterBrokerRequest = Incoming<typeof unregisterBrokerRequest>

/** Whether it is forgotten (KIP-631). */
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
