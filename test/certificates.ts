/** Certificates for tests with TLS, made by `openssl`: an authority, and one that serves and calls. */
import { execFileSync, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** PEM files. */
export interface Certificates {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** Why tests with TLS cannot run here; undefined when they can. */
export function opensslMissing(): string | undefined {
  return spawnSync('openssl', ['version']).status === 0 ? undefined : 'there is no openssl in PATH'
}

/** For 127.0.0.1 and localhost, valid for a day, named `name`; the files lie in `directory`. */
export function makeCertificates(directory: string, name = 'ottla'): Certificates {
  const file = (suffix: string) => join(directory, `${name}-${suffix}`)
  const openssl = (...parameters: string[]) =>
    void execFileSync('openssl', parameters, { stdio: 'ignore' })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const authority = ['-keyout', file('ca.key'), '-out', file('ca.pem')]
  openssl('req', '-x509', ...key, '-days', '1', '-subj', `/CN=${name} authority`, ...authority)
  openssl('req', ...key, '-subj', `/CN=${name}`, '-keyout', file('key.pem'), '-out', file('csr'))
  writeFileSync(
    file('extensions'),
    'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n',
  )
  openssl(
    ...['x509', '-req', '-in', file('csr'), '-out', file('cert.pem'), '-days', '1'],
    ...['-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial'],
    ...['-extfile', file('extensions')],
  )
  return { ca: file('ca.pem'), cert: file('cert.pem'), key: file('key.pem') }
}
