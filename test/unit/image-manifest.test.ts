/** Asking registries for manifests, against one of our own over real TLS. Through the lab's proxy: registry.test.ts. */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { hostCertificates } from '../../src/lib/lab/registry/certificates.ts'
import { imageManifest, parseImage } from '../../src/lib/tools/image-manifest.ts'

let dir: string
let server: Server
let registry: string
let asked: string[]

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'k8sops-manifest-'))
  const certificates = await hostCertificates(dir)
  const localhost = await certificates.contextFor('localhost')
  server = createServer({ SNICallback: (_name, done) => done(null, localhost) }, (request, response) => {
    const path = request.url ?? ''
    const { authorization = '' } = request.headers
    asked.push(`${request.method} ${path} ${authorization}`.trim())
    const challenge = (name: string) =>
      `Bearer realm="https://${registry}/token/${name}",service="ours",scope="repository:${name}:pull"`
    if (path.startsWith('/token/guarded')) return void response.end('{"token":"open-sesame"}')
    if (path.startsWith('/token/')) return void response.writeHead(403).end()
    const name = path.split('/')[2] ?? ''
    if (name === 'guarded' && authorization === 'Bearer open-sesame')
      return void response.writeHead(307, { location: '/v2/public/manifests/v1' }).end()
    if (name === 'guarded' || name === 'private')
      return void response.writeHead(401, { 'www-authenticate': challenge(name) }).end()
    if (name === 'basic') return void response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
    if (name === 'broken') return void response.writeHead(503).end()
    if (name === 'round') return void response.writeHead(307, { location: path }).end()
    if (name !== 'public') return void response.writeHead(404).end()
    response.writeHead(200, { 'docker-content-digest': 'sha256:abc' }).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  registry = `localhost:${(server.address() as AddressInfo).port}`
})
afterAll(async () => {
  server.close()
  server.closeAllConnections()
  await rm(dir, { recursive: true, force: true })
})

const soon = () => AbortSignal.timeout(5_000)
const ask = (name: string, env: NodeJS.ProcessEnv = { SSL_CERT_FILE: join(dir, 'pki/proxy-ca.crt') }) => {
  asked = []
  return imageManifest(`${registry}/${name}:v1`, env, soon())
}

it('asks for the head of the manifest only', async () => {
  expect(await ask('public')).toEqual({ ok: true, value: { digest: 'sha256:abc' } })
  expect(asked).toEqual(['HEAD /v2/public/manifests/v1'])
})

it('fetches an anonymous token when the registry wants one, and follows where it is sent', async () => {
  expect(await ask('guarded')).toMatchObject({ ok: true })
  expect(asked).toEqual([
    'HEAD /v2/guarded/manifests/v1',
    'GET /token/guarded?service=ours&scope=repository%3Aguarded%3Apull',
    'HEAD /v2/guarded/manifests/v1 Bearer open-sesame',
    'HEAD /v2/public/manifests/v1 Bearer open-sesame',
  ])
})

it.each([
  ['absent', 'not-found', '404'],
  ['private', 'denied', 'gives no anonymous token (403)'],
  ['basic', 'denied', 'wants an account'],
  ['broken', 'unreachable', '503'],
  ['round', 'failed', '307'],
])('%s: %s', async (name, why, detail) => {
  expect(await ask(name)).toMatchObject({ ok: false, why, detail: expect.stringContaining(detail) })
})

it('trusts no registry that the environment does not vouch for, and takes silence for an answer', async () => {
  expect(await ask('public', {})).toMatchObject({ ok: false, why: 'unreachable' })
  const nobody = await imageManifest('localhost:1/x/y:v1', {}, soon())
  expect(nobody).toMatchObject({ ok: false, why: 'unreachable', detail: expect.stringContaining('localhost:1') })
})

it.each([
  ['ghcr.io/siderolabs/installer:v1.12.11', 'ghcr.io', 'siderolabs/installer', 'v1.12.11'],
  ['localhost:5000/a:b', 'localhost:5000', 'a', 'b'],
  ['nginx:1', 'registry-1.docker.io', 'library/nginx', '1'],
  ['rook/ceph:v1', 'registry-1.docker.io', 'rook/ceph', 'v1'],
  [`quay.io/a/b:c@sha256:${'0'.repeat(64)}`, 'quay.io', 'a/b', `sha256:${'0'.repeat(64)}`],
])('%s', (image, host, repository, reference) => {
  expect(parseImage(image)).toEqual({ registry: host, repository, reference })
})

it.each(['ghcr.io/siderolabs/installer', 'ghcr.io/Upper/case:v1', '', ':v1', 'ghcr.io/a:v 1'])(
  'no image: "%s"',
  (image) => {
    expect(parseImage(image)).toBeUndefined()
  },
)
