import {
  array,
  bytes,
  type Incoming,
  int8,
  int16,
  int32,
  message,
  type Outgoing,
  string,
} from '../schema.ts'

/** Sets and deletes SCRAM credentials (KIP-554). */
export const alterUserScramCredentialsRequest = message(
  'AlterUserScramCredentialsRequest',
  { apiKey: 51, versions: '0', flexible: '0+' },
  {
    deletions: array({
      name: string(),
      mechanism: int8(),
    }),
    upsertions: array({
      name: string(),
      mechanism: int8(),
      iterations: int32(),
      salt: bytes(),
      saltedPassword: bytes(),
    }),
  },
)
export type AlterUserScramCredentialsRequest = Incoming<typeof alterUserScramCredentialsRequest>

/** Whether each user was changed (KIP-554). */
export const alterUserScramCredentialsResponse = message(
  'AlterUserScramCredentialsResponse',
  { apiKey: 51, versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    results: array({
      user: string(),
      errorCode: int16(),
      errorMessage: string({ nullable: '0+' }),
    }),
  },
)
export type AlterUserScramCredentialsResponse = Outgoing<typeof alterUserScramCredentialsResponse>
