/**
 * `k8sops talos upgrade --rolling`: every node to the version and schematic that Git names, one at a time, without the cluster
 * noticing. Which gates stand where: src/lib/gates/lifecycle-sets.ts; what happens around a node: node-maintenance.ts.
 */

import { afterUpgrade, beforeUpgrade, type LifecycleFacts } from '../gates/lifecycle-sets.ts'
import { upgradeArgs } from '../tools/talosctl.args.ts'
import type { Basis, Check, Json, Plan, Step } from '../types.ts'
import { check } from './bootstrap-input.ts'
import { generateConfigs } from './bootstrap-machines.ts'
import { defaultKeep, etcdSnapshotStep, snapshotNode } from './etcd-snapshot.ts'
import { machineRunbook } from './machine-plan.ts'
import { type MaintenanceInput, maintenanceSteps, underWay } from './node-maintenance.ts'
import { applied, applyStep } from './talos-apply.ts'
import { secretsChecks } from './talos-files.ts'
import { isAtTarget, type UpgradeInput, type UpgradeNode } from './upgrade-input.ts'
import { sideBySide, upgradeBatches } from './upgrade-order.ts'

/** Pure. Nodes that were at the target when they were looked at are left out; one that gets there meanwhile is skipped. */
export function planUpgrade(input: UpgradeInput, basis: Basis): Plan {
  const { cluster, params, leader } = input
  const due = input.nodes.filter((node) => !isAtTarget(node))
  const batches = upgradeBatches(due, params, leader)
  return {
    apiVersion: 'k8sops.dev/v1',
    kind: 'Plan',
    operation: 'talos.upgrade',
    cluster: cluster.name,
    params: Object.fromEntries(
      Object.entries(params).flatMap(([name, value]): [string, Json][] => (value === undefined ? [] : [[name, value]])),
    ),
    basis,
    scope: 'cluster',
    ...(input.silence ? { silence: input.silence } : {}),
    steps: [
      preflight(input),
      ...(due.length > 0 ? [snapshot(input)] : []),
      ...batches.flatMap((batch, index) => batchSteps(input, batch, index)),
      ...(isAhead(input) ? [] : configSteps(input)),
      clusterCheck(input),
    ],
  }
}

const factsOf = ({ cluster, nodes, params, window }: UpgradeInput): LifecycleFacts => ({
  cluster,
  ...(window ? { window } : {}),
  targets: Object.fromEntries(
    nodes.map(({ node, target, runs }) => [
      node.hostname,
      runs === 'unknown' ? target : { ...target, bootId: runs.bootId },
    ]),
  ),
  downgrade: params.downgrade,
})

/** Gates A, for the command as well: what doesn't hold is reported before a run begins. */
export const upgradePreflight = (input: UpgradeInput): Check[] => [
  ...(isAhead(input) ? [check('tools-present', { tools: 'talosctl,kubectl' })] : secretsChecks(input.cluster.nodes)),
  ...beforeUpgrade(factsOf(input)),
]

/** Of a version that Git does not name (yet): the machine configs that Git names are another version's. */
const isAhead = ({ cluster, params }: UpgradeInput) => params.to !== undefined && params.to !== cluster.talosVersion

/**
 * The installer image stands in the machine configs, too, and an upgrade doesn't change it there. They come after it: a newer
 * version's config may hold what the older one refuses. Nothing in them may need a restart; for that there is `talos apply`.
 */
function configSteps(input: UpgradeInput): Step[] {
  return [generateConfigs(input), ...input.nodes.map(({ node }) => applyStep(input, node, 'no-reboot', applied(node)))]
}

function preflight(input: UpgradeInput): Step {
  return {
    id: 'preflight',
    title: 'Check the whole cluster',
    // Gone on with: with a node out not all of it can hold, and it held when the first one was taken out.
    unless: [underWay(input.operation)],
    action: { kind: 'wait' },
    require: upgradePreflight(input),
    verify: [],
    interrupt: 'now',
    timeoutSec: 90,
    runbook: machineRunbook,
  }
}

/** A day: rolling a large cluster takes hours, and what was saved is what was there before anything was touched. */
const snapshotMaxAgeSec = 24 * 3600

function snapshot({ cluster, target, leader, snapshotFile: file, operation }: UpgradeInput): Step {
  const asked = cluster.nodes.find(({ hostname }) => hostname === leader) ?? snapshotNode(cluster, [])
  const step = etcdSnapshotStep({
    cluster,
    target,
    node: asked,
    file,
    keep: defaultKeep,
    maxAgeSec: snapshotMaxAgeSec,
  })
  return { ...step, orUnless: [underWay(operation)] }
}

function batchSteps(input: UpgradeInput, batch: UpgradeNode[], index: number): Step[] {
  const { target, operation, params } = input
  const maintenance: MaintenanceInput = {
    ...factsOf(input),
    together: batch.map(({ node }) => node),
    target,
    operation,
    drainTimeoutSec: params.drainTimeoutSec,
    settleTimeoutSec: params.settleTimeoutSec,
  }
  const chains = batch.map((one) => maintenanceSteps(maintenance, one.node, [upgradeStep(input, one)]))
  return sideBySide(chains, `batch-${index + 1}`)
}

function upgradeStep({ target, params }: UpgradeInput, { node, target: wanted, runs }: UpgradeNode): Step {
  const { version, schematic, image } = wanted
  const aim = { node: node.address, version, schematic }
  const bootId = runs === 'unknown' ? 'unknown' : runs.bootId
  const { stage, rebootMode, upgradeTimeoutSec, settleTimeoutSec } = params
  return {
    id: `${node.hostname}/upgrade`,
    title: `Upgrade ${node.hostname} to Talos ${version}`,
    unless: [check('node-at-target', aim)],
    // The call got through, and nobody saw what became of it: a new boot with the old version is a rollback.
    onceBegun: [check('not-rolled-back', { ...aim, bootId })],
    action: {
      kind: 'exec',
      pipeline: [
        upgradeArgs(target.talosconfig, node.address, { image, stage, rebootMode, timeoutSec: upgradeTimeoutSec }),
      ],
      // Its time is over while the machine is away: what became of it is for `verify` to find out.
      accept: ['unavailable, retrying\\.\\.\\.\\s*$'],
    },
    verify: [check('node-upgraded', { ...aim, bootId })],
    interrupt: 'after',
    timeoutSec: upgradeTimeoutSec + settleTimeoutSec,
    runbook: machineRunbook,
  }
}

/** Gates D. */
function clusterCheck(input: UpgradeInput): Step {
  return {
    id: 'cluster/check',
    title: 'Check the whole cluster again',
    action: { kind: 'wait' },
    verify: afterUpgrade(factsOf(input)).filter(({ gate }) => !isAhead(input) || gate !== 'machine-configs-applied'),
    interrupt: 'now',
    timeoutSec: input.params.settleTimeoutSec,
    runbook: machineRunbook,
  }
}
