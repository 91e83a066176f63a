/**
 * `cluster status --cluster all` beside one cluster alone, and beside what it replaces: flux asked of one cluster after the other. Two labs
 * whose API servers run, with 100 Kustomizations and 100 HelmReleases each; then with many pods, which must not cost memory. And suspending
 * one application beside `flux suspend`.
 *
 * K8SOPS_BENCH_PODS: how many pods (default 50000).
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { labDirectory } from '../src/lib/config/target.ts'
import { type LabApi, openApi } from '../src/lib/lab/api.ts'
import { adminKubeconfigFile } from '../src/lib/lab/control-plane/configuration.ts'
import { resolveTool } from '../src/lib/tools/resolve.ts'
import { cli, compare, row, run, timeAndResources } from './measure.ts'

const clusters = ['infra', 'apps']
const lab = ['--lab', '--lab-name', 'bench-status']
const objects = 100
const pods = Number(process.env.K8SOPS_BENCH_PODS ?? 50_000)
const rounds = 5
/** Not all is well in labs without nodes. */
const ends = [0, 3]

export async function benchStatus(): Promise<void> {
  const state = mkdtempSync(join(tmpdir(), 'k8sops-bench-status-'))
  process.env.XDG_STATE_HOME = state
  const k8sops = (...args: string[]) => run({ name: args.join(' '), command: [process.execPath, cli, ...args] })
  try {
    for (const cluster of clusters) {
      k8sops('lab', 'up', '--cluster', cluster, '--lab-name', 'bench-status', '--pace', '0.1')
      k8sops('bootstrap', '--cluster', cluster, ...lab, '--until', 'nodes/registered')
    }
    const apis = await Promise.all(clusters.map((cluster) => openApi(adminKubeconfigFile(directory(cluster)))))
    await Promise.all(apis.map(fill))
    against()
    await suspend(apis[1] as LabApi)
    const before = timeAndResources(status('all'), ends)
    await manyPods(apis[0] as LabApi)
    const after = timeAndResources(status('all'), ends)
    row(
      `memory with ${pods} pods / without`,
      `${after.mb.toFixed(0)} / ${before.mb.toFixed(0)} MB`,
      '<= 1.2',
      after.mb <= 1.2 * before.mb,
    )
    row(`time with ${pods} pods`, `${after.seconds.toFixed(2)} s`, 'beside', true)
  } finally {
    for (const cluster of clusters) k8sops('lab', 'down', '--cluster', cluster, '--lab-name', 'bench-status')
    rmSync(state, { recursive: true, force: true })
  }
}

const directory = (cluster: string) => labDirectory(process.env, 'bench-status', cluster)
const status = (cluster: string) => ['cluster', 'status', '--cluster', cluster, ...lab, '-o', 'json']

function against(): void {
  const flux = resolveTool('flux')?.path ?? 'flux'
  const own = clusters.map((cluster) => ({ name: cluster, command: [process.execPath, cli, ...status(cluster)], ends }))
  const fluxes = clusters.map((cluster) => ({
    name: `flux ${cluster}`,
    command: [flux, 'get', 'all', '-A', '--kubeconfig', adminKubeconfigFile(directory(cluster))],
    // It ends with 1 where a kind is not served; it has listed the others.
    ends: [0, 1],
  }))
  const all = { name: 'all', command: [process.execPath, cli, ...status('all')], ends }
  const times = compare([all, ...own, ...fluxes], rounds)
  const of = (name: string) => times[name] ?? Number.NaN
  const slowest = Math.max(...clusters.map(of))
  const after = clusters.reduce((sum, cluster) => sum + of(`flux ${cluster}`), 0)
  const ratio = (left: number, right: number) =>
    `${left.toFixed(0)} / ${right.toFixed(0)} ms = ${(left / right).toFixed(2)}`
  row('cluster status of both / of the slower one', ratio(of('all'), slowest), '<= 1.5', of('all') <= 1.5 * slowest)
  row(
    'cluster status of both / flux get all -A one after the other',
    ratio(of('all'), after),
    '<= 0.6',
    of('all') <= 0.6 * after,
  )
}

/**
 * The whole command, lock and reading back included, beside the two commands of flux that hold the same application, a Kustomization and its
 * HelmRelease as every one here; flux does neither. Each is undone in between.
 */
async function suspend(api: LabApi): Promise<void> {
  const app = 'bench'
  const namespace = 'flux-system'
  const owner = { 'kustomize.toolkit.fluxcd.io/name': app, 'kustomize.toolkit.fluxcd.io/namespace': namespace }
  const free = ({ apiVersion, kind, spec }: ReturnType<typeof kustomization | typeof helmRelease>, labels: object) => {
    return { apiVersion, kind, metadata: { name: app, namespace, labels }, spec: { ...spec, suspend: false } }
  }
  // Its connection may have been closed while nobody asked for anything.
  await untilServed(() => api.apply(free(kustomization(0), {})))
  await untilServed(() => api.apply(free(helmRelease(0), owner)))
  const own = (verb: string, ...words: string[]) => ({
    name: verb,
    command: [process.execPath, cli, 'flux', verb, app, ...words, '--cluster', 'apps', ...lab],
  })
  const access = `--kubeconfig ${adminKubeconfigFile(directory('apps'))}`
  const tool = (name: string) => resolveTool(name)?.path ?? name
  const both = (commandOn: (kind: string) => string) => {
    return ['sh', '-c', ['kustomization', 'helmrelease'].map(commandOn).join(' && ')]
  }
  const peer = {
    name: 'flux',
    command: both((kind) => `${tool('flux')} suspend ${kind} ${app} -n ${namespace} ${access}`),
  }
  const running = `-n ${namespace} --type merge -p '{"spec":{"suspend":false}}'`
  const undone = {
    name: 'undone',
    command: both((kind) => `${tool('kubectl')} patch ${kind} ${app} ${running} ${access}`),
  }
  const times = compare([own('suspend', '--for', '1h'), own('resume'), peer, undone], rounds)
  for (const verb of ['suspend', 'resume']) {
    const [whole = Number.NaN, bare = Number.NaN] = [times[verb], times.flux]
    // `flux resume` also waits for a controller, which these labs don't have.
    const figure = `${whole.toFixed(0)} / ${bare.toFixed(0)} ms = ${(whole / bare).toFixed(2)}`
    row(`${verb} one application / flux suspend of both its objects`, figure, '<= 1.5', whole <= 1.5 * bare)
  }
}

/** Flux' kinds and so many objects of them, Ready as their controllers leave them. */
async function fill(api: LabApi): Promise<void> {
  const files = resolveTool('flux-crds')?.path
  if (!files) throw new Error('flux-crds is not built; run tools/setup')
  for (const group of ['kustomize', 'helm', 'source'])
    for (const kind of kindsOf[group] ?? []) {
      const text = readFileSync(join(files, `${group}.toolkit.fluxcd.io_${kind}.yaml`), 'utf8')
      for (const document of parseAllDocuments(text)) await api.apply(document.toJS())
    }
  const flux = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'flux-system' } }
  await api.apply(flux)
  for (let index = 0; index < objects; index++) {
    await untilServed(() => api.apply(kustomization(index)))
    await untilServed(() => api.apply(helmRelease(index)))
  }
}

const kindsOf: Record<string, string[]> = {
  kustomize: ['kustomizations'],
  helm: ['helmreleases'],
  source: ['gitrepositories', 'ocirepositories', 'helmrepositories', 'helmcharts', 'buckets', 'externalartifacts'],
}

const note = {
  'k8sops.dev/hold-id': 'bench',
  'k8sops.dev/hold-owner': 'bench@bench',
  'k8sops.dev/hold-until': '2999-01-01T00:00:00Z',
}
const kustomization = (index: number) => ({
  apiVersion: 'kustomize.toolkit.fluxcd.io/v1',
  kind: 'Kustomization',
  metadata: { name: `app-${index}`, namespace: 'flux-system', annotations: note },
  spec: {
    interval: '1h',
    path: `./app-${index}`,
    prune: true,
    suspend: true,
    sourceRef: { kind: 'GitRepository', name: 'x' },
  },
})
const helmRelease = (index: number) => ({
  apiVersion: 'helm.toolkit.fluxcd.io/v2',
  kind: 'HelmRelease',
  metadata: { name: `app-${index}`, namespace: 'flux-system', annotations: note },
  spec: {
    interval: '1h',
    suspend: true,
    chartRef: { kind: 'OCIRepository', name: 'x' },
    values: { text: 'x'.repeat(2000) },
  },
})

/** A CRD that was made this moment is served a moment later. */
async function untilServed(write: () => Promise<unknown>): Promise<void> {
  const deadline = Date.now() + 60_000
  for (;;) {
    try {
      await write()
      return
    } catch (error) {
      if (Date.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
}

/** Nobody schedules them: they cost what they cost in the API server, and nothing else. */
async function manyPods(api: LabApi): Promise<void> {
  await api.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'crowd' } })
  let next = 0
  const worker = async () => {
    while (next < pods) {
      const index = next++
      await untilServed(() =>
        api.create({
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { name: `pod-${index}`, namespace: 'crowd', labels: { app: `app-${index % 100}` } },
          spec: {
            schedulerName: 'nobody',
            automountServiceAccountToken: false,
            containers: [{ name: 'main', image: 'none', env: [{ name: 'TEXT', value: 'x'.repeat(500) }] }],
          },
        }),
      )
    }
  }
  await Promise.all(Array.from({ length: 16 }, worker))
}

if (import.meta.main) await benchStatus()
