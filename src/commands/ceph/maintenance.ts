import { type CommandContext, defineCommand } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { forOption, untilOf, wholeSeconds } from '../../lib/cli/hold-options.ts'
import { completeNode, nodeArgument } from '../../lib/cli/node-option.ts'
import { operatorName } from '../../lib/cli/operator.ts'
import { GateError, UnreachableError, UsageError } from '../../lib/errors.ts'
import {
  cephRunbook,
  osdHostOf,
  planRest,
  planWake,
  restFacts,
  restingNodes,
  restLimitSec,
  restName,
} from '../../lib/ops/ceph-maintenance.ts'
import { cephKindNames, cephKinds } from '../../lib/ops/ceph-status.ts'
import { holderText } from '../../lib/ops/hold.ts'
import { operationToken } from '../../lib/ops/machine-plan.ts'
import { chosenNodes } from '../../lib/ops/node-choice.ts'
import type { KubeObject } from '../../lib/types.ts'
import { holdBasis } from '../flux/holding.ts'

export const cephMaintenance = defineCommand({
  path: 'ceph maintenance',
  summary: "Put a node's OSDs to rest while Ceph leaves its data where they are, and back",
  description:
    'on: cordons the node (a hold: `holds list` shows who, why and until when), evicts its OSDs within their budget and waits until Rook has set noout for the host; everything else on the node goes on. off: ends the cordon and waits until the OSDs run and Ceph is well. Rook keeps a host in for its osdMaintenanceTimeout only (30 minutes, unless Git says otherwise), so a hold may not last longer. `on` once more lets it last longer; when its time is up `holds expire` ends it.',
  effect: 'write',
  args: { ...nodeArgument, state: 'on or off' },
  completeArgs: { ...completeNode, state: () => ['on', 'off'] },
  options: [
    forOption('30m'),
    { flags: '--reason <text>', description: 'why; it stands on the node and in `holds list` (on: required)' },
    { flags: '--evict-timeout <duration>', description: 'how long the eviction of its OSDs may take', default: '5m' },
    { flags: '--settle-timeout <duration>', description: 'off: how long Ceph may take to be well', default: '30m' },
    { flags: '--force', description: "off: also somebody else's", default: false },
  ],
  examples: [
    'k8sops ceph maintenance apps-w1 on --for 20m --reason "new SSD" --cluster apps',
    'k8sops ceph maintenance apps-w1 off --cluster apps',
  ],
  runbook: cephRunbook,
  async plan(context) {
    const { args } = context
    if (args.state === 'on') return planOn(context)
    if (args.state === 'off') return planOff(context)
    throw new UsageError(`${args.state} is neither on nor off`)
  },
})

async function planOn(context: CommandContext) {
  const { options } = context
  const reason = String(options.reason ?? '').trim()
  if (reason === '') throw new UsageError('--reason is missing', { next: 'say in a few words why its OSDs rest' })
  const { cluster, target, node, at, ceph, resting } = await observe(context)
  const now = Date.now()
  const owner = operatorName()
  const known = resting.find((view) => view.node === node && view.hold.owner === owner)?.hold
  const since = known?.since ?? wholeSeconds(now)
  const limitSec = restLimitSec(ceph)
  const endMs = now + parseDurationSec(String(options.for)) * 1000
  if (endMs > Date.parse(since) + (limitSec + 1) * 1000)
    throw new UsageError(`Rook keeps a host in for ${limitSec / 60} minutes: --for ${options.for} ends later`, {
      next: 'set cephClusterSpec.disruptionManagement.osdMaintenanceTimeout (minutes) in Git first, or give a shorter --for',
      runbook: cephRunbook,
    })
  const note = {
    id: known?.id ?? operationToken('ceph.maintenance', new Date(now)),
    owner,
    reason,
    since,
    until: untilOf(options.for, now),
    scope: restName(node),
  }
  const basis = await holdBasis(context, { resting: restFacts(resting, now), osds: at.osds })
  const evictTimeoutSec = parseDurationSec(String(options.evictTimeout))
  const by = `ceph.maintenance/${owner}`
  return planRest({ cluster, target, node, at, note, by, resting, evictTimeoutSec }, now, basis)
}

async function planOff(context: CommandContext) {
  const { options } = context
  const { cluster, target, node, at, resting } = await observe(context)
  const now = Date.now()
  const view = resting.find((one) => one.node === node)
  if (!view)
    throw new UsageError(`the OSDs of ${node} are not at rest`, { next: 'k8sops ceph status; k8sops holds list' })
  if (view.hold.owner !== operatorName() && options.force !== true)
    throw new GateError(`somebody else has put the OSDs of ${node} to rest`, {
      output: holderText(view.hold, now),
      next: 'find out why (k8sops holds list), then add --force',
      runbook: cephRunbook,
    })
  const basis = await holdBasis(context, { resting: restFacts(resting, now), osds: at.osds })
  const settleTimeoutSec = parseDurationSec(String(options.settleTimeout))
  return planWake({ cluster, target, node, at, view, settleTimeoutSec }, basis)
}

async function observe(context: CommandContext) {
  const [cluster, target, kube] = await Promise.all([context.cluster(), context.target(), context.kube()])
  const [chosen] = chosenNodes(cluster, [context.args.node ?? ''])
  const node = chosen?.hostname ?? ''
  const reads = await Promise.all(
    cephKindNames.map(async (kind): Promise<[string, KubeObject[]]> => {
      const read = await kube.list(cephKinds[kind], context.signal)
      if (read.ok) return [kind, read.value]
      if (read.why === 'not-found') return [kind, []]
      throw new UnreachableError(`Ceph of ${cluster.name} can't be read`, { output: read.detail })
    }),
  )
  const { clusters = [], osds = [], nodes = [] } = Object.fromEntries(reads)
  const at = osdHostOf(node, osds)
  const ceph = clusters.find(({ metadata }) => metadata.namespace === at.namespace)
  if (!ceph) throw new GateError(`no CephCluster is in ${at.namespace}`, { runbook: cephRunbook })
  return { cluster, target, node, at, ceph, resting: restingNodes(nodes) }
}
