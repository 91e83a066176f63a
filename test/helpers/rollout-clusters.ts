/**
 * Two real control planes with the real Flux controllers, which follow two branches of a real git remote, and the command line over both with a
 * virtual clock: everything of a rollout but the hours.
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { commands, topics } from '../../src/commands/index.ts'
import type { OpenedCluster, Services } from '../../src/lib/cli/services.ts'
import type { Repository } from '../../src/lib/config/load.ts'
import { readAccess } from '../../src/lib/kube/kubeconfig.ts'
import { createServices } from '../../src/services.ts'
import { clusterNamed, type Ended, rolloutPolicy, runCli } from './cli.ts'
import { type FluxCluster, servedCharts, startFluxCluster } from './flux-cluster.ts'
import { type GitServer, gitEnv, gitIn, startGitServer } from './git-server.ts'
import { repositoryRoot } from './lab.ts'

const run = promisify(execFile)

export interface RolloutClusters {
  server: GitServer
  /** A clone of jane's, and a directory for others. */
  clone: string
  dir: string
  infra: FluxCluster
  apps: FluxCluster
  now: number
  hours: (count: number) => void
  k8sops: (...args: string[]) => Promise<Ended>
  elsewhere: (clone: string, ...args: string[]) => Promise<Ended>
  /** Commits files on main and pushes; gives the commit. */
  commit: (subject: string, files: Record<string, string>) => Promise<string>
  tip: (branch: string) => Promise<string>
  /** Until every Kustomization of it has applied the commit and is Ready. */
  untilLive: (cluster: 'infra' | 'apps', commit: string) => Promise<unknown>
  /** Value of a ConfigMap that the repository makes. */
  value: (cluster: 'infra' | 'apps', name: string) => Promise<string>
  /** A tick now, and one at least every two hours until so much time has passed. */
  soak: (hours: number) => Promise<Ended>
  stop: () => Promise<void>
}

export async function startRolloutClusters(files: Record<string, string>): Promise<RolloutClusters> {
  const dir = await mkdtemp(join(tmpdir(), 'k8sops-two-'))
  const server = await startGitServer(dir)
  const clone = join(dir, 'clone')
  await gitIn(dir, 'clone', '--quiet', server.url, clone)
  await gitIn(clone, 'checkout', '--quiet', '-B', 'main')
  const save = async (all: Record<string, string>, subject: string) => {
    for (const [path, text] of Object.entries(all)) {
      await mkdir(dirname(join(clone, path)), { recursive: true })
      await writeFile(join(clone, path), text)
    }
    await gitIn(clone, 'add', '--all')
    await gitIn(clone, 'commit', '--quiet', '--message', subject)
  }
  await save({ 'k8sops.yaml': 'kind: Repository\n', ...servedCharts, ...files }, 'Begin')
  await gitIn(clone, 'push', '--quiet', 'origin', 'main', 'main:release')
  // Side by side they take the machine's two cores for as long as one after the other does.
  const infra = await startFluxCluster(215, {}, { remote: server.url })
  const apps = await startFluxCluster(216, {}, { remote: server.url, branch: 'release' }).catch(
    async (error: Error) => {
      await infra.stop()
      throw error
    },
  )
  // As a webhook of the forge would: each cluster's source sees the push at once.
  const mirror = async ({ root }: FluxCluster) =>
    void (await run('git', [
      '-C',
      root,
      'fetch',
      '--quiet',
      '--update-head-ok',
      '--force',
      'origin',
      '+refs/heads/*:refs/heads/*',
    ]))
  server.onPush = async () => void (await Promise.all([infra, apps].map(mirror)))

  const clusters = { infra, apps }
  const at: RolloutClusters = {
    server,
    clone,
    dir,
    infra,
    apps,
    now: Date.parse('2026-12-01T00:00:00Z'),
    hours: (count) => {
      at.now += count * 3_600_000
    },
    k8sops: (...args) => at.elsewhere(clone, ...args),
    async elsewhere(where, ...args) {
      const services = servicesAt(await placeOf(at), where)
      return runCli(args, { services, entries: commands, topics, env: { ...process.env, ...gitEnv }, cwd: where })
    },
    async commit(subject, changed) {
      await gitIn(clone, 'checkout', '--quiet', 'main')
      await gitIn(clone, 'pull', '--quiet', '--ff-only', 'origin', 'main')
      await save(changed, subject)
      await gitIn(clone, 'push', '--quiet', 'origin', 'main')
      return gitIn(clone, 'rev-parse', 'HEAD')
    },
    tip: (branch) => server.git('rev-parse', branch),
    untilLive: (name, commit) =>
      clusters[name].cluster.until(
        `${name} runs ${commit}`,
        async () => {
          const at =
            '{range .items[*]}{.status.lastAppliedRevision} {.status.conditions[?(@.type=="Ready")].status}{"\\n"}{end}'
          const lines = (await clusters[name].cluster.kubectl('get', 'kustomization', '-A', '-o', `jsonpath=${at}`))
            .trim()
            .split('\n')
          return lines.every((line) => line.endsWith(`${commit} True`))
        },
        120,
      ),
    value: (name, object) =>
      clusters[name].cluster.kubectl('-n', 'default', 'get', 'configmap', object, '-o', 'jsonpath={.data.value}'),
    async soak(hours) {
      let ended = await at.k8sops('rollout', 'tick')
      for (let left = hours; left > 0; left -= 8) {
        at.hours(Math.min(left, 8))
        ended = await at.k8sops('rollout', 'tick')
      }
      return ended
    },
    async stop() {
      await Promise.all([infra.stop(), apps.stop()])
      await server.stop()
      await rm(dir, { recursive: true, force: true, maxRetries: 5 })
    },
  }
  return at
}

/** What a command needs to know of the two clusters: plain JSON, for a process of its own as well. */
export interface RolloutPlace {
  dir: string
  /** Milliseconds since 1970. */
  now: number
  clusters: { name: string; follows: string; kubeconfig: string; context: string; server: string }[]
}

async function placeOf(at: RolloutClusters): Promise<RolloutPlace> {
  const branches = { infra: 'main', apps: 'release' }
  const clusters = await Promise.all(
    (['infra', 'apps'] as const).map(async (name) => {
      const kubeconfig = at[name].cluster.lab.adminKubeconfig
      const view = JSON.parse(await at[name].cluster.kubectl('config', 'view', '-o', 'json'))
      const context = view['current-context'] as string
      const access = await readAccess(kubeconfig, context)
      return { name, follows: branches[name], kubeconfig, context, server: access.ok ? access.value.server : '' }
    }),
  )
  return { dir: at.dir, now: at.now, clusters }
}

/** The real services; only what stands in a repository's own files is given. */
export function servicesAt({ dir, now, clusters }: RolloutPlace, root: string): Services {
  const opened = new Map<string, OpenedCluster>()
  const repository: Repository = {
    root,
    defaultCluster: 'infra',
    // Three looks a day show what one an hour does. No Alertmanager runs here (test/tools/rollout-tick.test.ts has what fires).
    rollout: { ...rolloutPolicy, order: ['infra', 'apps'], tickMinutes: 240, gates: ['kustomizations-ready'] },
    upgrade: { order: 'workers-first' },
    ageKey: 'op://a/b/c',
    clusters: [],
    problems: [],
  }
  for (const { name, follows, kubeconfig, context, server } of clusters) {
    const cluster = clusterNamed(name, { context, follows, endpoint: server, vip: new URL(server).hostname })
    repository.clusters.push(cluster)
    const target = {
      cluster: name,
      root,
      kubeconfig,
      context,
      talosconfig: 'talosconfig',
      env: gitEnv,
      timeScale: 1,
      stateDir: join(root, '.k8sops'),
      snapshotDir: join(dir, 'snapshots'),
    }
    opened.set(name, { repository, cluster, target })
  }
  return {
    ...createServices(join(repositoryRoot, 'bin')),
    now: () => now,
    openRepository: async () => repository,
    openTarget: async (_, name) => opened.get(name) as OpenedCluster,
  }
}

/**
 * A command in a process of its own, which dies at the first journal boundary that no process before it has died at.
 * @param boundaries of helpers/kill.ts
 * @returns its exit code, or undefined when it died
 */
export async function dieAtBoundary(
  at: RolloutClusters,
  boundaries: { env: NodeJS.ProcessEnv },
  ...args: string[]
): Promise<{ code: number | undefined; told: string }> {
  const place = join(at.dir, 'place.json')
  await writeFile(place, JSON.stringify(await placeOf(at)))
  const [preload, program] = ['kill-at-boundary.ts', 'rollout-process.ts'].map((name) =>
    join(import.meta.dirname, name),
  )
  const line = ['--import', preload ?? '', program ?? '', place, at.clone, ...args]
  const env = { ...process.env, ...gitEnv, ...boundaries.env, K8SOPS_PROGRESS: 'plain' }
  const child = spawn(process.execPath, line, { cwd: at.clone, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  let told = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      told += chunk
    })
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  if (signal !== null && signal !== 'SIGKILL') throw new Error(`ended by ${signal}:\n${told}`)
  return { code: code ?? undefined, told }
}

/** Another checkout of the remote, on another machine as it were. */
export async function anotherClone(at: RolloutClusters, name: string): Promise<string> {
  const path = join(at.dir, name)
  if (!existsSync(path)) await gitIn(at.dir, 'clone', '--quiet', at.server.url, path)
  return path
}
