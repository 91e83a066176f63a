/**
 * `k8sops talos upgrade-k8s`: talosctl does the work, in its own order (control plane, then kubelets, one node at a time), and
 * goes on where it stopped. Ours is what it does not do: whether the step is supported, whether the cluster is well, that a call
 * that hangs is started again, and that the versions that run are read back.
 */

import { clusterHealthy } from '../gates/lifecycle-sets.ts'
import { upgradeKubernetesArgs } from '../tools/talosctl.args.ts'
import type { Basis, Check, Cluster, ClusterNode, Plan, Step, Target } from '../types.ts'
import { check } from './bootstrap-input.ts'
import { generateConfigs } from './bootstrap-machines.ts'
import { defaultKeep, etcdSnapshotStep } from './etcd-snapshot.ts'
import { machineRunbook, planOf } from './machine-plan.ts'
import { applied, applyStep } from './talos-apply.ts'
import { secretsChecks } from './talos-files.ts'

export interface KubernetesUpgradeInput {
  cluster: Cluster
  target: Pick<Target, 'context' | 'talosconfig'>
  ageKey: string
  /** `v1.35.5` */
  version: string
  /** The control plane that talosctl talks to, and that the snapshot is taken from. */
  node: ClusterNode
  /** Absolute path that etcd's snapshot is kept under. */
  snapshotFile: string
  /** `--now --reason`. */
  now?: string
  timeoutSec: number
}

/** "waiting for kubelet restart" for ever is a known hang of talosctl (talos#6976, #13109); it goes on when it is called again. */
export const stall = { afterSec: 300, attempts: 3 }

export const kubernetesPreflight = (input: KubernetesUpgradeInput): Check[] => [
  ...secretsChecks(input.cluster.nodes),
  check('kubernetes-path', { to: input.version }),
  check('inventory-matches'),
  ...clusterHealthy(input.cluster),
]

export function planKubernetesUpgrade(input: KubernetesUpgradeInput, basis: Basis): Plan {
  const { cluster, target, version, node, snapshotFile, now, timeoutSec } = input
  const there = [check('kubernetes-at', { version })]
  const steps: Step[] = [
    {
      id: 'preflight',
      title: 'Check the whole cluster',
      // Begun already, a part of it is at rest in between; talosctl itself waits for what it touches.
      unless: there,
      action: { kind: 'wait' },
      require: kubernetesPreflight(input),
      verify: [],
      interrupt: 'now',
      timeoutSec: 300,
      runbook: machineRunbook,
    },
    {
      ...etcdSnapshotStep({ cluster, target, node, file: snapshotFile, keep: defaultKeep, maxAgeSec: 24 * 3600 }),
      orUnless: there,
    },
    {
      id: 'kubernetes/upgrade',
      title: `Upgrade Kubernetes to ${version} on every node`,
      unless: there,
      action: { kind: 'exec', pipeline: [upgradeKubernetesArgs(target.talosconfig, node.address, version)], stall },
      verify: there,
      // It can be left at any point, and goes on from there.
      interrupt: 'now',
      timeoutSec,
      runbook: machineRunbook,
    },
    ...(version === cluster.kubernetesVersion ? configSteps(input) : []),
    {
      id: 'cluster/check',
      title: 'Check the whole cluster again',
      action: { kind: 'wait' },
      verify: [...there, ...clusterHealthy(cluster)],
      interrupt: 'now',
      timeoutSec: 1800,
      runbook: machineRunbook,
    },
  ]
  const params = { version, node: node.hostname, ...(now === undefined ? {} : { now }) }
  return planOf({ operation: 'talos.upgrade-k8s', cluster: cluster.name, params }, basis, steps)
}

/** talosctl writes the images into the machine configs as they run; Git's configs have them as well, and more. */
function configSteps(input: KubernetesUpgradeInput): Step[] {
  return [
    generateConfigs(input),
    ...input.cluster.nodes.map((node) => applyStep(input, node, 'no-reboot', applied(node))),
  ]
}

/**
 * The edit that belongs to an upgrade which Git does not name: the next `talos apply` would take the old version back.
 * @param talconfig text of talconfig.yaml
 * @returns a diff of that line, undefined when Git names the version already
 */
export function proposedEdit(file: string, talconfig: string, version: string): string | undefined {
  const lines = talconfig.split('\n')
  const at = lines.findIndex((line) => /^kubernetesVersion:/.test(line))
  const old = lines[at]
  if (old === undefined || old.replace(/^kubernetesVersion:\s*/, '').startsWith(version)) return undefined
  const edited = old.replace(/^(kubernetesVersion:\s*["']?)v?[\d.]+/, `$1${version}`)
  return [`--- a/${file}`, `+++ b/${file}`, `@@ -${at + 1} +${at + 1} @@`, `-${old}`, `+${edited}`].join('\n')
}
