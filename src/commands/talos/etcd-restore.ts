import { resolve } from 'node:path'
import { type CommandContext, defineCommand } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { confirmOption, nodeTimeoutOption } from '../../lib/cli/node-option.ts'
import { UsageError } from '../../lib/errors.ts'
import { observeEtcd } from '../../lib/ops/etcd-observe.ts'
import { planRestore } from '../../lib/ops/etcd-restore.ts'
import { defaultKeep, etcdSnapshotStep, snapshotFile, snapshotNode } from '../../lib/ops/etcd-snapshot.ts'
import { machineBasis, observeBootIds } from '../node/basis.ts'

export const talosEtcdRestore = defineCommand({
  path: 'talos etcd restore',
  summary: 'Go back to an etcd snapshot: every control plane loses its etcd, and Kubernetes what it was told since',
  description:
    'For a cluster whose etcd has lost its majority, or its content. Pods and volumes are not touched; objects become those of the snapshot, and Flux then brings what Git says. What there still is of the present state is kept as a snapshot first.',
  effect: 'write',
  options: [
    { flags: '--from <file>', description: 'the snapshot, as `talos etcd snapshot` keeps it' },
    { flags: '--destroy-etcd-data', description: 'what etcd holds now may go', default: false },
    nodeTimeoutOption,
    confirmOption('the cluster'),
  ],
  examples: [
    'k8sops talos etcd restore --from ~/.local/state/k8sops/snapshots/apps/apps-20261124T120000Z.db --dry-run',
    'k8sops talos etcd restore --from /mnt/backup/apps-20261124T120000Z.db --destroy-etcd-data --cluster apps',
  ],
  runbook: 'docs/runbooks/talos.md',
  async plan(context) {
    const { options, signal } = context
    const [cluster, target, talos] = await Promise.all([context.cluster(), context.target(), context.talos()])
    const path = fileOf(context)
    const { readSnapshot } = await import('../../lib/tools/snapshot-file.ts')
    const { sha256, takenAt } = await readSnapshot(path)
    if (options.destroyEtcdData !== true && options.dryRun !== true && options.planOut === undefined) {
      throw new UsageError(`what ${cluster.name} holds now would be lost: --destroy-etcd-data is missing`, {
        next: `the snapshot is of ${takenAt.toISOString()}; see the plan first with --dry-run`,
      })
    }
    const nodes = cluster.nodes.filter(({ controlPlane }) => controlPlane)
    const [etcd, boots] = await Promise.all([observeEtcd(talos, cluster, signal), observeBootIds(context, nodes)])
    const now = new Date()
    const before = etcdSnapshotStep({
      cluster,
      target,
      node: snapshotNode(cluster, etcd.answering),
      file: snapshotFile(target.snapshotDir, cluster.name, now),
      // The one that is restored from may be among them.
      keep: defaultKeep * 2,
      maxAgeSec: 3600,
    })
    return planRestore(
      {
        cluster,
        target,
        snapshot: { path, sha256, takenAt },
        controlPlanes: boots.map(({ node, bootId }) => ({
          node,
          bootId,
          member: etcd.members.find(({ name }) => name === node.hostname)?.member ?? 'unknown',
        })),
        ...(etcd.answering.length > 0 ? { before } : {}),
        nodeTimeoutSec: parseDurationSec(String(options.nodeTimeout)),
      },
      await machineBasis(context, {
        etcd: etcd.facts,
        bootIds: Object.fromEntries(boots.map(({ node, bootId }) => [node.hostname, bootId])),
      }),
    )
  },
  confirm: ({ cluster, params }) => `Restore ${cluster} from ${params.from}? LOST: ${params.lost}.`,
  confirmName: ({ cluster }) => cluster,
})

/** @throws UsageError when it is missing: the newest one may be of the state that is to be left behind */
function fileOf({ options, cwd }: CommandContext): string {
  if (typeof options.from === 'string') return resolve(cwd, options.from)
  throw new UsageError('--from is missing', {
    next: 'the file to restore; k8sops keeps its own in ~/.local/state/k8sops/snapshots',
  })
}
