import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request as plainRequest } from 'node:http'
import { Agent, get, request as httpRequest } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { sha256 } from '../../src/lib/lab/charts/index.ts'
import { proxyCaFile, proxyPort } from '../../src/lib/lab/materialise/environment.ts'
import { startRegistry } from '../../src/lib/lab/registry/index.ts'
import { createRegistryClient, type RegistryClient } from '../../src/lib/lab/sources/registry-client.ts'
import { plainSchematic } from '../../src/lib/lab/talos/images.ts'
import type { Part } from '../../src/lib/lab/types.ts'
import { imageManifest } from '../../src/lib/tools/image-manifest.ts'
import { type StubLab, stubLab } from '../helpers/stub-lab.ts'

const number = 211
let lab: StubLab
let part: Part
let client: RegistryClient
let dir: string

const oci = (name: string, url: string, tag: string) => `apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {name: ${name}, namespace: x}
spec: {url: "${url}", ref: {tag: ${tag}}}
`
const helm = `kind: HelmRepository
metadata: {name: old}
spec: {url: https://charts.test/stable}
---
kind: HelmRelease
metadata: {name: spegel}
spec: {chart: {spec: {chart: spegel, version: 0.7.0, sourceRef: {kind: HelmRepository, name: old}}}}
`

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'k8sops-registry-'))
  const manifests = join(dir, 'repo/kubernetes')
  await mkdir(manifests, { recursive: true })
  await writeFile(join(manifests, 'a.yaml'), oci('cilium', 'oci://quay.io/cilium/charts/cilium', '1.19.3'))
  await writeFile(join(manifests, 'b.yaml'), oci('eg', 'oci://docker.io/envoyproxy/gateway-crds-helm', 'v1.7.2'))
  await writeFile(join(manifests, 'c.yaml'), oci('unknown', 'oci://ghcr.io/nobody/nothing', '1.0.0'))
  await writeFile(join(manifests, 'd.yaml'), helm)
  lab = stubLab(dir, number)
  part = await startRegistry(lab)
  client = await createRegistryClient(lab.spec)
})
afterAll(async () => {
  await part.stop()
  await rm(dir, { recursive: true, force: true })
})
beforeEach(() => lab.setFaults([]))

const soon = () => AbortSignal.timeout(20_000)
const cilium = () => client.manifest('quay.io', 'cilium/charts/cilium', '1.19.3', soon())

describe('the registry behind the proxy', () => {
  test('serves a chart whose bytes are what the manifest says', async () => {
    const manifest = await cilium()
    const [layer] = manifest.layers
    expect(layer?.mediaType).toBe('application/vnd.cncf.helm.chart.content.v1.tar+gzip')
    const archive = await client.blob('quay.io', 'cilium/charts/cilium', layer?.digest ?? '', soon())
    expect(sha256(archive)).toBe(layer?.digest)
    expect(archive.length).toBe(layer?.size)
    const again = await client.manifest('quay.io', 'cilium/charts/cilium', manifest.digest, soon())
    expect(again).toEqual(manifest)
  })

  test('docker.io answers under the name that clients dial', async () => {
    const manifest = await client.manifest('docker.io', 'envoyproxy/gateway-crds-helm', 'v1.7.2', soon())
    expect(manifest.layers).toHaveLength(1)
  })

  test('says like a registry what it does not have', async () => {
    const tag = client.manifest('quay.io', 'cilium/charts/cilium', '9.9.9', soon())
    await expect(tag).rejects.toThrow('MANIFEST_UNKNOWN: no cilium/charts/cilium:9.9.9')
    const record = client.manifest('ghcr.io', 'nobody/nothing', '1.0.0', soon())
    await expect(record).rejects.toThrow('NAME_UNKNOWN')
    expect(part.status()).toMatchObject({
      charts: { real: 0, placeholder: 3, missing: [expect.stringContaining('nothing 1.0.0')] },
    })
    expect(lab.logs.join('\n')).toContain('no record for chart nothing 1.0.0')
  })

  test('plays a Helm repository over HTTP', async () => {
    const index = await fetchText('https://charts.test/stable/index.yaml')
    const { entries } = JSON.parse(index.body) as { entries: Record<string, { urls: string[]; version: string }[]> }
    expect(entries.spegel?.[0]).toMatchObject({ urls: ['spegel-0.7.0.tgz'], version: '0.7.0' })
    expect((await fetchText('https://charts.test/stable/spegel-0.7.0.tgz')).status).toBe(200)
    expect((await fetchText('https://charts.test/stable/spegel-0.7.1.tgz')).status).toBe(404)
  })

  test('knows which images of machines exist, and loses one by a fault', async () => {
    const installer = `https://factory.talos.dev/v2/metal-installer/${plainSchematic}/manifests`
    const ask = async (url: string) => (await fetchText(url, 'HEAD')).status
    expect(await ask(`${installer}/v1.12.11`)).toBe(200)
    expect(await ask(`${installer}/v1.13.0`)).toBe(200)
    expect(await ask(`${installer}/v1.12.99`)).toBe(404)
    expect(await ask(`https://factory.talos.dev/v2/metal-installer/${'0'.repeat(64)}/manifests/v1.12.11`)).toBe(404)
    expect(await ask('https://registry.k8s.io/v2/kube-apiserver/manifests/v1.35.4')).toBe(200)
    expect(await ask('https://ghcr.io/v2/siderolabs/kubelet/manifests/v1.99.0')).toBe(404)
    lab.setFaults([{ name: 'image-not-found', params: { image: 'v1.13.0' } }])
    expect(await ask(`${installer}/v1.13.0`)).toBe(404)
    expect(await ask(`${installer}/v1.12.11`)).toBe(200)
    lab.setFaults([{ name: 'image-not-found', params: { for: 'node' } }])
    expect(await ask(`${installer}/v1.13.0`)).toBe(200)
  })

  test('tells the gate of an upgrade what it would tell a machine', async () => {
    const env = {
      HTTPS_PROXY: `http://${lab.spec.base}:${proxyPort}`,
      SSL_CERT_FILE: proxyCaFile(lab.spec.dir),
    }
    const installer = `factory.talos.dev/metal-installer/${plainSchematic}`
    expect(await imageManifest(`${installer}:v1.12.11`, env, soon())).toMatchObject({ ok: true })
    expect(await imageManifest(`${installer}:v1.12.99`, env, soon())).toMatchObject({ ok: false, why: 'not-found' })
    lab.setFaults([{ name: 'registry-down', params: { host: 'factory.talos.dev' } }])
    expect(await imageManifest(`${installer}:v1.12.11`, env, soon())).toMatchObject({ ok: false, why: 'unreachable' })
  })

  test('takes no writes', async () => {
    expect((await fetchText('https://quay.io/v2/cilium/charts/cilium/blobs/uploads/', 'POST')).status).toBe(405)
  })
})

describe('nothing else gets out', () => {
  test('another host is refused, counted and logged', async () => {
    await expect(client.manifest('example.com', 'a/b', '1', soon())).rejects.toThrow('403')
    expect(part.status()).toMatchObject({ refused: { 'example.com:443': 1 } })
    expect(lab.logs.at(-1)).toContain('refused CONNECT example.com:443')
  })

  test('another port and plain HTTP are refused', async () => {
    const ssh = await connectStatus('quay.io:22')
    expect(ssh).toBe(403)
    const status = await new Promise<number>((resolve, reject) => {
      plainRequest(
        { host: lab.spec.base, port: 3128, path: 'http://quay.io/', headers: { host: 'quay.io' } },
        (response) => {
          response.resume()
          resolve(response.statusCode ?? 0)
        },
      )
        .on('error', reject)
        .end()
    })
    expect(status).toBe(403)
  })
})

describe('the certificate authority', () => {
  test('outlives the registry, and its key is for nobody else', async () => {
    const before = await readFile(join(dir, 'pki/proxy-ca.crt'), 'utf8')
    await part.stop()
    part = await startRegistry(lab)
    expect(await readFile(join(dir, 'pki/proxy-ca.crt'), 'utf8')).toBe(before)
    await expect(cilium()).resolves.toBeDefined()
  })
})

describe('fault registry-down', () => {
  const down = (mode?: string, host?: string) =>
    lab.setFaults([{ name: 'registry-down', params: { ...(mode ? { mode } : {}), ...(host ? { host } : {}) } }])

  test.each([
    [undefined, '502'],
    ['refused', '502'],
    ['500', 'unexpected status code 500'],
    ['429', 'unexpected status code 429'],
  ])('mode %s', async (mode, message) => {
    down(mode)
    await expect(cilium()).rejects.toThrow(message)
  })

  test('mode hang never answers', async () => {
    down('hang')
    const waiting = client.manifest('quay.io', 'cilium/charts/cilium', '1.19.3', AbortSignal.timeout(300))
    await expect(waiting).rejects.toThrow('context deadline exceeded')
  })

  test('concerns only the host that is named, by the name that manifests carry', async () => {
    down('500', 'docker.io')
    await expect(cilium()).resolves.toBeDefined()
    const gateway = client.manifest('docker.io', 'envoyproxy/gateway-crds-helm', 'v1.7.2', soon())
    await expect(gateway).rejects.toThrow('500')
  })
})

async function fetchText(url: string, method = 'GET'): Promise<{ status: number; body: string }> {
  const agent = new Agent({
    ca: await readFile(join(dir, 'pki/proxy-ca.crt')),
    proxyEnv: { HTTPS_PROXY: `http://${lab.spec.base}:3128` },
  })
  return new Promise((resolve, reject) => {
    const call = method === 'GET' ? get : httpRequest
    call(url, { agent, method }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
      )
    })
      .on('error', reject)
      .end()
  })
}

function connectStatus(target: string): Promise<number> {
  return new Promise((resolve, reject) => {
    plainRequest({ host: lab.spec.base, port: 3128, method: 'CONNECT', path: target })
      .on('connect', (response, socket) => {
        socket.destroy()
        resolve(response.statusCode ?? 0)
      })
      .on('error', reject)
      .end()
  })
}
