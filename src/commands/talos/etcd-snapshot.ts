import { resolve } from 'node:path'
import { defineCommand } from '../../lib/cli/define.ts'
import { UsageError } from '../../lib/errors.ts'
import { basisOf } from '../../lib/ops/basis.ts'
import { observeEtcd } from '../../lib/ops/etcd-observe.ts'
import { defaultKeep, planEtcdSnapshot, snapshotFile, snapshotNode } from '../../lib/ops/etcd-snapshot.ts'
import { machinePaths } from '../../lib/ops/machine-plan.ts'
import { chosenNodes } from '../../lib/ops/node-choice.ts'
import { pinnedVersions } from '../../lib/tools/catalog.ts'

export const talosEtcdSnapshot = defineCommand({
  path: 'talos etcd snapshot',
  summary: 'Keep a snapshot of etcd outside the repository, with its digest',
  effect: 'write',
  options: [
    { flags: '--node <name>', description: 'control plane to take it from (default: the first that answers)' },
    { flags: '--out <directory>', description: "where it is kept (default: k8sops's own state directory)" },
    {
      flags: '--keep <count>',
      description: 'how many snapshots stay there, the oldest go',
      default: String(defaultKeep),
    },
  ],
  examples: [
    'k8sops talos etcd snapshot --cluster apps',
    'k8sops talos etcd snapshot --out /mnt/backup/etcd --keep 30',
  ],
  runbook: 'docs/runbooks/talos.md',
  async plan(context) {
    const { options, cwd, signal } = context
    const [cluster, target, exec] = await Promise.all([context.cluster(), context.target(), context.exec()])
    const [named] = chosenNodes(cluster, options.node, { controlPlane: true })
    const etcd = await observeEtcd(await context.talos(), cluster, signal)
    const node = named ?? snapshotNode(cluster, etcd.answering)
    const directory = typeof options.out === 'string' ? resolve(cwd, options.out) : target.snapshotDir
    const files = { tools: pinnedVersions('bootstrap'), paths: machinePaths(cluster.name) }
    return planEtcdSnapshot(
      {
        cluster,
        target,
        node,
        file: snapshotFile(directory, cluster.name, new Date()),
        keep: countOf(options.keep),
        maxAgeSec: 3600,
      },
      await basisOf(exec, target, files, { etcd: etcd.facts }),
    )
  },
})

function countOf(text: unknown): number {
  const count = Number(text)
  if (Number.isInteger(count) && count > 0) return count
  throw new UsageError(`--keep ${String(text)}: expected a number of snapshots, 1 or more`)
}
