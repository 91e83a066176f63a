/**
 * The status of a cluster, as rows: each is one or more gates of the catalogue and what the objects that they look at tell. There is
 * no other judgement of health here.
 */
import { setupGates } from '../gates/catalog/setup.ts'
import { gates as catalog } from '../gates/catalog.ts'
import { clusterHealthy } from '../gates/lifecycle-sets.ts'
import type { Check, Cluster, Json, Verdict } from '../types.ts'
import { type Facts, factNames, factOf } from './status-facts.ts'

export interface StatusPart {
  name: string
  checks: Check[]
}

/** Our own certificates are told in time to make new ones. */
const certificateDays = '7'

/** The rows of a cluster, in the order in which one fault explains those after it. */
export function statusParts(cluster: Cluster): StatusPart[] {
  const { gates, nodes, talosVersion, kubernetesVersion } = cluster
  // The same checks, with the same parameters, as before an upgrade.
  const healthy = clusterHealthy(cluster)
  const of = (...ids: string[]) => healthy.filter(({ gate }) => ids.includes(gate))
  const addresses = nodes.map(({ address }) => address).join(',')
  const parts = [
    { name: 'talos', checks: [...of('machines-ready'), { gate: 'inventory-matches' }] },
    { name: 'etcd', checks: of('etcd-healthy') },
    { name: 'api', checks: of('api-ready') },
    { name: 'nodes', checks: of('nodes-schedulable') },
    { name: 'cilium', checks: of('daemonset-ready', 'deployment-available') },
    { name: 'ceph', checks: of('ceph-healthy') },
    { name: 'databases', checks: of('cnpg-healthy') },
    { name: 'flux', checks: of('flux-settled') },
    {
      name: 'certificates',
      checks: [
        { gate: 'certificates-ready' },
        { gate: 'client-certificates-valid', params: { days: certificateDays } },
      ],
    },
    {
      name: 'backups',
      checks: [
        {
          gate: 'backups-recent',
          params: { sources: String(gates.volsync.sources), databases: String(gates.cnpg.clusters) },
        },
      ],
    },
    { name: 'alerts', checks: [{ gate: 'alerts-quiet' }] },
    { name: 'holds', checks: [{ gate: 'holds-current' }] },
    {
      name: 'versions',
      checks: [
        { gate: 'versions-equal', params: { nodes: addresses, version: talosVersion } },
        { gate: 'kubernetes-at', params: { version: kubernetesVersion } },
      ],
    },
  ]
  // A row over nothing would be well for ever.
  return parts.filter(({ checks }) => checks.length > 0)
}

export type StatusState = 'ok' | 'fail' | 'unknown'

export interface StatusRow {
  cluster: string
  name: string
  state: StatusState
  /** A line: why it is not well, else what there is. */
  summary: string
  /** Everything that is waited for. */
  reasons: string[]
  since: string | null
  next: string | null
  runbook: string
  gates: { [key: string]: Json }[]
  facts: { [key: string]: Json }
  /** Nobody answered; what could be asked is not known to be ill. */
  unreachable: boolean
  /** Not every gate has been looked at yet. */
  pending: boolean
}

/** Verdicts in the order of the parts' checks; one that is not there yet is unknown. */
export function statusRows(
  cluster: string,
  parts: StatusPart[],
  verdicts: Map<Check, Verdict>,
  facts: Facts,
  now: number,
): StatusRow[] {
  const rows = parts.map((part) => rowOf(cluster, part, verdicts, facts, now))
  if (rows.every(({ pending }) => pending)) return rows
  if (rows.some(({ name, unreachable }) => !unreachable && !answeredElsewhere.has(name))) return rows
  // Twelve rows that say the same are one.
  const silent = rows.filter(({ unreachable }) => unreachable)
  const [first] = silent
  if (!first) return rows
  return [unreachableRow(cluster, first.summary, first.next), ...rows.filter(({ state }) => state === 'fail')]
}

/** The row of a cluster that stands for all of its rows. */
export const wholeCluster = 'cluster'

/** A cluster that nothing can be read of. */
export function unreachableRow(cluster: string, why: string, next: string | null): StatusRow {
  return {
    cluster,
    name: wholeCluster,
    state: 'unknown',
    summary: `nothing can be reached: ${why}`,
    reasons: [why],
    since: null,
    next: next ?? 'k8sops doctor',
    runbook: statusRunbook,
    gates: [],
    facts: {},
    unreachable: true,
    pending: false,
  }
}

export const statusRunbook = 'docs/runbooks/cluster-status.md'

/** Rows that another cluster or this machine's files may answer while the cluster itself is away. */
const answeredElsewhere = new Set(['alerts', 'certificates'])

const notYet: Verdict = { status: 'unknown', detail: 'not answered yet' }

function rowOf(cluster: string, part: StatusPart, verdicts: Map<Check, Verdict>, facts: Facts, now: number): StatusRow {
  const { name, checks } = part
  const judged = checks.map((check) => ({ check, verdict: verdicts.get(check) ?? notYet }))
  const open = judged.flatMap(({ check, verdict }) => (verdict.status === 'pass' ? [] : [{ check, verdict }]))
  const failed = open.filter(({ verdict }) => verdict.status === 'fail')
  const state = failed.length > 0 ? 'fail' : open.length > 0 ? 'unknown' : 'ok'
  const worst = failed[0] ?? open[0]
  const fact = factOf[name]?.(facts, now)
  const details = [...new Set(judged.map(({ verdict }) => verdict.detail))].filter(Boolean)
  // What failed stands before what is not known. Of a machine that does not answer it is said once.
  const reasons = [...new Set([...failed, ...open].flatMap(({ verdict }) => verdict.waitingFor ?? [verdict.detail]))]
  const others = reasons.length > 1 ? ` (and ${reasons.length - 1} more)` : ''
  const remote = open.filter(({ check }) => !(check.gate in setupGates))
  return {
    cluster,
    name,
    state,
    summary: worst ? `${reasons[0]}${others}` : (fact?.text ?? details.join('; ')),
    reasons,
    since: (worst?.verdict ?? judged[0]?.verdict)?.since ?? null,
    next: worst?.verdict.next ?? null,
    runbook: runbookOf(worst?.check ?? checks[0]),
    gates: judged.map(({ check, verdict }) => ({
      name: check.gate,
      params: check.params ?? {},
      verdict: verdict.status,
      reason: verdict.detail,
    })),
    facts: fact?.fields ?? {},
    unreachable:
      state === 'unknown' && remote.length > 0 && remote.every(({ verdict }) => verdict.cause === 'unreachable'),
    pending: checks.some((check) => !verdicts.has(check)) || factNames.some((kind) => facts[kind] === undefined),
  }
}

function runbookOf(check: Check | undefined): string {
  return (check && catalog[check.gate as keyof typeof catalog]?.runbook) ?? statusRunbook
}
