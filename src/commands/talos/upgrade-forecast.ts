/** `talos upgrade --forecast`: what rolling the cluster would meet. Reads only. */

import type { CommandContext, Data } from '../../lib/cli/define.ts'
import { storedRuns } from '../../lib/cli/stored-runs.ts'
import { exitCodes, UnreachableError } from '../../lib/errors.ts'
import { machineRunbook } from '../../lib/ops/machine-plan.ts'
import { type Finding, forecastUpgrade, type NodeForecast } from '../../lib/ops/upgrade-forecast.ts'
import { type Range, upgradeTimings } from '../../lib/ops/upgrade-history.ts'
import { isAtTarget } from '../../lib/ops/upgrade-input.ts'
import { upgradeBatches } from '../../lib/ops/upgrade-order.ts'
import type { Json, KubeObject, ObjectRef } from '../../lib/types.ts'
import { describeSeconds } from '../../lib/ui/seconds.ts'
import { renderTable } from '../../lib/ui/table.ts'
import { observeNodes } from './upgrade-input.ts'

export async function forecastData(context: CommandContext): Promise<Data> {
  const [input, lists, runs] = await Promise.all([observeNodes(context), readLists(context), storedRuns(context)])
  const { cluster, nodes, params, leader } = input
  const due = nodes.filter((node) => !isAtTarget(node))
  const forecast = forecastUpgrade({
    ...lists,
    batches: upgradeBatches(due, params, leader).map((batch) => batch.map(({ node }) => node.hostname)),
    atTarget: nodes.filter(isAtTarget).map(({ node }) => node.hostname),
    history: upgradeTimings(runs, cluster.name),
  })
  const blocked = forecast.nodes.some(({ blocks }) => blocks.length > 0)
  const versions = new Map(nodes.map(({ node, target, runs }) => [node.hostname, { to: target.version, runs }]))
  return {
    kind: 'UpgradeForecast',
    fields: { cluster: cluster.name, blocked, expected: asJson(forecast.expected) },
    items: forecast.nodes.map((one) => {
      const { to = '', runs: running } = versions.get(one.node) ?? {}
      const from = running === undefined || running === 'unknown' ? 'unknown' : running.version
      return { ...(asJson(one) as { [key: string]: Json }), from, to }
    }),
    text: render(forecast.nodes, forecast.expected, params.to ?? cluster.talosVersion),
    exitCode: blocked ? exitCodes.gate : exitCodes.ok,
  }
}

/** Everything of a kind; a kind that the cluster doesn't have is empty, one that can't be read ends it. */
async function readLists(context: CommandContext) {
  const kube = await context.kube()
  const list = async (ref: ObjectRef): Promise<KubeObject[]> => {
    const read = await kube.list(ref, context.signal)
    if (read.ok) return read.value
    if (read.why === 'not-found') return []
    throw new UnreachableError(`${ref.kind} objects could not be read: ${read.detail}`, { runbook: machineRunbook })
  }
  const [pods, budgets, databases, cephClusters, claims, volumes] = await Promise.all([
    list({ apiVersion: 'v1', kind: 'Pod' }),
    list({ apiVersion: 'policy/v1', kind: 'PodDisruptionBudget' }),
    list({ apiVersion: 'postgresql.cnpg.io/v1', kind: 'Cluster' }),
    list({ apiVersion: 'ceph.rook.io/v1', kind: 'CephCluster' }),
    list({ apiVersion: 'v1', kind: 'PersistentVolumeClaim' }),
    list({ apiVersion: 'v1', kind: 'PersistentVolume' }),
  ])
  return { pods, budgets, databases, cephClusters, claims, volumes }
}

function render(nodes: NodeForecast[], expected: Range | undefined, version: string): string {
  const due = nodes.filter(({ batch }) => batch > 0)
  if (due.length === 0) return `all ${nodes.length} nodes run ${version} already`
  const table = renderTable(
    ['', 'node', 'evicts', 'blocked by', 'away meanwhile', 'at risk', 'takes'],
    due.map(({ batch, node, evicts, blocks, interrupts, risks, expected: range }) => [
      String(batch),
      node,
      String(evicts),
      countOf(blocks.length),
      countOf(interrupts.length),
      risks.join('; ') || 'nothing',
      describeRange(range),
    ]),
  )
  return [
    table,
    '',
    `the whole roll to ${version}: ${expected ? describeRange(expected) : 'nobody can tell before a first one has been done'}`,
    ...section('blocks a drain, and would stop the roll there:', due, ({ blocks }) => blocks),
    ...section('away until it runs elsewhere, or until its node is back:', due, ({ interrupts }) => interrupts),
  ].join('\n')
}

function section(title: string, nodes: NodeForecast[], of: (node: NodeForecast) => Finding[]): string[] {
  const lines = nodes.flatMap((one) => of(one).map(({ pod, why }) => `  ${one.node}  ${pod} ${why}`))
  return lines.length === 0 ? [] : ['', title, ...lines]
}

const countOf = (count: number) => (count === 0 ? 'nothing' : `${count} pod${count === 1 ? '' : 's'}`)

function describeRange(range: Range | undefined): string {
  if (!range) return '?'
  const { lowSec, likelySec, highSec } = range
  const likely = `about ${describeSeconds(likelySec)}`
  return lowSec === highSec ? likely : `${likely} (${describeSeconds(lowSec)} to ${describeSeconds(highSec)})`
}

const asJson = (value: unknown): Json => (value === undefined ? null : JSON.parse(JSON.stringify(value)))
