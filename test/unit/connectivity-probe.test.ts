/** The probe against real servers on loopback: TLS with a certificate of a CA of ours, DNS over UDP, the system's ping. */
import { createSocket, type Socket } from 'node:dgram'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { issueCertificate, newAuthority } from '../../src/lib/lab/talos/certificates.ts'
import { askNetwork } from '../../src/lib/tools/connectivity-probe.ts'

let ca: string
let web: Server
let names: Socket
let port: number
let server: string

/** Answers A of `there.test` with 192.0.2.7, and knows no other name. */
function answer(question: Buffer): Buffer {
  const known = question.includes('there')
  const asked = question.subarray(12, question.indexOf(0, 12) + 5)
  const head = Buffer.from(question.subarray(0, 12))
  head.writeUInt16BE(known ? 0x8180 : 0x8183, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt16BE(known ? 1 : 0, 6)
  head.writeUInt32BE(0, 8)
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 192, 0, 2, 7])
  return Buffer.concat([head, asked, ...(known ? [record] : [])])
}

beforeAll(async () => {
  const authority = await newAuthority('test')
  const pair = await issueCertificate(authority, {
    subject: 'CN=web.test',
    dnsNames: ['web.test', 'broken.test'],
    usage: 'server',
    days: 1,
  })
  ca = authority.crt
  web = createServer({ key: pair.key, cert: pair.crt }, (request, response) => {
    response.statusCode = request.headers.host === 'broken.test' ? 503 : 404
    response.end()
  })
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve))
  port = (web.address() as AddressInfo).port
  names = createSocket('udp4').on('message', (question, { port: to, address }) =>
    names.send(answer(question), to, address),
  )
  await new Promise<void>((resolve) => names.bind(0, '127.0.0.1', resolve))
  server = `127.0.0.1:${names.address().port}`
})
afterAll(() => {
  web.close()
  names.close()
})

describe('https', () => {
  const tls = (host: string, trusted = ca) =>
    askNetwork([{ kind: 'tls', host, address: '127.0.0.1', port, ca: trusted }], 0)

  it('is content with a valid certificate and any answer of the application', async () => {
    expect(await tls('web.test')).toEqual([''])
    expect(await tls('broken.test')).toEqual(['answers 503'])
  })

  it('names a certificate of another host, and one that nobody vouches for', async () => {
    expect(await tls('other.test')).toEqual(['ERR_TLS_CERT_ALTNAME_INVALID'])
    expect((await tls('web.test', (await newAuthority('stranger')).crt))[0]).toMatch(/UNABLE_TO|SELF_SIGNED|CERT/)
  })

  it('names what refuses', async () => {
    expect(await askNetwork([{ kind: 'tls', host: 'web.test', address: '127.0.0.1', port: 1 }], 0)).toEqual([
      'ECONNREFUSED',
    ])
  })
})

describe('names', () => {
  const dns = (name: string, expected: string) => askNetwork([{ kind: 'dns', name, server, expect: expected }], 0)

  it.each([
    ['there.test', 'some', ''],
    ['there.test', '192.0.2.7', ''],
    ['there.test', '192.0.2.8', '192.0.2.7, not 192.0.2.8'],
    ['there.test', 'none', 'is there: 192.0.2.7'],
    ['missing.test', 'none', ''],
    ['missing.test', 'some', 'no address'],
  ])('%s expected %s: %j', async (name, expected, said) => {
    expect(await dns(name, expected)).toEqual([said])
  })

  it('does not take silence for a name that is not there', async () => {
    const nobody = await askNetwork([{ kind: 'dns', name: 'there.test', server: '127.0.0.1:1', expect: 'none' }], 0)
    expect(nobody[0]).toMatch(/ECONNREFUSED|ETIMEOUT/)
  })
})

it('asks again until it is answered as it should be', async () => {
  const late = createSocket('udp4')
  const free = names.address().port + 1
  const asking = askNetwork([{ kind: 'dns', name: 'there.test', server: `127.0.0.1:${free}`, expect: 'some' }], 15_000)
  late.on('message', (question, { port: to, address }) => late.send(answer(question), to, address))
  late.bind(free, '127.0.0.1')
  expect(await asking).toEqual([''])
  late.close()
})
