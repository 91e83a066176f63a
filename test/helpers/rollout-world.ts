/**
 * Two clusters that follow two branches of a real remote, and the command line on them with a clock of its own. Flux is played: a cluster that
 * is not kept runs what its branch says. Git, engine, gates and journal are the real ones.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { commands, topics } from '../../src/commands/index.ts'
import { createGates } from '../../src/gates.ts'
import type { Services } from '../../src/lib/cli/services.ts'
import type { Repository } from '../../src/lib/config/load.ts'
import type { LeasePort } from '../../src/lib/engine/ports.ts'
import { childEnvironment } from '../../src/lib/exec/environment.ts'
import { createExec } from '../../src/lib/exec/exec.ts'
import { createRedactor } from '../../src/lib/exec/redact.ts'
import type { KubeObject, KubePort, RolloutPolicy } from '../../src/lib/types.ts'
import { createServices } from '../../src/services.ts'
import { clusterNamed, type Ended, rolloutPolicy, runCli } from './cli.ts'
import { stillBasis } from './engine-world.ts'
import { type GitServer, gitEnv, gitIn, startGitServer } from './git-server.ts'
import { createMemoryLeases } from './memory-lease.ts'

const root = join(import.meta.dirname, '../..')

export interface PlayedCluster {
  /** What its Kustomization runs. */
  revision: string
  /** It takes no new commit. */
  kept: boolean
  /** Objects beside the one Kustomization, by kind. */
  objects: KubeObject[]
  /** Changes the Kustomization as it is shown. */
  shown: (kustomization: KubeObject) => KubeObject
  /** It does not answer. */
  away: boolean
}

export interface RolloutWorld {
  server: GitServer
  /** A clone of jane's. */
  clone: string
  infra: PlayedCluster
  apps: PlayedCluster
  policy: RolloutPolicy
  alerts: 'quiet' | 'firing' | 'unknown'
  /** Milliseconds since 1970. */
  now: number
  hours: (count: number) => void
  k8sops: (...args: string[]) => Promise<Ended>
  /** The same from another clone of the repository. */
  elsewhere: (clone: string, ...args: string[]) => Promise<Ended>
  /** Commits a file on main and pushes it; gives the commit. */
  commit: (subject: string, files?: Record<string, string>) => Promise<string>
  tip: (branch: string) => Promise<string>
  /** A tick now, and one at least every eight hours until so much time has passed. */
  soak: (hours: number) => Promise<Ended>
  record: () => { token: string; record?: string }
  stop: () => Promise<void>
}

export async function startRolloutWorld(): Promise<RolloutWorld> {
  const dir = mkdtempSync(join(tmpdir(), 'k8sops-rollout-'))
  const server = await startGitServer(dir)
  const clone = join(dir, 'clone')
  await gitIn(dir, 'clone', '--quiet', server.url, clone)
  await gitIn(clone, 'checkout', '--quiet', '-B', 'main')
  await write(clone, {
    'k8sops.yaml': 'kind: Repository\n',
    'kubernetes/memory.yaml': 'limit: 1\n',
    'kubernetes/cilium.yaml': 'version: 1\n',
  })
  await gitIn(clone, 'add', '--all')
  await gitIn(clone, 'commit', '--quiet', '--message', 'Begin')
  await gitIn(clone, 'push', '--quiet', 'origin', 'main', 'main:release')
  const begin = await gitIn(clone, 'rev-parse', 'HEAD')

  const played = (): PlayedCluster => ({ revision: begin, kept: false, objects: [], shown: (one) => one, away: false })
  const { port: leases } = createMemoryLeases()
  const world: RolloutWorld = {
    server,
    clone,
    infra: played(),
    apps: played(),
    // A tick takes half a second, and there is no more to see in three an hour.
    policy: { ...rolloutPolicy, tickMinutes: 4 * 60 },
    alerts: 'quiet',
    now: Date.parse('2026-12-01T00:00:00Z'),
    hours: (count) => {
      world.now += count * 3_600_000
    },
    k8sops: (...args) => world.elsewhere(clone, ...args),
    elsewhere: (where, ...args) =>
      runCli(args, {
        services: servicesOf(world, dir, where, leases),
        entries: commands,
        topics,
        env: { ...process.env, ...gitEnv },
        cwd: where,
      }),
    async commit(subject, files) {
      await gitIn(clone, 'checkout', '--quiet', 'main')
      await gitIn(clone, 'pull', '--quiet', '--ff-only', 'origin', 'main')
      await write(clone, files ?? { 'kubernetes/change.yaml': `${subject}\n` })
      await gitIn(clone, 'add', '--all')
      await gitIn(clone, 'commit', '--quiet', '--message', subject)
      await gitIn(clone, 'push', '--quiet', 'origin', 'main')
      return gitIn(clone, 'rev-parse', 'HEAD')
    },
    tip: (branch) => server.git('rev-parse', branch),
    async soak(hours) {
      let ended = await world.k8sops('rollout', 'tick')
      for (let left = hours; left > 0; left -= 8) {
        world.hours(Math.min(left, 8))
        ended = await world.k8sops('rollout', 'tick')
      }
      return ended
    },
    record: () => JSON.parse(readFileSync(join(dir, 'configmap.json'), 'utf8')).data,
    stop: async () => {
      await server.stop()
      rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
    },
  }
  const sync = async () => {
    if (!world.infra.kept) world.infra.revision = await world.tip('main')
    if (!world.apps.kept) world.apps.revision = await world.tip('release')
  }
  server.onPush = sync
  return world
}

async function write(directory: string, files: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true })
    await writeFile(join(directory, path), text)
  }
}

function servicesOf(world: RolloutWorld, dir: string, where: string, leases: LeasePort): Services {
  const infra = clusterNamed('infra', { follows: 'main' })
  const apps = clusterNamed('apps', { follows: 'release' })
  const repository: Repository = {
    root: where,
    defaultCluster: 'infra',
    rollout: { ...world.policy, order: ['infra', 'apps'] },
    upgrade: { order: 'workers-first' },
    ageKey: 'op://a/b/c',
    monitoring: { alerts: 'app.kubernetes.io/name=vmalertmanager' },
    clusters: [infra, apps],
    problems: [],
  }
  return {
    ...createServices(join(root, 'bin')),
    now: () => world.now,
    openRepository: async () => repository,
    openTarget: async (_, name) => ({
      repository,
      cluster: name === 'infra' ? infra : apps,
      target: {
        cluster: name,
        root: where,
        kubeconfig: join(dir, 'kubeconfig'),
        context: name,
        talosconfig: 'talosconfig',
        env: {},
        stateDir: join(where, '.k8sops'),
        snapshotDir: join(dir, 'snapshots'),
        timeScale: 1,
      },
    }),
    kube: async ({ cluster }) => kubeOf(world, cluster.name === 'infra' ? world.infra : world.apps, dir),
    gates: async (opened, ports) => createGates(opened, ports),
    lease: async () => leases,
    silences: async () => undefined,
    basis: () => stillBasis,
    contextServer: async () => 'https://10.0.0.10:6443',
    exec: async (_, { runId }) =>
      createExec({
        cwd: where,
        env: { PATH: process.env.PATH ?? '', HOME: dir, K8SOPS_CACHE: dir, ...gitEnv },
        toolEnv: childEnvironment(process.env, {}).toolEnv,
        redactor: createRedactor(),
        resolve: (tool) => {
          if (tool === 'git') return '/usr/bin/git'
          if (tool === 'kubectl') return [process.execPath, join(root, 'test/helpers/record-kubectl.ts')]
          return [process.execPath, join(root, 'bin/k8sops.js')]
        },
        ...(runId === undefined ? {} : { runId }),
      }),
  }
}

function kubeOf(world: RolloutWorld, played: PlayedCluster, dir: string): KubePort {
  const objects = (): KubeObject[] => {
    const stored = (() => {
      try {
        return JSON.parse(readFileSync(join(dir, 'configmap.json'), 'utf8')) as {
          annotations: Record<string, string>
          data: Record<string, string>
        }
      } catch {
        return undefined
      }
    })()
    const { annotations = {}, data = {} } = stored ?? {}
    const metadata = { name: 'k8sops-rollout', namespace: 'flux-system', annotations }
    return [
      played.shown(kustomization(played.revision, played === world.apps ? 'release' : 'main')),
      {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name: 'node-1' },
        status: { conditions: [{ type: 'Ready', status: 'True' }] },
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: {
          name: 'vmalertmanager',
          namespace: 'observability',
          labels: { 'app.kubernetes.io/name': 'vmalertmanager' },
        },
        spec: { ports: [{ name: 'http', port: 9093 }] },
      },
      ...(stored && played === world.infra ? [{ apiVersion: 'v1', kind: 'ConfigMap', metadata, data }] : []),
      ...played.objects,
    ]
  }
  const away = { ok: false as const, why: 'unreachable' as const, detail: 'connect ECONNREFUSED' }
  const port: KubePort = {
    list: async ({ kind, name }, _, reduce = (object) => object) => {
      if (played.away) return away
      const replaced = new Set(played.objects.map((object) => `${object.kind}/${object.metadata.name}`))
      const found = objects().filter(
        (object) => object.kind === kind && (name === undefined || object.metadata.name === name),
      )
      const own = found.filter(
        (object) => played.objects.includes(object) || !replaced.has(`${object.kind}/${object.metadata.name}`),
      )
      return { ok: true, value: own.map(reduce) }
    },
    watch: async (ref, signal, onChange) => {
      onChange(await port.list(ref, signal))
      const timer = setInterval(async () => onChange(await port.list(ref, signal)), 50)
      const ended = Promise.withResolvers<void>()
      signal.addEventListener('abort', () => ended.resolve())
      await ended.promise
      clearInterval(timer)
    },
    raw: async (path) => {
      if (world.alerts === 'unknown') return away
      if (path.includes('/silences')) return { ok: true, value: '[]' }
      const alert = (alertname: string, severity: string) => ({
        labels: { alertname, severity, cluster: 'infra' },
        annotations: { summary: `${alertname} fires` },
        startsAt: '2026-12-01T00:00:00Z',
        fingerprint: alertname,
        status: { state: 'active', silencedBy: [], inhibitedBy: [] },
        receivers: [{ name: 'none' }],
      })
      const firing = world.alerts === 'firing' ? [alert('KubePodCrashLooping', 'warning')] : []
      return { ok: true, value: JSON.stringify([alert('Watchdog', 'none'), ...firing]) }
    },
  }
  return port
}

const kustomization = (revision: string, branch: string): KubeObject => ({
  apiVersion: 'kustomize.toolkit.fluxcd.io/v1',
  kind: 'Kustomization',
  metadata: { name: 'flux-system', namespace: 'flux-system', generation: 1 },
  spec: { sourceRef: { kind: 'GitRepository', name: 'flux-system' } },
  status: {
    lastAppliedRevision: `${branch}@sha1:${revision}`,
    observedGeneration: 1,
    conditions: [{ type: 'Ready', status: 'True', reason: 'ReconciliationSucceeded', message: 'Applied' }],
  },
})
