import { bool, type Incoming, message, string } from '../schema.ts'

/** A principal as a forwarded request carries it (KIP-590). */
export const defaultPrincipalData = message(
  'DefaultPrincipalData',
  { versions: '0', flexible: '0+' },
  {
    type: string(),
    name: string(),
    tokenAuthenticated: bool(),
  },
)
export type DefaultPrincipalData = Incoming<typeof defaultPrincipalData>
