/** Calls to a machine share a connection while they run beside each other, against a real HTTP/2 server. */
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from 'node:http2'
import { createSecureContext } from 'node:tls'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { issueCertificate, newAuthority } from '../../src/lib/lab/talos/certificates.ts'
import { callTalos } from '../../src/lib/tools/talos-api/call.ts'
import { talosPort } from '../../src/lib/tools/talos-api/connection.ts'
import type { Identity } from '../../src/lib/tools/talos-api/identity.ts'

const address = '127.13.249.7'
const authority = await newAuthority('CN=talos')
const certificate = await issueCertificate(authority, { subject: 'CN=machine', ips: [address], usage: 'peer', days: 1 })
const newIdentity = (): Identity => ({
  ca: authority.crt,
  ...certificate,
  secureContext: createSecureContext({ ca: authority.crt, cert: certificate.crt, key: certificate.key }),
})

let server: Http2SecureServer
let sessions: ServerHttp2Session[]
/** How the machine answers a call. */
let answer: (path: string) => 'ok' | 'never'
beforeEach(async () => {
  sessions = []
  answer = () => 'ok'
  server = createSecureServer({ cert: certificate.crt, key: certificate.key })
  server.on('session', (session) => sessions.push(session))
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {})
    stream.resume()
    if (answer(String(headers[':path'])) === 'never') return
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.end(Buffer.alloc(5))
  })
  await new Promise<void>((resolve) => server.listen(talosPort, address, resolve))
})
afterEach(async () => {
  for (const session of sessions) session.destroy()
  await new Promise((resolve) => server.close(resolve))
})

const call = (identity: Identity, path: `/${string}/${string}` = '/a/b', signal?: AbortSignal) =>
  callTalos(address, identity, path, Buffer.alloc(0), signal)

it('is one for calls that begin together, and another for what comes after them', async () => {
  const identity = newIdentity()
  const together = await Promise.all(Array.from({ length: 5 }, () => call(identity)))
  expect(together.every(({ ok }) => ok)).toBe(true)
  expect(sessions).toHaveLength(1)
  expect(await call(identity)).toMatchObject({ ok: true })
  expect(sessions).toHaveLength(2)
})

it('is never shared by two certificates', async () => {
  await Promise.all([call(newIdentity()), call(newIdentity())])
  expect(sessions).toHaveLength(2)
})

it('outlives a call that is interrupted, for the sake of the others', async () => {
  const stop = new AbortController()
  answer = (path) => (path === '/never/answers' ? 'never' : 'ok')
  const identity = newIdentity()
  const hanging = call(identity, '/never/answers', stop.signal)
  const other = call(identity)
  stop.abort()
  expect(await hanging).toEqual({ ok: false, why: 'unreachable', detail: `${address}: interrupted` })
  expect(await other).toMatchObject({ ok: true })
})

it('tells all of its calls when it is cut off, and takes no more', async () => {
  answer = () => 'never'
  const identity = newIdentity()
  const hanging = [call(identity), call(identity)]
  await new Promise<void>((resolve) => server.once('stream', () => resolve()))
  for (const session of sessions) session.destroy()
  expect(await Promise.all(hanging)).toEqual(Array(2).fill(expect.objectContaining({ ok: false, why: 'unreachable' })))
  answer = () => 'ok'
  expect(await call(identity)).toMatchObject({ ok: true })
})
