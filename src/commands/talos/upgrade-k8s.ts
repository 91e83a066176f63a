import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type CommandContext, defineCommand, textOption } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { refOptions, sourceChoice } from '../../lib/cli/source-options.ts'
import { UsageError } from '../../lib/errors.ts'
import { observeBasis } from '../../lib/ops/basis.ts'
import { observeEtcd } from '../../lib/ops/etcd-observe.ts'
import { snapshotFile, snapshotNode } from '../../lib/ops/etcd-snapshot.ts'
import { errorOf } from '../../lib/ops/local-step.ts'
import { kubernetesPreflight, planKubernetesUpgrade, proposedEdit } from '../../lib/ops/upgrade-kubernetes.ts'
import { layout } from '../../lib/repo/layout.ts'
import { pinnedVersions } from '../../lib/tools/catalog.ts'
import { observeSoak, soakOptions } from './soak.ts'

export const talosUpgradeK8s = defineCommand({
  path: 'talos upgrade-k8s',
  summary: 'Upgrade Kubernetes on every node of a cluster',
  description:
    'Upgrades the control plane and every kubelet with talosctl, which takes one node after the other. Checked before: that the step is supported, that Talos runs the version, that the cluster is well, that the version has soaked where it comes first. A call that is silent for 5 minutes is started again and goes on where it stopped. The versions that run are read back; when Git names another one, the edit is printed.',
  effect: 'write',
  options: [
    { flags: '--to <version>', description: "e.g. v1.35.5 (default: talconfig.yaml's kubernetesVersion)" },
    { flags: '--upgrade-timeout <duration>', description: 'how long the whole may take', default: '1h' },
    ...refOptions,
    ...soakOptions,
  ],
  examples: [
    'k8sops talos upgrade-k8s --to v1.35.5 --cluster infra --dry-run',
    'k8sops talos upgrade-k8s --cluster apps',
  ],
  runbook: 'docs/runbooks/talos.md',
  async plan(context) {
    const { options, signal } = context
    const [cluster, target, exec, { ageKey }] = await Promise.all([
      context.cluster(),
      context.target(),
      context.exec(),
      context.repository(),
    ])
    const version = textOption(options.to) ?? cluster.kubernetesVersion
    if (!/^v1\.\d+\.\d+$/.test(version)) throw new UsageError(`--to ${version}: expected a release like v1.35.5`)
    const gates = await context.gates()
    const there = await gates.evaluate({ gate: 'kubernetes-at', params: { version } }, signal)
    const [etcd, soak, { basis, requireSource }] = await Promise.all([
      observeEtcd(await context.talos(), cluster, signal),
      there.status === 'pass' ? undefined : observeSoak(context, 'kubernetes', version),
      observeBasis(exec, cluster, target, {
        ...sourceChoice(context),
        tools: pinnedVersions('bootstrap'),
      }),
    ])
    const input = {
      cluster,
      target,
      ageKey,
      version,
      node: snapshotNode(cluster, etcd.answering),
      snapshotFile: snapshotFile(target.snapshotDir, cluster.name, new Date()),
      timeoutSec: parseDurationSec(textOption(options.upgradeTimeout) ?? '1h'),
      ...(soak?.now === undefined ? {} : { now: soak.now }),
    }
    const verdicts = await Promise.all(kubernetesPreflight(input).map((check) => gates.evaluate(check, signal)))
    if (options.dryRun !== true && options.planOut === undefined) {
      const refusal = errorOf(
        `Kubernetes of cluster ${cluster.name} can't be upgraded now`,
        verdicts,
        'docs/runbooks/talos.md',
      )
      if (refusal) throw refusal
      soak?.require()
      requireSource()
    }
    await proposeEdit(context, version)
    const open = verdicts.flatMap((verdict) => (verdict.status === 'pass' ? [] : [verdict.detail]))
    const preflight = open.length === 0 ? 'all hold' : open
    return planKubernetesUpgrade(input, {
      ...basis,
      observed: { ...basis.observed, etcd: etcd.facts, ...(soak ? { soak: soak.fact } : {}), preflight },
    })
  },
})

async function proposeEdit(context: CommandContext, version: string): Promise<void> {
  const { root, cluster } = await context.target()
  const file = layout.talconfig(cluster)
  const edit = proposedEdit(file, await readFile(join(root, file), 'utf8'), version)
  if (edit === undefined) return
  context.note(
    `Git names another version, and the next \`k8sops talos apply\` would take it back. Commit with this upgrade:\n${edit}`,
  )
}
