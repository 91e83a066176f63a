/**
 * Flux on a real control plane, without machines: the real kustomize- and helm-controller, the lab's sources and operators, and the command
 * line on top of it. A minute, where a bootstrapped lab takes several.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { commands, topics } from '../../src/commands/index.ts'
import type { Services } from '../../src/lib/cli/services.ts'
import { readAccess } from '../../src/lib/kube/kubeconfig.ts'
import { startFluxControllers } from '../../src/lib/lab/flux/index.ts'
import { startOperators } from '../../src/lib/lab/operators/index.ts'
import { startRegistry } from '../../src/lib/lab/registry/index.ts'
import { startSources } from '../../src/lib/lab/sources/index.ts'
import type { Part } from '../../src/lib/lab/types.ts'
import { resolveTool } from '../../src/lib/tools/resolve.ts'
import { createServices } from '../../src/services.ts'
import { clusterNamed, type Ended, rolloutPolicy, runCli } from './cli.ts'
import { repositoryRoot } from './lab.ts'
import { clusterTools, commit, makeRepository, startTestCluster, type TestCluster } from './test-cluster.ts'

const run = promisify(execFile)
const tools = [...clusterTools, 'kustomize', 'helm', 'flux', 'flux-crds', 'kustomize-controller', 'helm-controller']
const charts = 'oci://ghcr.io/controlplaneio-fluxcd/charts'

/** The lab's registry serves the charts that the repository names when it starts. */
const chart = (name: string, url: string, tag: string) => `apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {name: ${name}, namespace: flux-system}
spec:
  interval: 1h
  url: ${url}
  ref: {tag: ${tag}}
  layerSelector: {mediaType: application/vnd.cncf.helm.chart.content.v1.tar+gzip, operation: copy}
`
export const servedCharts = {
  'kubernetes/bootstrap/operator.yaml': chart('flux-operator', `${charts}/flux-operator`, '0.59.0'),
  'kubernetes/bootstrap/instance.yaml': chart('flux-instance', `${charts}/flux-instance`, '0.59.0'),
  'kubernetes/bootstrap/coredns.yaml': chart('coredns', 'oci://ghcr.io/coredns/charts/coredns', '1.45.2'),
  'kubernetes/bootstrap/secrets.yaml': chart(
    'external-secrets',
    'oci://ghcr.io/external-secrets/charts/external-secrets',
    '2.4.0',
  ),
}

export interface FluxCluster {
  cluster: TestCluster
  /** The working tree that the GitRepository `flux-system` serves. */
  root: string
  /** The command line in this process, on this cluster. */
  k8sops: (...args: string[]) => Promise<Ended>
  flux: (...args: string[]) => Promise<string>
  /** Writes files, commits them, and has the source fetched. */
  push: (files: Record<string, string>, message: string) => Promise<void>
  /** `True: message` of an object's Ready condition. */
  readiness: (kind: string, name: string, namespace?: string) => Promise<string>
  untilReady: (kind: string, name: string, pattern: RegExp, namespace?: string, seconds?: number) => Promise<unknown>
  stop: () => Promise<void>
}

export interface FluxClusterOptions {
  /** What its source follows; `main` unless it says otherwise. */
  branch?: string
  /** URL of a remote that the repository is a clone of; it has to have `servedCharts`. Then no files are made. */
  remote?: string
}

/**
 * @param number third octet of its loopback addresses; each test file has its own
 * @param files of the repository; `kubernetes/flux` is what the FluxInstance syncs
 */
export async function startFluxCluster(
  number: number,
  files: Record<string, string>,
  { branch = 'main', remote }: FluxClusterOptions = {},
): Promise<FluxCluster> {
  const found = Object.fromEntries(
    tools.map((name) => {
      const tool = resolveTool(name)
      if (!tool) throw new Error(`${name} is not built: run npm run setup`)
      return [name, tool.path]
    }),
  )
  const dir = await mkdtemp(join(tmpdir(), 'k8sops-flux-'))
  const root = join(dir, 'repo')
  const parts: Part[] = []
  if (remote) await run('git', ['clone', '--quiet', '--mirror', remote, join(root, '.git')])
  if (remote) await run('git', ['-C', root, 'config', 'core.bare', 'false'])
  if (remote) await run('git', ['-C', root, 'reset', '--quiet', '--hard'])
  else await makeRepository(dir, { ...servedCharts, ...files })
  const cluster = await startTestCluster(dir, number, found)
  const kubeconfig = cluster.lab.adminKubeconfig
  const environment = {
    PATH: process.env.PATH ?? '',
    HOME: dir,
    KUBECONFIG: kubeconfig,
    HTTPS_PROXY: `http://${cluster.lab.spec.base}:3128`,
    SSL_CERT_FILE: join(dir, 'pki/proxy-ca.crt'),
  }
  const helm = async (name: string, values: object) => {
    const file = join(dir, `values-${name}.json`)
    await writeFile(file, JSON.stringify(values))
    const where = ['-n', 'flux-system', '-f', file, '--wait', '--timeout', '90s']
    await run(found.helm ?? '', ['upgrade', '--install', name, `${charts}/${name}`, '--version', '0.59.0', ...where], {
      env: environment,
    })
  }
  const flux = async (...args: string[]) => {
    const { stdout, stderr } = await run(found.flux ?? '', ['--timeout=60s', ...args], { env: environment })
    return stdout + stderr
  }
  const readiness = (kind: string, name: string, namespace = 'flux-system') => {
    const at = '.status.conditions[?(@.type=="Ready")]'
    const path = `jsonpath={${at}.status}: {${at}.message}`
    return cluster.kubectl('-n', namespace, 'get', kind, name, '-o', path)
  }
  const untilReady: FluxCluster['untilReady'] = (kind, name, pattern, namespace, seconds = 90) =>
    cluster.until(
      `${kind}/${name} ${pattern}`,
      async () => pattern.test(await readiness(kind, name, namespace)),
      seconds,
    )
  const stop = async () => {
    for (const part of parts.reverse()) await part.stop()
    await cluster.stop()
    await rm(dir, { recursive: true, force: true, maxRetries: 5 })
  }
  try {
    for (const start of [startRegistry, startSources, startFluxControllers, startOperators])
      parts.push(await start(cluster.lab))
    await cluster.kubectl('create', 'namespace', 'flux-system')
    const key = ['--from-literal=identity=x', '--from-literal=known_hosts=y']
    await cluster.kubectl('-n', 'flux-system', 'create', 'secret', 'generic', 'deploy-key', ...key)
    await helm('flux-operator', {})
    const sync = { kind: 'GitRepository', url: 'ssh://git@git.test/k8s-ops.git', ref: `refs/heads/${branch}` }
    await helm('flux-instance', { instance: { sync: { ...sync, path: 'kubernetes/flux', pullSecret: 'deploy-key' } } })
    await untilReady('kustomization', 'flux-system', /^True/)
  } catch (error) {
    await stop()
    throw error
  }
  const services = await servicesOf(root, dir, kubeconfig)
  return {
    cluster,
    root,
    flux,
    readiness,
    untilReady,
    stop,
    k8sops: (...args) =>
      runCli([...args, '--cluster', 'test'], { services, entries: commands, topics, env: process.env, cwd: root }),
    async push(changed, message) {
      for (const [path, text] of Object.entries(changed)) await writeFile(join(root, path), text)
      await commit(root, message)
      await flux('reconcile', 'source', 'git', 'flux-system')
    },
  }
}

/** The real services; only what stands in a repository's own files is given. */
export async function servicesOf(root: string, dir: string, kubeconfig: string): Promise<Services> {
  const real = createServices(join(repositoryRoot, 'bin'))
  const context = JSON.parse(
    (await run(resolveTool('kubectl')?.path ?? '', ['--kubeconfig', kubeconfig, 'config', 'view', '-o', 'json']))
      .stdout,
  )['current-context'] as string
  const access = await readAccess(kubeconfig, context)
  const server = access.ok ? access.value.server : ''
  const cluster = clusterNamed('test', { context, endpoint: server, vip: new URL(server).hostname })
  const target = {
    cluster: 'test',
    root,
    kubeconfig,
    context,
    talosconfig: 'talosconfig',
    env: {},
    stateDir: join(dir, 'state'),
    snapshotDir: join(dir, 'snapshots'),
    timeScale: 1,
  }
  const repository = {
    root,
    defaultCluster: 'test',
    rollout: rolloutPolicy,
    upgrade: { order: 'workers-first' as const },
    ageKey: 'op://a/b/c',
    clusters: [cluster],
    problems: [],
  }
  return {
    ...real,
    openRepository: async () => repository,
    openTarget: async () => ({ repository, cluster, target }),
  }
}
