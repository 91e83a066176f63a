/** The Kubernetes reads against a real HTTPS server that plays an API server's answers. */
import 'reflect-metadata'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as x509 from '@peculiar/x509'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createKubePort } from '../../src/lib/kube/client.ts'
import type { KubeObject, KubePort, Result } from '../../src/lib/types.ts'

const directory = mkdtempSync(join(tmpdir(), 'k8sops-kube-'))
const address = '127.13.208.20'
let server: Server
let kube: KubePort
let answer: (request: IncomingMessage, response: ServerResponse) => void
const requests: string[] = []

const certificate = await selfSigned()

beforeAll(async () => {
  server = createServer({ key: certificate.key, cert: certificate.cert }, (request, response) => {
    requests.push(request.url ?? '')
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, address, resolve))
  writeKubeconfig('main', certificate.cert, 'a-token')
  kube = createKubePort({ kubeconfig: join(directory, 'main'), context: 'main' })
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
  rmSync(directory, { recursive: true, force: true })
})

describe('list', () => {
  it('reads page by page and knows kind and apiVersion of items', async () => {
    answer = (request, response) => {
      const next = new URL(request.url ?? '', 'https://x').searchParams.get('continue')
      json(response, {
        metadata: { resourceVersion: '7', ...(next ? {} : { continue: 'more' }) },
        items: [node(next ? 'b' : 'a')],
      })
    }
    const listed = await kube.list({ apiVersion: 'v1', kind: 'Node' })
    expect(listed).toMatchObject({
      ok: true,
      value: [
        { kind: 'Node', metadata: { name: 'a' } },
        { apiVersion: 'v1', metadata: { name: 'b' } },
      ],
    })
  })

  it('asks for just what the reference names', async () => {
    answer = (_request, response) => json(response, { metadata: { resourceVersion: '1' }, items: [] })
    await kube.list({
      apiVersion: 'v1',
      kind: 'Secret',
      namespace: 'flux-system',
      name: 'sops-age',
      labelSelector: 'a=b',
    })
    const url = new URL(requests.at(-1) ?? '', 'https://x')
    expect(url.pathname).toBe('/api/v1/namespaces/flux-system/secrets')
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      fieldSelector: 'metadata.name=sops-age',
      labelSelector: 'a=b',
    })
  })

  it('finds the path of a custom kind, and asks again for one that was not served', async () => {
    let served = false
    answer = (request, response) => {
      if (request.url === '/apis/example.dev/v1') {
        return served
          ? json(response, {
              resources: [
                { name: 'widgets', namespaced: true, kind: 'Widget' },
                { name: 'widgets/scale', namespaced: true, kind: 'Scale' },
              ],
            })
          : status(response, 404, 'not found')
      }
      if (!served || request.url?.includes('/scales')) return status(response, 404, 'not found')
      json(response, { metadata: { resourceVersion: '1' }, items: [] })
    }
    const widget = { apiVersion: 'example.dev/v1', kind: 'Widget', namespace: 'x' }
    expect(await kube.list(widget)).toMatchObject({
      ok: false,
      why: 'not-found',
      detail: expect.stringContaining('serves no Widget'),
    })
    served = true
    expect(await kube.list(widget)).toEqual({ ok: true, value: [] })
    expect(requests.at(-1)).toMatch(/^\/apis\/example.dev\/v1\/namespaces\/x\/widgets\?/)
    expect(await kube.list({ ...widget, kind: 'Scale' })).toMatchObject({ ok: false, why: 'not-found' })
  })

  it('takes one request for a kind that is called by the rule, and asks where the others are', async () => {
    answer = (request, response) => {
      const url = request.url ?? ''
      if (url === '/apis/odd.dev/v1')
        return json(response, {
          resources: [
            { name: 'mice', namespaced: true, kind: 'Mouse' },
            { name: 'policies', namespaced: false, kind: 'Policy' },
          ],
        })
      // One with few rights is refused where there is nothing at all.
      if (/\/mouses/.test(url)) return status(response, 403, 'forbidden')
      if (/\/namespaces\/x\/policies/.test(url)) return status(response, 404, 'no')
      json(response, { metadata: { resourceVersion: '1' }, items: [] })
    }
    const asked = async (kind: string, namespace?: string) => {
      const before = requests.length
      const ref = { apiVersion: 'odd.dev/v1', kind, ...(namespace ? { namespace } : {}) }
      expect(await kube.list(ref)).toEqual({ ok: true, value: [] })
      return requests.slice(before).map((url) => url.replace(/^\/apis\/odd.dev\/v1|\?.*/g, ''))
    }
    expect(await asked('Address')).toEqual(['/addresses'])
    expect(await asked('Mouse', 'x')).toEqual(['/namespaces/x/mouses', '', '/namespaces/x/mice'])
    expect(await asked('Mouse')).toEqual(['/mice'])
    expect(await asked('Policy', 'x')).toEqual(['/policies'])
  })

  it('says of a list that is refused why, not where it is', async () => {
    answer = (request, response) =>
      request.url === '/apis/closed.dev/v1'
        ? json(response, { resources: [{ name: 'doors', namespaced: true, kind: 'Door' }] })
        : status(response, 403, 'you may not')
    const listed = await kube.list({ apiVersion: 'closed.dev/v1', kind: 'Door' })
    expect(listed).toEqual({ ok: false, why: 'denied', detail: 'HTTP 403: you may not' })
  })

  it.each([
    [401, 'denied'],
    [403, 'denied'],
    [429, 'unreachable'],
    [500, 'failed'],
    [503, 'unreachable'],
  ])('tells HTTP %i apart: %s', async (code, why) => {
    answer = (_request, response) => status(response, code, 'because')
    expect(await kube.list({ apiVersion: 'v1', kind: 'Node' })).toEqual({
      ok: false,
      why,
      detail: `HTTP ${code}: because`,
    })
  })

  it('leaves out the schemas of CRDs, and asks for few of them at a time', async () => {
    const crd = {
      metadata: { name: 'a' },
      spec: { group: 'g', versions: [{ name: 'v1', schema: { openAPIV3Schema: {} } }] },
    }
    answer = (_request, response) => json(response, { metadata: { resourceVersion: '1' }, items: [crd] })
    const listed = await kube.list({ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' })
    expect(JSON.stringify(listed)).toContain('"name":"v1"')
    expect(JSON.stringify(listed)).not.toContain('openAPIV3Schema')
    expect(requests.at(-1)).toContain('limit=20')
  })

  it('sends the token', async () => {
    let authorization: string | undefined
    answer = (request, response) => {
      authorization = request.headers.authorization
      json(response, { metadata: { resourceVersion: '1' }, items: [] })
    }
    await kube.list({ apiVersion: 'v1', kind: 'Node' })
    expect(authorization).toBe('Bearer a-token')
  })
})

describe('what is no cluster, or not ours', () => {
  it('waits for as long as it takes where no limit is set, and no longer than the limit elsewhere', async () => {
    answer = (_request, response) => void setTimeout(() => response.end('late'), 300)
    const read = (timeoutMs: number) => kube.raw('/late', { timeoutMs })
    expect(await read(0)).toEqual({ ok: true, value: 'late' })
    expect(await read(100)).toMatchObject({ ok: false, detail: expect.stringContaining('within 0.1 s') })
  })

  it('reads as unreachable when nobody listens, and when the kubeconfig is not there yet', async () => {
    const url = `https://${address}:1`
    expect(await kube.raw('/readyz', { server: url })).toMatchObject({
      ok: false,
      why: 'unreachable',
      detail: expect.stringContaining(url),
    })
    const none = createKubePort({ kubeconfig: join(directory, 'none'), context: 'main' })
    expect(await none.raw('/readyz')).toMatchObject({ ok: false, why: 'unreachable' })
    const other = createKubePort({ kubeconfig: join(directory, 'main'), context: 'other' })
    expect(await other.raw('/readyz')).toMatchObject({
      ok: false,
      why: 'unreachable',
      detail: expect.stringContaining('no context "other"'),
    })
  })

  it('refuses a server whose certificate is of another CA', async () => {
    writeKubeconfig('foreign', (await selfSigned()).cert, 'x')
    const foreign = createKubePort({ kubeconfig: join(directory, 'foreign'), context: 'foreign' })
    expect(await foreign.raw('/version')).toMatchObject({
      ok: false,
      why: 'denied',
      detail: expect.stringContaining("not one of this cluster's CA"),
    })
  })

  it('notices that the kubeconfig was written after it was made', async () => {
    answer = (_request, response) => response.end('ok')
    const late = createKubePort({ kubeconfig: join(directory, 'late'), context: 'late' })
    expect(await late.raw('/readyz')).toMatchObject({ ok: false })
    writeKubeconfig('late', certificate.cert, 'x')
    expect(await late.raw('/readyz')).toEqual({ ok: true, value: 'ok' })
  })
})

describe('watch', () => {
  it('shows the whole list after each change, and goes on where it was when it is cut off', async () => {
    const watches: URL[] = []
    answer = (request, response) => {
      const url = new URL(request.url ?? '', 'https://x')
      if (!url.searchParams.has('watch'))
        return json(response, { metadata: { resourceVersion: '10' }, items: [node('a')] })
      watches.push(url)
      response.writeHead(200)
      if (watches.length === 1) {
        response.write(event('ADDED', node('b', '11')))
        response.write(event('BOOKMARK', node('', '15')))
        setTimeout(() => response.destroy(), 20)
      } else {
        response.write(event('DELETED', node('a', '16')))
      }
    }
    expect(await collect(3)).toEqual([['a'], ['a', 'b'], ['b']])
    expect(watches.map((url) => url.searchParams.get('resourceVersion'))).toEqual(['10', '15'])
  })

  it('shows the list again when the server is back, though nothing has changed', async () => {
    let watches = 0
    answer = (request, response) => {
      const url = new URL(request.url ?? '', 'https://x')
      if (!url.searchParams.has('watch'))
        return json(response, { metadata: { resourceVersion: '10' }, items: [node('a')] })
      watches += 1
      if (watches === 1) return status(response, 503, 'away')
      response.writeHead(200)
      response.flushHeaders()
    }
    expect(await collect(3)).toEqual([['a'], 'unreachable', ['a']])
  })

  it('lists again when its version is too old', async () => {
    let lists = 0
    answer = (request, response) => {
      const url = new URL(request.url ?? '', 'https://x')
      if (!url.searchParams.has('watch'))
        return json(response, { metadata: { resourceVersion: String(++lists) }, items: [node(`list-${lists}`)] })
      response.writeHead(200)
      response.end(`${JSON.stringify({ type: 'ERROR', object: { code: 410, message: 'too old resource version' } })}\n`)
    }
    expect(await collect(2)).toEqual([['list-1'], ['list-2']])
  })

  it('tells that the kind is not served, and sees it come', async () => {
    let served = false
    answer = (request, response) => {
      const url = new URL(request.url ?? '', 'https://x')
      if (!served) {
        // It comes once it has been said that there is none.
        served = url.pathname === '/apis/late.dev/v1'
        return status(response, 404, 'no')
      }
      if (!url.searchParams.has('watch'))
        return json(response, { metadata: { resourceVersion: '1' }, items: [node('here')] })
      response.writeHead(200)
      response.flushHeaders()
    }
    expect(await collect(2, { apiVersion: 'late.dev/v1', kind: 'Late' })).toEqual(['not-found', ['here']])
  })
})

/** The names of each list that a watch shows (or why there is none), until there were so many different ones. */
async function collect(count: number, ref = { apiVersion: 'v1', kind: 'Node' }): Promise<(string[] | string)[]> {
  const stop = new AbortController()
  const seen: (string[] | string)[] = []
  await kube.watch(ref, stop.signal, (list: Result<KubeObject[]>) => {
    const shown = list.ok ? list.value.map(({ metadata }) => metadata.name) : list.why
    if (JSON.stringify(shown) !== JSON.stringify(seen.at(-1))) seen.push(shown)
    if (seen.length === count) stop.abort()
  })
  return seen
}

const node = (name: string, resourceVersion = '1') => ({ metadata: { name, resourceVersion } })
const event = (type: string, object: object) => `${JSON.stringify({ type, object })}\n`
const json = (response: ServerResponse, body: object) => void response.end(JSON.stringify(body))
function status(response: ServerResponse, code: number, message: string): void {
  response.writeHead(code)
  response.end(JSON.stringify({ kind: 'Status', message }))
}

function writeKubeconfig(name: string, ca: string, token: string): void {
  const { port } = server.address() as AddressInfo
  const config = {
    clusters: [
      {
        name,
        cluster: {
          server: `https://${address}:${port}`,
          'certificate-authority-data': Buffer.from(ca).toString('base64'),
        },
      },
    ],
    users: [{ name, user: { token } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
  }
  writeFileSync(join(directory, name), JSON.stringify(config))
}

async function selfSigned(): Promise<{ key: string; cert: string }> {
  const { crypto } = globalThis
  x509.cryptoProvider.set(crypto)
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=test',
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 3600_000),
    extensions: [
      new x509.BasicConstraintsExtension(true),
      new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: address }]),
    ],
  })
  const key = await crypto.subtle.exportKey('pkcs8', keys.privateKey)
  return { key: x509.PemConverter.encode(key, 'PRIVATE KEY'), cert: made.toString('pem') }
}
