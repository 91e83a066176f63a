/** The lab's registry, source server, Flux and operators on a real control plane, driven by the real helm, flux and sops. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startFluxControllers } from '../../../src/lib/lab/flux/index.ts'
import { startOperators } from '../../../src/lib/lab/operators/index.ts'
import { startRegistry } from '../../../src/lib/lab/registry/index.ts'
import { startSources } from '../../../src/lib/lab/sources/index.ts'
import type { Part } from '../../../src/lib/lab/types.ts'
import { resolveTool } from '../../../src/lib/tools/resolve.ts'
import { chart, kustomization, release, viaRepository } from '../../helpers/flux-manifests.ts'
import { clusterTools, commit, makeRepository, startTestCluster, type TestCluster } from '../../helpers/test-cluster.ts'

const run = promisify(execFile)
const names = [
  ...clusterTools,
  'kustomize',
  'helm',
  'flux',
  'sops',
  'age-keygen',
  'flux-crds',
  'kustomize-controller',
  'helm-controller',
]
const gitUrl = 'ssh://git@git.test/k8s-ops.git'
const registry = 'oci://ghcr.io/controlplaneio-fluxcd/charts'

let dir: string
let cluster: TestCluster
const parts: Part[] = []
const tools: Record<string, string> = {}

const resources = (...files: string[]) => JSON.stringify({ resources: files })
const entry = (...names: string[]) => names.map((name) => kustomization(name)).join('---\n')

beforeAll(async () => {
  for (const name of names) {
    const tool = resolveTool(name)
    if (!tool) throw new Error(`${name} is not built: run npm run setup`)
    tools[name] = tool.path
  }
  dir = await mkdtemp(join(tmpdir(), 'k8sops-sources-'))
  await makeRepository(dir, {
    'kubernetes/flux/kustomization.yaml': resources('entry.yaml'),
    'kubernetes/flux/entry.yaml': entry('certs', 'wrong'),
    'kubernetes/certs/kustomization.yaml': resources('source.yaml', 'release.yaml'),
    'kubernetes/certs/source.yaml': chart('cert-manager', 'oci://quay.io/jetstack/charts/cert-manager', 'v1.20.2'),
    'kubernetes/certs/release.yaml': release('cert-manager', {
      crds: { enabled: true },
      resources: { requests: { cpu: '11m' } },
    }),
    'kubernetes/wrong/kustomization.yaml': resources('source.yaml', 'release.yaml'),
    'kubernetes/wrong/source.yaml': chart('spegel', 'oci://ghcr.io/spegel-org/helm-charts/spegel', '0.7.0'),
    'kubernetes/wrong/release.yaml': release('spegel', { spegel: { mirorRegistries: [] } }),
    'kubernetes/bootstrap/operator.yaml': chart('flux-operator', `${registry}/flux-operator`, '0.59.0'),
    'kubernetes/bootstrap/instance.yaml': chart('flux-instance', `${registry}/flux-instance`, '0.59.0'),
    'kubernetes/bootstrap/eso.yaml': chart(
      'external-secrets',
      'oci://ghcr.io/external-secrets/charts/external-secrets',
      '2.4.0',
    ),
    'kubernetes/bootstrap/repositories.yaml':
      viaRepository('kubelet-csr-approver', '1.2.14', { url: 'https://postfinance.github.io/kubelet-csr-approver' }) +
      viaRepository('coredns', '1.45.2', { type: 'oci', url: 'oci://ghcr.io/coredns/charts' }),
    'kubernetes/bootstrap/connect.yaml': chart('connect', 'oci://ghcr.io/1password/connect', '2.4.1'),
    'kubernetes/bootstrap/cilium.yaml': chart('cilium', 'oci://quay.io/cilium/charts/cilium', '1.19.3'),
  })
  cluster = await startTestCluster(dir, 212, tools)
  for (const start of [startRegistry, startSources, startFluxControllers, startOperators])
    parts.push(await start(cluster.lab))
  await cluster.kubectl('create', 'namespace', 'flux-system')
  await createSecret('deploy-key', '--from-literal=identity=x', '--from-literal=known_hosts=y')
  await helm('flux-operator', `${registry}/flux-operator`, '0.59.0')
})

afterAll(async () => {
  for (const part of parts.reverse()) await part.stop()
  await cluster?.stop()
  await rm(dir, { recursive: true, force: true, maxRetries: 5 })
})
afterEach(() => cluster.lab.setFaults([]))

const createSecret = (name: string, ...from: string[]) =>
  cluster.kubectl('-n', 'flux-system', 'create', 'secret', 'generic', name, ...from)

function environment(): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '',
    HOME: dir,
    KUBECONFIG: cluster.lab.adminKubeconfig,
    HTTPS_PROXY: `http://${cluster.lab.spec.base}:3128`,
    SSL_CERT_FILE: join(dir, 'pki/proxy-ca.crt'),
  }
}

async function helm(name: string, url: string, version: string, values: object = {}, namespace = 'flux-system') {
  const file = join(dir, `values-${name}.json`)
  await writeFile(file, JSON.stringify(values))
  const args = [
    'upgrade',
    '--install',
    name,
    url,
    '--version',
    version,
    '-n',
    namespace,
    '--create-namespace',
    '-f',
    file,
  ]
  return run(tools.helm ?? '', [...args, '--wait', '--timeout', '60s'], { env: environment() })
}

const flux = (...args: string[]) => run(tools.flux ?? '', ['--timeout=40s', ...args], { env: environment() })

/** The Ready condition as `status: message`. */
async function readiness(kind: string, name: string, namespace = 'flux-system'): Promise<string> {
  const path = '{.status.conditions[?(@.type=="Ready")].status}: {.status.conditions[?(@.type=="Ready")].message}'
  return cluster.kubectl('-n', namespace, 'get', kind, name, '-o', `jsonpath=${path}`)
}

const untilReady = (kind: string, name: string, pattern: RegExp, namespace?: string, seconds = 60) =>
  cluster.until(`${kind}/${name} ${pattern}`, async () => pattern.test(await readiness(kind, name, namespace)), seconds)

const status = (name: string) => parts.find((part) => part.name === name)?.status() as Record<string, never>

describe('bootstrap', () => {
  test('a FluxInstance brings the CRDs, the controllers and the sync, and is Ready when they are', async () => {
    const sync = {
      kind: 'GitRepository',
      url: gitUrl,
      ref: 'refs/heads/main',
      path: 'kubernetes/flux',
      pullSecret: 'deploy-key',
    }
    const patch = JSON.stringify([
      {
        op: 'add',
        path: '/spec/template/spec/containers/0/args/-',
        value: '--feature-gates=DisableFailFastBehavior=true',
      },
    ])
    const kustomize = { patches: [{ target: { kind: 'Deployment', name: 'kustomize-controller' }, patch }] }
    await helm('flux-instance', `${registry}/flux-instance`, '0.59.0', { instance: { sync, kustomize } })
    await untilReady('fluxinstance', 'flux', /^True: Reconciliation finished/)
    const deployment = await cluster.get<{ spec: { template: { spec: { containers: { args: string[] }[] } } } }>(
      '-n',
      'flux-system',
      'deployment',
      'kustomize-controller',
    )
    expect(deployment.spec.template.spec.containers[0]?.args).toContain('--feature-gates=DisableFailFastBehavior=true')
    expect(status('flux')).toMatchObject({
      controllers: { 'kustomize-controller': { running: true }, 'helm-controller': { running: true } },
      real: expect.stringMatching(/^kustomize-controller [\d.]+ and helm-controller [\d.]+ are the real binaries/),
    })
    const report = await cluster.get<{ spec: { components: unknown[] } }>('-n', 'flux-system', 'fluxreport', 'flux')
    expect(report.spec.components).toHaveLength(4)
  })

  test("the controllers are their pods' service accounts", async () => {
    for (const name of ['kustomize-controller', 'helm-controller']) {
      const args = [
        '--kubeconfig',
        join(dir, 'flux', name, 'kubeconfig'),
        'auth',
        'whoami',
        '-o',
        'jsonpath={.status.userInfo.username}',
      ]
      const { stdout } = await run(tools.kubectl ?? '', args)
      expect(stdout).toBe(`system:serviceaccount:flux-system:${name}`)
    }
  })
})

describe('charts', () => {
  test('a HelmRelease from a placeholder is Ready, with the requests of its values', async () => {
    await untilReady('helmrelease', 'cert-manager', /^True/)
    await untilReady('kustomization', 'certs', /^True/)
    const path = 'jsonpath={.spec.template.spec.containers[0].resources.requests.cpu}'
    expect(await cluster.kubectl('-n', 'flux-system', 'get', 'deployment', 'cert-manager', '-o', path)).toBe('11m')
    expect(status('sources')).toMatchObject({ running: true, ready: 3, unplayed: [] })
  })

  test('a HelmRelease gets its chart through a HelmRepository, by an index or from a registry', async () => {
    await cluster.kubectl('apply', '-f', join(dir, 'repo/kubernetes/bootstrap/repositories.yaml'))
    await untilReady('helmrepository', 'kubelet-csr-approver', /^True: stored artifact: revision 'sha256:/)
    for (const [name, version] of [
      ['kubelet-csr-approver', '1.2.14'],
      ['coredns', '1.45.2'],
    ]) {
      const pulled = new RegExp(`^True: pulled '${name}' chart with version '${version}'`)
      await untilReady('helmchart', `flux-system-${name}`, pulled)
      await untilReady('helmrelease', name ?? '', /^True/)
    }
    expect(await readiness('helmrepository', 'coredns')).toBe(': ')
    expect((await flux('reconcile', 'source', 'chart', 'flux-system-coredns')).stderr).toContain(
      'fetched revision 1.45.2',
    )
  })

  test('a value key that the chart lacks is refused, by helm-controller and by helm', async () => {
    await untilReady('helmrelease', 'spegel', /^False: .*additional properties 'mirorRegistries' not allowed/s)
    const [url, values] = ['oci://quay.io/cilium/charts/cilium', { cgroup: { automount: { enabled: false } } }]
    await expect(helm('cilium', url, '1.19.3', values)).rejects.toThrow("additional properties 'automount' not allowed")
  })

  test('a chart without its CRD is what crd-missing leaves', async () => {
    cluster.lab.setFaults([{ name: 'crd-missing', params: { crd: 'externalsecrets.external-secrets.io' } }])
    const show = ['template', 'x', 'oci://ghcr.io/external-secrets/charts/external-secrets', '--version', '2.4.0']
    const { stdout: without } = await run(tools.helm ?? '', show, { env: environment() })
    cluster.lab.setFaults([])
    const { stdout: whole } = await run(tools.helm ?? '', show, { env: environment() })
    const named = /"name": "externalsecrets\.external-secrets\.io"/
    expect([named.test(without), named.test(whole)]).toEqual([false, true])
  })
})

describe('sources', () => {
  test('a commit is seen without being asked for, and an encrypted secret is decrypted', async () => {
    const { stdout } = await run(tools['age-keygen'] ?? '', [])
    const keyFile = join(dir, 'age.key')
    await writeFile(keyFile, stdout)
    await createSecret('sops-age', `--from-file=age.agekey=${keyFile}`)
    const root = join(dir, 'repo')
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'proof', namespace: 'default' },
      stringData: { word: 'plain' },
    }
    const file = join(root, 'kubernetes/flux/proof.sops.yaml')
    await writeFile(file, JSON.stringify(secret))
    const recipient = /age1\w+/.exec(stdout)?.[0] ?? ''
    await run(tools.sops ?? '', ['encrypt', '--age', recipient, '--encrypted-regex', '^stringData$', '-i', file])
    await run('mkdir', ['-p', join(root, 'kubernetes/secret')])
    await run('mv', [file, join(root, 'kubernetes/secret/proof.sops.yaml')])
    await writeFile(join(root, 'kubernetes/secret/kustomization.yaml'), resources('proof.sops.yaml'))
    const decryption = '  decryption: {provider: sops, secretRef: {name: sops-age}}\n'
    const more = `${entry('certs', 'wrong')}---\n${kustomization('secret', decryption)}`
    await writeFile(join(root, 'kubernetes/flux/entry.yaml'), more)
    await commit(root, 'an encrypted secret')
    await untilReady('kustomization', 'secret', /^True: Applied revision: refs\/heads\/main@sha1:/)
    const word = await cluster.kubectl('-n', 'default', 'get', 'secret', 'proof', '-o', 'jsonpath={.data.word}')
    expect(Buffer.from(word, 'base64').toString('utf8')).toBe('plain')
  })

  test('flux reconcile gets its answer', async () => {
    expect((await flux('reconcile', 'source', 'git', 'flux-system')).stderr).toContain(
      'fetched revision refs/heads/main@sha1:',
    )
    expect((await flux('reconcile', 'source', 'oci', 'cert-manager')).stderr).toContain(
      'fetched revision v1.20.2@sha256:',
    )
  })

  test("what cannot be fetched says why, in source-controller's words", async () => {
    const source = (kind: string, name: string, spec: object) => ({
      apiVersion: 'source.toolkit.fluxcd.io/v1',
      kind,
      metadata: { name, namespace: 'flux-system' },
      spec: { interval: '1m', ...spec },
    })
    const cilium = 'oci://quay.io/cilium/charts/cilium'
    await cluster.apply(
      source('GitRepository', 'no-ref', { url: gitUrl, ref: { branch: 'nope' } }),
      source('GitRepository', 'no-secret', { url: gitUrl, secretRef: { name: 'nix' } }),
      source('GitRepository', 'other', { url: 'https://git.test/other', ref: { branch: 'main' } }),
      source('OCIRepository', 'no-tag', { url: cilium, ref: { tag: '9.9.9' } }),
      source('OCIRepository', 'no-host', { url: 'oci://example.com/a/b', ref: { tag: '1' } }),
      source('HelmRepository', 'no-index', { url: 'https://example.com/charts' }),
      source('HelmChart', 'no-version', {
        chart: 'kubelet-csr-approver',
        version: '9.9.9',
        sourceRef: { kind: 'HelmRepository', name: 'kubelet-csr-approver' },
      }),
      source('Bucket', 'no-player', { bucketName: 'x', endpoint: 's3.test' }),
    )
    await untilReady('helmrepository', 'no-index', /^False: failed to fetch Helm repository index: .*403/)
    await untilReady('helmchart', 'no-version', /^False: invalid chart reference: .*'9.9.9' found/)
    await untilReady('bucket', 'no-player', /^False: the lab has no buckets/)
    expect(status('sources')).toMatchObject({
      unplayed: ['Bucket flux-system/no-player'],
      simulated: expect.stringContaining('nobody plays Bucket flux-system/no-player'),
    })
    await untilReady(
      'gitrepository',
      'no-ref',
      /^False: failed to checkout and determine revision: .*refs\/heads\/nope/,
    )
    await untilReady('gitrepository', 'no-secret', /^False: failed to get secret 'flux-system\/nix'/)
    await untilReady('gitrepository', 'other', /^False: failed to checkout/)
    await untilReady('ocirepository', 'no-tag', /^False: failed to determine artifact digest: .*MANIFEST_UNKNOWN/)
    await untilReady('ocirepository', 'no-host', /^False: failed to determine artifact digest: .*403/)
    cluster.lab.setFaults([{ name: 'registry-down', params: { mode: '500' } }])
    const stderr = await flux('reconcile', 'source', 'oci', 'cert-manager', '--timeout=5s').then(
      () => '',
      (error: { stderr: string }) => error.stderr,
    )
    expect(stderr).not.toContain('fetched revision')
    await untilReady('ocirepository', 'cert-manager', /^False: .*unexpected status code 500/)
    cluster.lab.setFaults([])
    await untilReady('ocirepository', 'cert-manager', /^True/)
  })
})

describe('processes stand for pods', () => {
  const controller = () =>
    (status('flux') as unknown as { controllers: Record<string, { pid: number | null; pod: string | null }> })
      .controllers['kustomize-controller']

  test('a deleted pod restarts the process, a Deployment at zero ends it', async () => {
    const before = controller()
    await cluster.kubectl('-n', 'flux-system', 'delete', 'pod', '-l', 'app=kustomize-controller', '--wait=false')
    await cluster.until('another process for another pod', async () => {
      const now = controller()
      return now?.pid && now.pid !== before?.pid && now.pod !== before?.pod
    })
    await cluster.kubectl('-n', 'flux-system', 'scale', 'deployment', 'kustomize-controller', '--replicas=0')
    await cluster.until('no process', async () => controller()?.pid === null)
    await cluster.kubectl('-n', 'flux-system', 'scale', 'deployment', 'kustomize-controller', '--replicas=1')
    await cluster.until('a process again', async () => controller()?.pid !== null)
  })

  test('without source-controller nothing is fetched', async () => {
    await cluster.kubectl('-n', 'flux-system', 'scale', 'deployment', 'source-controller', '--replicas=0')
    await cluster.until('not running', async () => status('sources').running === false)
    await expect(fetch(`http://${cluster.lab.spec.base}:9090/`)).rejects.toThrow()
    await cluster.kubectl('-n', 'flux-system', 'scale', 'deployment', 'source-controller', '--replicas=1')
    await cluster.until('running', async () => status('sources').running === true)
  })
})

describe('operators', () => {
  test('certificates are issued by the issuer that is asked, once it is ready', async () => {
    const group = 'cert-manager.io/v1'
    const certificate = (name: string, spec: object) => ({
      apiVersion: group,
      kind: 'Certificate',
      metadata: { name, namespace: 'cert-manager' },
      spec: { secretName: name, ...spec },
    })
    await cluster.kubectl('create', 'namespace', 'cert-manager')
    await cluster.apply(
      certificate('web', { dnsNames: ['web.test'], issuerRef: { kind: 'ClusterIssuer', name: 'internal' } }),
      { apiVersion: group, kind: 'ClusterIssuer', metadata: { name: 'internal' }, spec: { ca: { secretName: 'ca' } } },
    )
    await untilReady('clusterissuer', 'internal', /^False: Error getting keypair for CA issuer: secrets "ca" not found/)
    await cluster.apply(
      { apiVersion: group, kind: 'ClusterIssuer', metadata: { name: 'self' }, spec: { selfSigned: {} } },
      certificate('ca', { isCA: true, commonName: 'lab', issuerRef: { kind: 'ClusterIssuer', name: 'self' } }),
    )
    await untilReady('certificate', 'web', /^True: Certificate is up to date/, 'cert-manager')
    const keys = await cluster.get<{ data: Record<string, string> }>('-n', 'cert-manager', 'secret', 'web')
    expect(Object.keys(keys.data).sort()).toEqual(['ca.crt', 'tls.crt', 'tls.key'])
  })

  test('a store is valid once Connect runs, then secrets are synced', async () => {
    await helm(
      'external-secrets',
      'oci://ghcr.io/external-secrets/charts/external-secrets',
      '2.4.0',
      {},
      'external-secrets',
    )
    const token = { name: 'token', namespace: 'external-secrets', key: 'token' }
    const host = 'http://onepassword-connect.external-secrets.svc.cluster.local:8080'
    const onepassword = { connectHost: host, vaults: { lab: 1 }, auth: { secretRef: { connectTokenSecretRef: token } } }
    const group = 'external-secrets.io/v1'
    await cluster.apply(
      {
        apiVersion: group,
        kind: 'ClusterSecretStore',
        metadata: { name: 'onepassword' },
        spec: { provider: { onepassword } },
      },
      {
        apiVersion: group,
        kind: 'ExternalSecret',
        metadata: { name: 'app', namespace: 'default' },
        spec: {
          secretStoreRef: { kind: 'ClusterSecretStore', name: 'onepassword' },
          data: [{ secretKey: 'PASSWORD', remoteRef: { key: 'app', property: 'password' } }],
        },
      },
    )
    await untilReady('clustersecretstore', 'onepassword', /^False: unable to create client: secrets "token" not found/)
    await cluster.kubectl('-n', 'external-secrets', 'create', 'secret', 'generic', 'token', '--from-literal=token=t')
    await untilReady('clustersecretstore', 'onepassword', /^False: unable to validate store/)
    await helm('onepassword-connect', 'oci://ghcr.io/1password/connect', '2.4.1', {}, 'external-secrets')
    await untilReady('externalsecret', 'app', /^True: secret synced/, 'default')
    const { data } = await cluster.get<{ data: Record<string, string> }>('-n', 'default', 'secret', 'app')
    expect(Buffer.from(data.PASSWORD ?? '', 'base64').toString('utf8')).toMatch(/^[\w-]{20,}$/)
  })

  test("Cilium's CRDs come with its operator", async () => {
    await expect(cluster.kubectl('get', 'crd', 'ciliumnodes.cilium.io')).rejects.toThrow('not found')
    await helm('cilium', 'oci://quay.io/cilium/charts/cilium', '1.19.3', {}, 'kube-system')
    await cluster.until('a CiliumNode each', async () => {
      const nodes = await cluster.get<{ items: unknown[] }>('ciliumnodes')
      return nodes.items.length === 3
    })
  })
})

describe('faults', () => {
  test('flux-never-ready holds one object back for as long as it is on', async () => {
    cluster.lab.setFaults([{ name: 'flux-never-ready', params: { name: 'flux-system/secret' } }])
    await untilReady('kustomization', 'secret', /^False: .*flux-never-ready/)
    await expect(flux('reconcile', 'kustomization', 'secret', '--timeout=8s')).rejects.toThrow()
    expect(await readiness('kustomization', 'secret')).not.toMatch(/^True/)
    cluster.lab.setFaults([])
    await flux('reconcile', 'kustomization', 'secret')
    await untilReady('kustomization', 'secret', /^True/)
  })

  test('flux-never-ready without a name leaves source-controller without a node', async () => {
    cluster.lab.setFaults([{ name: 'flux-never-ready' }])
    await untilReady('fluxinstance', 'flux', /^Unknown: Reconciliation in progress/)
    await cluster.until('a pending pod', async () => {
      const pods = await cluster.kubectl('-n', 'flux-system', 'get', 'pods', '-l', 'app=source-controller')
      return /Pending/.test(pods)
    })
    cluster.lab.setFaults([])
    await untilReady('fluxinstance', 'flux', /^True/)
  })

  test('webhook-timeout makes writes of its kinds time out, and no others', async () => {
    cluster.lab.setFaults([{ name: 'webhook-timeout' }])
    const issuer = {
      apiVersion: 'cert-manager.io/v1',
      kind: 'ClusterIssuer',
      metadata: { name: 'late' },
      spec: { selfSigned: {} },
    }
    await cluster.until('the webhook', () =>
      cluster.kubectl('get', 'validatingwebhookconfiguration', 'lab-webhook-timeout'),
    )
    await expect(cluster.apply(issuer)).rejects.toThrow(
      /failed calling webhook "webhook.cert-manager.io".*deadline exceeded/s,
    )
    await cluster.apply({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'x', namespace: 'default' },
      data: {},
    })
    cluster.lab.setFaults([])
    await cluster.until('writes again', () => cluster.apply(issuer).then(() => true))
  })
})
