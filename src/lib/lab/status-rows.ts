/** What in a lab is the real thing and what only plays it: the rows of `lab status`. */
import type { Json } from '../types.ts'
import type { LabStatus } from './status.ts'

export interface StatusRow {
  part: string
  /** `real`: the program that runs in a cluster, too · `simulated`: the lab plays it · `placeholder`: has its name and shape only. */
  kind: 'real' | 'simulated' | 'placeholder'
  state: string
  detail: string
}

type Fields = { [key: string]: Json }

/** Rows in the order of a bootstrap: machines, control plane, nodes, charts, Flux, operators, secrets. */
export function statusRows(status: LabStatus): StatusRow[] {
  const part = (name: string) => status.parts.find((candidate) => candidate.name === name)?.status as Fields | undefined
  return [
    ...machineRows(status),
    ...clusterRows(part('cluster')),
    ...chartRows(part('registry')),
    ...status.parts
      .filter(({ name }) => name !== 'cluster' && name !== 'registry')
      .flatMap(({ name, status: own }) => ownWords(name, own as Fields)),
    ...secretRows(status),
  ]
}

function machineRows({ machines }: LabStatus): StatusRow[] {
  const stages = new Map<string, number>()
  for (const { stage } of machines) stages.set(stage, (stages.get(stage) ?? 0) + 1)
  return [
    {
      part: 'machines',
      kind: 'simulated',
      state: [...stages].map(([stage, count]) => `${count} ${stage}`).join(', '),
      detail:
        'Talos API over real TLS with real roles and config checks; hardware (made to fit talconfig), installation and boots are played. upgrade-k8s: versions of pods and kubelets change, the processes behind them don’t',
    },
    {
      part: 'machines',
      kind: 'placeholder',
      state: 'refused',
      detail:
        'not served: dashboard, stats, memory, processes, mounts, list, copy, usage, netstat, time, meta, cgroups, rotate-ca, logs of other services than machined; support writes a bundle without them',
    },
  ]
}

interface ClusterStatus {
  api: { up: boolean; vipHolder: string | null }
  etcd: { node: string; phase: string; healthy: boolean }[]
  processes: { name: string; pid: number | null; restarts: number }[]
  nodes: string[]
}

function clusterRows(fields: Fields | undefined): StatusRow[] {
  if (!fields) return []
  const { api, etcd, processes, nodes } = fields as unknown as ClusterStatus
  const healthy = etcd.filter((member) => member.healthy).length
  const bootstrapped = etcd.some(({ phase }) => phase !== 'waiting')
  const started = new Map(processes.map((process) => [process.name, process]))
  const real = (name: string, detail: string): StatusRow => {
    const process = started.get(name)
    const restarts = process && process.restarts > 0 ? `, ${process.restarts} restarts` : ''
    return {
      part: name,
      kind: 'real',
      state: process ? `${process.pid ? 'running' : 'restarting'}${restarts}` : 'not started',
      detail,
    }
  }
  return [
    {
      part: 'etcd',
      kind: 'real',
      state: bootstrapped ? `${healthy} of ${etcd.length} members healthy` : 'not bootstrapped',
      detail: 'one member for each control plane, mTLS with the machine config’s CA, without fsync',
    },
    real(
      'kube-apiserver',
      `one for all control planes, flags as Talos renders them; ${api.vipHolder ? `VIP at ${api.vipHolder}` : 'VIP held by nobody'}`,
    ),
    real('kube-controller-manager', 'notices lost nodes after 8 s instead of 50'),
    real('kube-scheduler', 'as in a cluster'),
    {
      part: 'nodes and pods',
      kind: 'simulated',
      state: `${nodes.length} kubelets`,
      detail:
        'kwok: no container runs, images are not pulled, no traffic flows; a node is Ready once a Cilium pod runs on it',
    },
  ]
}

function chartRows(fields: Fields | undefined): StatusRow[] {
  if (!fields) return []
  const { charts, crds } = fields as unknown as {
    charts: { real: number; placeholder: number; missing: string[] }
    crds: { derived: number; permissive: number }
  }
  const missing = charts.missing.length > 0 ? `, ${charts.missing.length} without a record` : ''
  return [
    {
      part: 'registries',
      kind: 'simulated',
      state: 'serving',
      detail:
        'an HTTPS proxy in front of a registry of the lab’s own: the repository’s charts, and whether an image of Talos or Kubernetes exists (no layers); nothing leaves this machine',
    },
    {
      part: 'charts',
      kind: charts.placeholder > 0 ? 'placeholder' : 'real',
      state: `${charts.real} real, ${charts.placeholder} placeholders${missing}`,
      detail: 'a placeholder has the real chart’s workloads and value keys; it validates nothing',
    },
    {
      part: 'CRDs of charts',
      kind: 'placeholder',
      state: `${crds.derived} from published schemas, ${crds.permissive} permissive`,
      detail: 'a permissive one accepts every field',
    },
  ]
}

/** Parts say themselves what is real and what isn't. */
function ownWords(name: string, own: Fields): StatusRow[] {
  const running = own.running === undefined ? '' : own.running ? 'running' : 'not started'
  return (['real', 'simulated', 'placeholder'] as const).flatMap((kind) =>
    typeof own[kind] === 'string' ? [{ part: name, kind, state: running, detail: own[kind] }] : [],
  )
}

function secretRows({ standIns }: LabStatus): StatusRow[] {
  return [
    {
      part: '1Password (op)',
      kind: 'simulated',
      state: 'signed in',
      detail: 'throw-away values, the same for a reference as long as the lab lives',
    },
    {
      part: 'Talos secrets',
      kind: 'real',
      state: 'generated',
      detail: 'talhelper gensecret, for this lab only; not those of the cluster',
    },
    {
      part: '*.sops.yaml',
      kind: 'placeholder',
      state: `${standIns} files`,
      detail: 'same objects and keys, made-up values, encrypted to a key of the lab',
    },
  ]
}
