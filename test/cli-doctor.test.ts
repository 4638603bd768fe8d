/** `ottla doctor` against what a client can meet: each kind of trouble is really there. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer as createWebServer } from 'node:http'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createServer as createTlsServer, connect as tlsConnect } from 'node:tls'
import { decodeRequestHeader, encodeResponse } from '../src/protocol/frame.ts'
import { apiVersionsResponse } from '../src/protocol/messages/api-versions.ts'
import { brokerProcess, directory, localBroker, ottla } from './command.ts'

interface Finding {
  readonly step: string
  readonly state: string
  readonly text: string
  readonly advice?: string
}

const broker = await localBroker()
const { bootstrap } = broker

/** All findings, and whether the command found something bad. */
async function examined(address: string, ...args: string[]): Promise<Finding[]> {
  const { out, error, code } = await ottla(['doctor', '-b', address, '--json', ...args])
  const findings: Finding[] = out
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
  const bad = findings.filter(({ state }) => state === 'bad').length
  assert.equal(code, bad > 0 ? 1 : 0, error)
  return findings
}

/** The last finding, which has to be bad: text and advice. */
async function trouble(address: string, ...args: string[]): Promise<string> {
  const last = (await examined(address, ...args)).at(-1)!
  assert.equal(last.state, 'bad', JSON.stringify(last))
  return `${last.step}: ${last.text} / ${last.advice}`
}

async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  after(() => server.close())
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A server that does with each connection what the test says. */
function serving(serve: (socket: Socket) => void): Promise<string> {
  return listening(
    createServer(socket => {
      socket.on('error', () => {})
      serve(socket)
    }),
  )
}

/** Answers ApiVersions v0 with these versions, and closes at everything else. */
function kafkaLike(fetchVersions: { minVersion: number; maxVersion: number }): Promise<string> {
  return serving(socket => {
    let bytes = Buffer.alloc(0)
    socket.on('data', chunk => {
      bytes = Buffer.concat([bytes, chunk])
      if (bytes.length < 4 || bytes.length < 4 + bytes.readInt32BE(0)) return
      const { apiKey, apiVersion, correlationId } = decodeRequestHeader(bytes.subarray(4))
      bytes = Buffer.alloc(0)
      if (apiKey !== 18) return void socket.destroy()
      const own = { apiKey: 18, minVersion: 0, maxVersion: 0 }
      const others = [0, 2, 3].map(key => ({ apiKey: key, minVersion: 0, maxVersion: 9 }))
      const apiKeys = [own, { apiKey: 1, ...fetchVersions }, ...others]
      const body = { errorCode: apiVersion === 0 ? 0 : 35, apiKeys }
      for (const each of encodeResponse(apiVersionsResponse, 0, correlationId, body)) {
        socket.write(each)
      }
    })
  })
}

function certificate(): { key: Buffer; cert: Buffer } {
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
  const subject = ['-subj', '/CN=kafka.example', '-addext', 'subjectAltName=DNS:kafka.example']
  const args = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert]
  execFileSync('openssl', [...args, '-days', '2', ...subject], { stdio: 'ignore' })
  return { key: readFileSync(key), cert: readFileSync(cert) }
}

test('a healthy broker passes, and a record goes there and back when it is asked for', async () => {
  const findings = await examined(bootstrap, '--write')
  assert.deepEqual(
    findings.map(({ step, state }) => `${step} ${state}`),
    [
      'connect good',
      'protocol good',
      'versions good',
      'cluster good',
      'broker 1 good',
      'topics good',
      'round trip good',
      'clocks good',
    ],
  )
  const { out } = await ottla(['topics', 'list', '-b', bootstrap, '--json'])
  assert.equal(out, '', 'the temporary topic is gone')
})

test('people get a line for each step, and the APIs on request', async () => {
  const { out } = await ottla(['doctor', '-b', bootstrap, '--apis'])
  assert.match(out, /^✓ connect +127\.0\.0\.1:\d+ accepts/m)
  assert.match(out, /^· round trip +not tried: --write/m)
  assert.match(out, /^Fetch +4–18 +4–18 +18$/m)
  assert.match(out, /All is well\.\n$/)
  assert.ok(out.split('\n').every(line => line.length <= 80))
})

test('a port where nobody listens, and a name that nobody knows', async () => {
  assert.match(await trouble('127.0.0.1:1'), /^connect: .* refused: nothing listens there/)
  assert.match(await trouble('no-such-broker.invalid:9092'), /^name: .*no-such-broker.invalid/)
})

test('other protocols are called by their names', async () => {
  const web = await listening(createWebServer())
  assert.match(await trouble(web), /^protocol: a web server answers/)
  const ssh = await serving(socket => socket.write('SSH-2.0-OpenSSH_9.2\r\n'))
  assert.match(await trouble(ssh), /^protocol: an SSH server answers/)
  const mail = await serving(socket => socket.write('220 mail.example ESMTP\r\n'))
  assert.match(await trouble(mail), /^protocol: something else answers: “220 mail/)
  const closing = await serving(socket => socket.destroy())
  assert.match(await trouble(closing), /^protocol: it closes the connection without a word/)
  const silent = await serving(() => {})
  assert.match(await trouble(silent, '--patience', '1'), /^protocol: it .*says nothing/)
})

test('TLS where plain text was expected is found out, with its certificate', async () => {
  const identity = certificate()
  const { host, port } = broker.address
  const wrapped = await listening(
    createTlsServer(identity, socket => {
      const inner = connect(port, host)
      socket.on('error', () => inner.destroy())
      inner.on('error', () => socket.destroy())
      socket.pipe(inner).pipe(socket)
    }),
  )
  const text = await trouble(wrapped)
  assert.match(text, /^protocol: TLS is spoken there, and Kafka inside it/)
  assert.match(text, /kafka\.example.*security\.protocol=SSL.*does not trust/)
})

test('a broker that is too old, and one that wants a login', async () => {
  const old = await trouble(await kafkaLike({ minVersion: 0, maxVersion: 3 }))
  assert.match(old, /^versions: it is like Kafka .*too old.*FetchRequest 0–3 there, 4–18 here/)
  const login = await trouble(await kafkaLike({ minVersion: 0, maxVersion: 12 }))
  assert.match(login, /^cluster: it closes the connection .*SASL_PLAINTEXT/)
})

test('an advertised address that leads nowhere, or elsewhere, is the trouble that is explained', async () => {
  const nowhere = await localBroker({
    properties: { 'advertised.listeners': 'PLAINTEXT://127.0.0.1:1' },
  })
  const advertised = (findings: Finding[]) => findings.find(({ step }) => step === 'broker 1')!
  const refused = advertised(await examined(nowhere.bootstrap))
  assert.equal(refused.state, 'bad')
  assert.match(refused.text, /go on at 127\.0\.0\.1:1, and from here refused/)
  assert.match(refused.advice!, /set advertised\.listeners=PLAINTEXT:\/\/HOST:PORT/)
  const elsewhere = await localBroker({
    properties: { 'advertised.listeners': `PLAINTEXT://${bootstrap}` },
  })
  assert.match(advertised(await examined(elsewhere.bootstrap)).text, /another cluster answers/)
})

test('a broker says in words what came to its port instead of Kafka', async () => {
  // Two of them: one reports a broken connection at most once a second.
  const [first, second] = await Promise.all([
    brokerProcess('--log-format', 'text'),
    brokerProcess('--log-format', 'text'),
  ])
  connect(first.port, '127.0.0.1').end('GET / HTTP/1.1\r\n\r\n').resume()
  await first.said(/WARN .*reason="this is HTTP, not Kafka: /)
  tlsConnect({ port: second.port, host: '127.0.0.1' }).on('error', () => {})
  await second.said(/reason="this is TLS, not Kafka: .*security\.protocol/)
  await Promise.all([first.stop(), second.stop()])
})
