/** What `ottla doctor` says of what it found: pure, one function for each kind of trouble. */
import type { Address } from '../client/cluster.ts'
import type { Spoken, TlsSpoken } from './probe.ts'

/** One step of the examination. `odd`: it works, but not for everyone. `note`: not examined. */
export interface Finding {
  readonly step: string
  readonly state: 'good' | 'odd' | 'bad' | 'note'
  readonly text: string
  /** What to do about it. */
  readonly advice?: string
}

/** `host:port`, an IPv6 address in brackets. */
export function addressText({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** A name that does not resolve. */
export function nameTrouble(host: string, code: string | undefined): Omit<Finding, 'step'> {
  return code === 'ENOTFOUND'
    ? {
        state: 'bad',
        text: `nobody knows the name ${host}`,
        advice:
          'Check its spelling. In a container the name of another one is known on a common network only; /etc/hosts can add a name.',
      }
    : {
        state: 'bad',
        text: `the name ${host} cannot be looked up (${code ?? 'no reason given'})`,
        advice:
          'The name server does not answer: check the network connection, or use an IP address.',
      }
}

/** Why a connection was not made: text, and what to do. */
export function connectTrouble(code: string, patienceMs: number): readonly [string, string] {
  switch (code) {
    case 'ECONNREFUSED':
      return [
        'refused: nothing listens there',
        'Start a broker there (`ottla start`), or correct the port. A broker in a container has to publish its port, and to listen on 0.0.0.0.',
      ]
    case 'ETIMEDOUT':
      return [
        `no answer in ${patienceMs / 1000} s`,
        'A firewall or a security group drops the packets, the machine is off, or the address is wrong.',
      ]
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EADDRNOTAVAIL':
      return [
        'there is no way to it from here',
        'Check the network, a VPN, and whether this machine has IPv6 if the address is one.',
      ]
    default:
      return [`failed: ${code}`, 'Look this code up in the manual of connect(2).']
  }
}

/** What speaks there instead of Kafka in plain text. */
export function protocolTrouble(
  spoken: Spoken,
  inTls: TlsSpoken | undefined,
): Omit<Finding, 'step'> {
  if (inTls !== undefined) return tlsTrouble(inTls)
  switch (spoken.kind) {
    case 'http':
      return {
        state: 'bad',
        text: 'a web server answers (HTTP), not Kafka',
        advice: "Correct the port: a Kafka broker's is usually 9092.",
      }
    case 'ssh':
      return {
        state: 'bad',
        text: 'an SSH server answers, not Kafka',
        advice: "Correct the port: a Kafka broker's is usually 9092.",
      }
    case 'tls':
      return {
        state: 'bad',
        text: 'TLS answers, but its handshake fails',
        advice:
          'The listener probably wants the certificate of the client (ssl.client.auth=required): clients need security.protocol=SSL and a keystore.',
      }
    case 'other':
      return {
        state: 'bad',
        text: `something else answers: “${spoken.text}”`,
        advice: "Correct the port: a Kafka broker's is usually 9092.",
      }
    case 'silent':
      return {
        state: 'bad',
        text: 'it accepts the connection and says nothing',
        advice:
          'A broker that is overloaded or still starting, a proxy with nothing behind it, or another protocol that waits for more.',
      }
    default:
      return {
        state: 'bad',
        text: 'it closes the connection without a word',
        advice:
          'Another service, a proxy with nothing behind it, or a broker that refuses connections from here: its log says why (max.connections.per.ip, a listener for TLS with client certificates, a version before 0.10).',
      }
  }
}

function tlsTrouble({ names, validTo, distrust, inside }: TlsSpoken): Omit<Finding, 'step'> {
  const kafka = inside.kind === 'kafka' ? ', and Kafka inside it' : ''
  const certificate = names === '' ? '' : ` (certificate for ${names}, until ${validTo})`
  const trust =
    distrust === undefined
      ? ''
      : ` This machine does not trust the certificate (${distrust}): the client needs its CA.`
  return {
    state: 'bad',
    text: `TLS is spoken there${kafka}${certificate}`,
    advice: `A client in plain text gets nowhere: set security.protocol=SSL, or SASL_SSL where it logs in.${trust} The commands of ottla speak plain text: give them a PLAINTEXT listener.`,
  }
}

/** An address that a broker tells its clients, and that does not lead to it from here. */
export function advertisedTrouble(
  told: Address,
  why: string,
  given: Address,
): Omit<Finding, 'step'> {
  return {
    state: 'bad',
    text: `tells clients to go on at ${addressText(told)}, and from here ${why}`,
    advice: `Clients take the first address only to ask for this one. On the broker set advertised.listeners=PLAINTEXT://HOST:PORT to an address that clients can reach${isLoopback(told.host) ? '' : `, or make ${told.host} lead there (/etc/hosts)`}. ${addressText(given)} worked from here.`,
  }
}

/** This machine, as it calls itself: it is never another one. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\./u.test(host)
}
