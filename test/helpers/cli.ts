/** The whole command line in-process: own streams, own services, no network. */
import { EventEmitter } from 'node:events'
import { PassThrough, Writable } from 'node:stream'
import { runCommandLine } from '../../src/lib/cli/adapter.ts'
import type { CommandSpec } from '../../src/lib/cli/define.ts'
import type { Invocation, Services } from '../../src/lib/cli/services.ts'
import type { Repository } from '../../src/lib/config/load.ts'
import { processes } from '../../src/lib/exec/process-info.ts'
import { createRedactor } from '../../src/lib/exec/redact.ts'
import type { Cluster, KubePort, RolloutPolicy, TalosPort } from '../../src/lib/types.ts'
import { fileGates, noLease, stillBasis, surroundings, type World } from './engine-world.ts'

export interface Ended {
  code: number
  stdout: string
  stderr: string
}

export function clusterNamed(name: string, more: Partial<Cluster> = {}): Cluster {
  return {
    name,
    nodes: [
      { hostname: `${name}-cp1`, address: '10.0.0.11', controlPlane: true },
      { hostname: `${name}-w1`, address: '10.0.0.12', controlPlane: false },
    ],
    vip: '10.0.0.10',
    endpoint: 'https://10.0.0.10:6443',
    talosVersion: 'v1.12.0',
    kubernetesVersion: 'v1.35.0',
    settings: {},
    context: name,
    follows: 'main',
    gates: {
      ceph: { clusters: 0, tolerate: [] },
      cnpg: { clusters: 0 },
      volsync: { sources: 0 },
      daemonsets: [],
      deployments: [],
    },
    confirm: [],
    ...more,
  }
}

/** As k8sops.yaml has it when it says no more than the order. */
export const rolloutPolicy: RolloutPolicy = {
  order: ['test'],
  soakHours: 24,
  labels: [
    { name: 'hotfix', hours: 1 },
    { name: 'major', hours: 48 },
  ],
  tickMinutes: 60,
  restarts: 5,
  gates: ['alerts-quiet'],
  onRegression: 'restart',
  onGap: 'stop',
}

/** Services over a world of engine-world.ts: two clusters, `test` and `other`. */
export function worldServices(world: World, more: Partial<Services> = {}): Services {
  const repository: Repository = {
    root: world.root,
    defaultCluster: 'test',
    rollout: { ...rolloutPolicy, order: ['test', 'other'] },
    upgrade: { order: 'workers-first' },
    ageKey: 'op://a/b/c',
    monitoring: {
      metrics: 'app.kubernetes.io/name=vmsingle',
      logs: 'app.kubernetes.io/name=victoria-logs-single',
      alerts: 'app.kubernetes.io/name=vmalertmanager',
    },
    clusters: [clusterNamed('test'), clusterNamed('other')],
    problems: [],
  }
  const { around } = surroundings(world)
  return {
    openRepository: async () => repository,
    openTarget: async (_, name) => {
      const cluster = repository.clusters.find((one) => one.name === name)!
      return { repository, cluster, target: { ...world.target, cluster: name, context: name } }
    },
    // The gates of this world look at files and never use these.
    kube: async () => untouchable as unknown as KubePort,
    talos: async () => untouchable as unknown as TalosPort,
    gates: async () => fileGates(world.root),
    postRaw: async () => ({ ok: false, why: 'unreachable', detail: 'no API' }),
    lease: async () => noLease,
    silences: async () => undefined,
    exec: async (_, { runId = '' }) => around.execFor(runId),
    processes: async () => processes,
    redactor: async () => createRedactor(),
    basis: () => stillBasis,
    contextServer: async () => 'https://10.0.0.10:6443',
    ...more,
  }
}

/** Services that fail the test when a command touches them. */
export const untouchable: Services = new Proxy({} as Services, {
  // `then` is asked of whatever a promise resolves to.
  get: (_, name) =>
    name === 'then'
      ? undefined
      : () => {
          throw new Error(`${String(name)} must not be asked for here`)
        },
})

export interface CliOptions {
  services?: Services
  specs?: CommandSpec[]
  entries?: Invocation['entries']
  topics?: Invocation['topics']
  env?: NodeJS.ProcessEnv
  signals?: EventEmitter
  cwd?: string
  /** What is typed on a terminal; without it there is none. */
  answer?: string
}

export async function runCli(argv: string[], options: CliOptions = {}): Promise<Ended> {
  const text = { stdout: '', stderr: '' }
  const stream = (name: 'stdout' | 'stderr') =>
    Object.assign(
      new Writable({
        write: (chunk, _, done) => {
          text[name] += String(chunk)
          done()
        },
      }),
      options.answer === undefined || name === 'stdout' ? {} : { isTTY: true },
    )
  const stdin = Object.assign(new PassThrough(), options.answer === undefined ? {} : { isTTY: true })
  if (options.answer !== undefined) stdin.write(`${options.answer}\n`)
  const entries =
    options.entries ??
    (options.specs ?? []).map((spec) => ({ path: spec.path, summary: spec.summary, load: async () => spec }))
  const code = await runCommandLine(argv, {
    version: '1.2.3',
    entries,
    topics: options.topics ?? { thing: 'Things' },
    services: options.services ?? untouchable,
    env: { HOME: '/nonexistent', K8SOPS_PROGRESS: 'plain', ...options.env },
    cwd: options.cwd ?? '/',
    stdout: stream('stdout'),
    stderr: stream('stderr'),
    stdin,
    signals: options.signals ?? new EventEmitter(),
  })
  stdin.end()
  return { code, ...text }
}
