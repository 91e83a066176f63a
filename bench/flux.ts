/**
 * `flux status` of two clusters beside `flux get all -A` of one after the other, its memory with 5,000 Kustomizations, and `why` among 200
 * applications: on a real API server that is full of Flux' objects. Suspending is measured with `cluster status`, in its labs, because only a
 * cluster of the repository is written to.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readAccess } from '../src/lib/kube/kubeconfig.ts'
import { resolveTool } from '../src/lib/tools/resolve.ts'
import { clusterTools, startTestCluster, type TestCluster } from '../test/helpers/test-cluster.ts'
import { cli, compare, row, run, timeAndResources } from './measure.ts'

const rounds = 5
const tools = [...clusterTools, 'flux', 'flux-crds']
const contexts = ['infra', 'apps']

const pathOf = (name: string): string => {
  const tool = resolveTool(name)
  if (!tool) throw new Error(`${name} is not built: run npm run setup`)
  return tool.path
}

export async function benchFlux(): Promise<void> {
  const paths = Object.fromEntries(tools.map((name) => [name, pathOf(name)]))
  const dir = mkdtempSync(join(tmpdir(), 'k8sops-bench-flux-'))
  const cluster = await startTestCluster(dir, 215, paths)
  try {
    const kubeconfig = await twoContexts(cluster, dir)
    await cluster.kubectl('apply', '--server-side', '-f', paths['flux-crds'] ?? '')
    await cluster.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s')
    await fill(cluster, 0, 200)
    measureStatus(kubeconfig, paths.flux ?? '')
    await fill(cluster, 200, 5000)
    process.env.KUBECONFIG = kubeconfig
    const { mb, seconds } = timeAndResources(['flux', 'status', '--cluster', 'apps', '-o', 'name'])
    row(
      'flux status of 5,000 Kustomizations, memory',
      `${mb.toFixed(0)} MB in ${seconds.toFixed(1)} s`,
      '<= 150',
      mb <= 150,
    )
  } finally {
    await cluster.stop()
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** The same API server under the names of both clusters. */
export async function twoContexts(cluster: TestCluster, dir: string): Promise<string> {
  const config = JSON.parse(await cluster.kubectl('config', 'view', '--raw', '-o', 'json')) as {
    contexts: { context: object }[]
  }
  const file = join(dir, 'two.kubeconfig')
  const both = contexts.map((name) => ({ name, context: config.contexts[0]?.context }))
  writeFileSync(file, JSON.stringify({ ...config, contexts: both, 'current-context': 'apps' }))
  return file
}

function measureStatus(kubeconfig: string, flux: string): void {
  const env = { KUBECONFIG: kubeconfig }
  const oneAfterTheOther = contexts.map((context) => `${flux} get all -A --context ${context} > /dev/null`).join(' && ')
  const times = compare(
    [
      { name: 'k8sops', command: [process.execPath, cli, 'flux', 'status', '--cluster', 'all'], env },
      { name: 'flux', command: ['sh', '-c', oneAfterTheOther], env },
      { name: 'why', command: [process.execPath, cli, 'why', 'app-7', '--cluster', 'apps'], env },
    ],
    rounds,
  )
  const { k8sops = Number.NaN, flux: peer = Number.NaN, why = Number.NaN } = times
  const ratio = k8sops / peer
  row(
    'flux status --cluster all / flux get all -A, twice',
    `${k8sops.toFixed(0)} / ${peer.toFixed(0)} ms = ${ratio.toFixed(2)}`,
    '<= 0.6',
    ratio <= 0.6,
  )
  row('why among 200 applications', `${why.toFixed(0)} ms`, '< 1000', why < 1000)
}

/** Kustomizations and HelmReleases with the status that Flux would give them; every tenth has an inventory of fifty objects. */
export async function fill(cluster: TestCluster, from: number, to: number): Promise<void> {
  const kubeconfig = cluster.lab.adminKubeconfig
  const context = (JSON.parse(await cluster.kubectl('config', 'view', '-o', 'json')) as { 'current-context': string })[
    'current-context'
  ]
  const access = await readAccess(kubeconfig, context)
  if (!access.ok) throw new Error(access.detail)
  const { server, secureContext } = access.value
  const agent = new Agent({ keepAlive: true, secureContext })
  const send = (method: string, path: string, body: object): Promise<{ metadata: { resourceVersion: string } }> => {
    const { promise, resolve, reject } = Promise.withResolvers<never>()
    const sent = request(
      new URL(path, server),
      { method, agent, headers: { 'content-type': 'application/json' } },
      async (answer) => {
        const chunks: Buffer[] = []
        for await (const chunk of answer) chunks.push(chunk as Buffer)
        const text = Buffer.concat(chunks).toString()
        if ((answer.statusCode ?? 500) >= 300 && answer.statusCode !== 409) reject(new Error(text))
        else resolve(JSON.parse(text) as never)
      },
    )
    sent.on('error', reject)
    sent.end(JSON.stringify(body))
    return promise
  }
  if (from === 0) await cluster.kubectl('create', 'namespace', 'flux-system')
  const make = async (index: number) => {
    const all = [
      kustomizationOf(index),
      ...(index < 200 ? [releaseOf(index), sourceOf('OCIRepository', `app-${index}`, '1.3.0@sha256:00')] : []),
      ...(index === 0 ? [sourceOf('GitRepository', 'flux-system', revision)] : []),
    ]
    for (const { path, body, status } of all) {
      const { metadata } = await send('POST', path, body)
      const name = body.metadata.name
      await send('PUT', `${path}/${name}/status`, { ...body, metadata: { ...body.metadata, ...metadata }, status })
    }
  }
  const lanes = Array.from({ length: 16 }, async (_, lane) => {
    for (let index = from + lane; index < to; index += 16) await make(index)
  })
  await Promise.all(lanes)
}

const ready = (message: string) => [
  {
    type: 'Ready',
    status: 'True',
    reason: 'ReconciliationSucceeded',
    message,
    lastTransitionTime: '2026-11-30T10:00:00Z',
    observedGeneration: 1,
  },
]
/** Of this very repository, as clusters have it: its distance from the branch is counted. */
const revision = `main@sha1:${run({ name: 'head', command: ['git', 'rev-parse', 'HEAD'] }).stdout.trim()}`

function kustomizationOf(index: number) {
  const name = `app-${index}`
  const entries = Array.from({ length: index % 10 === 0 ? 50 : 5 }, (_, entry) => ({
    id: `app_${name}-${entry}_apps_Deployment`,
    v: 'v1',
  }))
  const releases = index < 200 ? [{ id: `flux-system_${name}_helm.toolkit.fluxcd.io_HelmRelease`, v: 'v2' }] : []
  const patch =
    'apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: x}\nspec: {driftDetection: {mode: enabled}}\n'
  return {
    path: '/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations',
    body: {
      apiVersion: 'kustomize.toolkit.fluxcd.io/v1',
      kind: 'Kustomization',
      metadata: { name, namespace: 'flux-system' },
      spec: {
        interval: '5m',
        path: `./${name}`,
        prune: true,
        sourceRef: { kind: 'GitRepository', name: 'flux-system' },
        patches: [{ patch }],
      },
    },
    status: {
      observedGeneration: 1,
      lastAppliedRevision: revision,
      lastAttemptedRevision: revision,
      conditions: ready(`Applied revision: ${revision}`),
      inventory: { entries: [...entries, ...releases] },
    },
  }
}

/** What `why` looks at when nothing is broken. */
function sourceOf(kind: 'GitRepository' | 'OCIRepository', name: string, stored: string) {
  const plural = kind === 'GitRepository' ? 'gitrepositories' : 'ocirepositories'
  const url = kind === 'GitRepository' ? 'ssh://git@git.test/k8s-ops.git' : `oci://registry.test/${name}`
  const artifact = {
    revision: stored,
    digest: `sha256:${'d'.repeat(64)}`,
    path: 'x',
    url: 'http://source/x',
    lastUpdateTime: '2026-11-30T10:00:00Z',
  }
  return {
    path: `/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/${plural}`,
    body: {
      apiVersion: 'source.toolkit.fluxcd.io/v1',
      kind,
      metadata: { name, namespace: 'flux-system' },
      spec: { interval: '1h', url },
    },
    status: { observedGeneration: 1, conditions: ready('stored artifact'), artifact },
  }
}

function releaseOf(index: number) {
  const name = `app-${index}`
  const history = [1, 2, 3].map((version) => ({
    digest: `sha256:${'b'.repeat(64)}`,
    name,
    namespace: 'flux-system',
    version,
    status: version === 3 ? 'deployed' : 'superseded',
    chartName: 'app',
    chartVersion: `1.${version}.0`,
    configDigest: `sha256:${'c'.repeat(64)}`,
    firstDeployed: '2026-11-30T10:00:00Z',
    lastDeployed: '2026-11-30T10:00:00Z',
  }))
  return {
    path: '/apis/helm.toolkit.fluxcd.io/v2/namespaces/flux-system/helmreleases',
    body: {
      apiVersion: 'helm.toolkit.fluxcd.io/v2',
      kind: 'HelmRelease',
      metadata: { name, namespace: 'flux-system' },
      spec: { interval: '1h', chartRef: { kind: 'OCIRepository', name }, values: { a: 'x'.repeat(500) } },
    },
    status: { observedGeneration: 1, conditions: ready('Helm upgrade succeeded'), history: history.toReversed() },
  }
}
