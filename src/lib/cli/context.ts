/** Makes what a command is given. Everything is loaded when it is asked for, and once. */
import { type Repository, requireSound } from '../config/load.ts'
import type { GateReader, LeasePort } from '../engine/ports.ts'
import type { Exec, Redactor } from '../exec/types.ts'
import type { Peer } from '../tools/monitoring.ts'
import type { KubePort, TalosPort, Target } from '../types.ts'
import type { Questions } from './ask.ts'
import { chooseCluster } from './cluster-choice.ts'
import { type CommandContext, textOption } from './define.ts'
import type { OptionValues } from './options.ts'
import type { Invocation, OpenedCluster, TargetChoice } from './services.ts'

/** What gates look through: the cluster itself, unless a command has reads that it shares with them. */
export interface Reads {
  kube: KubePort
  talos: TalosPort
}

/** Everything of one cluster. */
export interface ClusterContext {
  opened: OpenedCluster
  kube: () => Promise<KubePort>
  talos: () => Promise<TalosPort>
  gates: (through?: Reads) => Promise<GateReader>
  lease: () => Promise<LeasePort>
  exec: (runId?: string) => Promise<Exec>
}

export interface Contexts {
  context: CommandContext
  /** The chosen cluster, or another one by name. */
  openCluster: (name?: string) => Promise<ClusterContext>
  redactor: () => Promise<Redactor>
  /** Gives the terminal back. */
  close: () => void
}

export interface ContextRequest {
  invocation: Invocation
  options: OptionValues
  args: Record<string, string>
  rest: Record<string, string[]>
  signal: AbortSignal
  note: (text: string) => void
  openView: CommandContext['view']
  openLive: CommandContext['live']
  /** See WriteCommand. */
  saysProblems: boolean
}

export function createContext(request: ContextRequest): Contexts {
  const { invocation, options, signal, note } = request
  const { services, env, cwd } = invocation
  const redactor = once(services.redactor)
  const repository = once(async () => {
    const opened = await services.openRepository(cwd, textOption(options.repo))
    // Without a readable k8sops.yaml there is no cluster that anything else could be said of.
    if (!request.saysProblems || opened.clusters.length === 0) requireSound(opened)
    return opened
  })

  const choice: TargetChoice = {
    lab: options.lab === true,
    env,
    ...(typeof options.labName === 'string' ? { labName: options.labName } : {}),
  }
  const open = keyed(async (name: string): Promise<ClusterContext> => {
    const opened = await services.openTarget(await repository(), name, choice)
    const exec = keyed(async (runId: string) =>
      services.exec(opened, {
        redactor: await redactor(),
        env,
        note,
        signal,
        ...(runId === '' ? {} : { runId }),
      }),
    )
    const kube = once(() => services.kube(opened))
    // Reads of the APIs seldom start a process, and what starts one costs 90 ms to load.
    const onDemand: Exec = async (request) => (await exec(''))(request)
    const talos = once(() => services.talos(opened, onDemand))
    const peers = once(() => openPeers(name))
    const gates = async (reads: Reads) =>
      services.gates(opened, { ...reads, exec: onDemand, redactor: await redactor(), peers })
    const own = once(async () => gates({ kube: await kube(), talos: await talos() }))
    return {
      opened,
      kube,
      talos,
      gates: (through) => (through ? gates(through) : own()),
      lease: once(() => services.lease(opened)),
      exec: (runId = '') => exec(runId),
    }
  })
  /** Another cluster that can't be opened (no lab of it is up) has nothing to find. */
  const openPeers = async (own: string): Promise<Peer[]> => {
    const others = (await repository()).clusters.map(({ name }) => name).filter((name) => name !== own)
    const all = await Promise.allSettled(
      [own, ...others].map(async (cluster) => ({ cluster, kube: await (await open(cluster)).kube() })),
    )
    return all.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  }
  const chosen = async () => chooseCluster(await repository(), textOption(options.cluster), env)
  const openCluster = async (name?: string): Promise<ClusterContext> => open(name ?? (await chosen()))

  const questions = once(async () => {
    const { openQuestions } = await import('./ask.ts')
    opened.questions = openQuestions(invocation.stdin, invocation.stderr, signal)
    return opened.questions
  })
  const opened: { questions?: Questions } = {}

  const context: CommandContext = {
    args: request.args,
    rest: request.rest,
    options,
    env,
    cwd,
    signal,
    now: services.now ?? Date.now,
    out: (line) => void invocation.stdout.write(`${line}\n`),
    note,
    repository,
    cluster: async () => (await openCluster()).opened.cluster,
    target: async () => (await openCluster()).opened.target,
    kube: async () => (await openCluster()).kube(),
    talos: async () => (await openCluster()).talos(),
    gates: async () => (await openCluster()).gates(),
    exec: async () => (await openCluster()).exec(),
    ask: canAsk(invocation) ? async (question) => (await questions()).ask(question) : undefined,
    view: request.openView,
    live: request.openLive,
    clusterName: chosen,
    another: async (name) => {
      const { opened, kube, talos, gates, exec } = await openCluster(name)
      const { cluster, target } = opened
      return { cluster, target, kube, talos, gates, exec: () => exec() }
    },
    peers: openPeers,
    postRaw: async (kubeContext, path, body) => {
      const { kubeconfigPath } = await import('../config/target.ts')
      const target = { kubeconfig: kubeconfigPath(env, kubeContext), context: kubeContext }
      return services.postRaw(target, path, body, signal)
    },
    targets: async () => openTargets(await repository(), openCluster),
  }
  return { context, openCluster, redactor, close: () => opened.questions?.close() }
}

/** A job of a CI may have a terminal, and nobody at it. */
const canAsk = ({ stdin, stderr, env }: Invocation) => stdin.isTTY === true && stderr.isTTY === true && !env.CI

/** A cluster whose lab is not up has no target. */
async function openTargets(repository: Repository, open: (name: string) => Promise<ClusterContext>): Promise<Target[]> {
  const all = await Promise.allSettled(repository.clusters.map(({ name }) => open(name)))
  return all.flatMap((one) => (one.status === 'fulfilled' ? [one.value.opened.target] : []))
}

/** Remembers the promise, so that two askers share one load; a failed load may be tried again. */
function once<T>(load: () => Promise<T>): () => Promise<T> {
  const loaded = keyed(() => load())
  return () => loaded('')
}

function keyed<T>(load: (key: string) => Promise<T>): (key: string) => Promise<T> {
  const known = new Map<string, Promise<T>>()
  return (key) => {
    const before = known.get(key)
    if (before) return before
    const loading = load(key)
    known.set(key, loading)
    loading.catch(() => known.delete(key))
    return loading
  }
}
