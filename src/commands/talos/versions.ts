import { cell, defineCommand } from '../../lib/cli/define.ts'
import { exitCodes } from '../../lib/errors.ts'
import { isoOf, type MachineView, observeMachineViews, standingOf } from '../../lib/ops/machine-observe.ts'
import { layout } from '../../lib/repo/layout.ts'
import { type InstallerImage, installerImages } from '../../lib/tools/installer-image.ts'
import type { Json, KubeObject } from '../../lib/types.ts'

export const talosVersions = defineCommand({
  path: 'talos versions',
  summary: 'Show what every node runs beside what Git wants: Talos, kubelet, schematic, extensions',
  description: 'Exit code 3 when a node runs something else than Git wants, or can not be asked; 4 when none can.',
  effect: 'read',
  scope: 'cluster',
  examples: ['k8sops talos versions --cluster apps', 'k8sops talos versions -o wide'],
  runbook: 'docs/runbooks/talos.md',
  async read(context) {
    const [cluster, talos, kube, exec] = await Promise.all([
      context.cluster(),
      context.talos(),
      context.kube(),
      context.exec(),
    ])
    const [machines, nodes, images] = await Promise.all([
      observeMachineViews(talos, cluster.nodes, context.signal),
      kube.list({ apiVersion: 'v1', kind: 'Node' }, context.signal),
      installerImages(exec, layout.talconfig(cluster.name), context.signal),
    ])
    if (!nodes.ok) context.note(`kubelets can't be told: ${nodes.detail}`)
    const kubelet = (name: string) =>
      kubeletOf((nodes.ok ? nodes.value : []).find(({ metadata }) => metadata.name === name))
    const items = machines.map((machine) =>
      itemOf(machine, images.get(machine.node.hostname), kubelet(machine.node.hostname), cluster.kubernetesVersion),
    )
    const silent = items.filter(({ talos: version }) => version === null)
    const same = items.every((item) => item.standing === 'current' && item.kubelet === cluster.kubernetesVersion)
    return {
      kind: 'TalosVersions',
      items,
      columns: [
        { title: 'NAME', value: cell('name') },
        { title: 'TALOS', value: cell('talos') },
        { title: 'WANTED', value: cell('wantedTalos') },
        { title: 'STANDING', value: cell('standing') },
        { title: 'KUBELET', value: cell('kubelet') },
        { title: 'WANTED', value: cell('wantedKubelet') },
        { title: 'BOOTED', value: cell('bootedAt') },
        { title: 'SCHEMATIC', value: (row) => String(row.schematic ?? '').slice(0, 12) },
        { title: 'EXTENSIONS', value: (row) => ((row.extensions as string[] | null) ?? []).join(' '), wide: true },
        { title: 'PROBLEM', value: cell('problem') },
      ],
      exitCode: same ? exitCodes.ok : silent.length === items.length ? exitCodes.unreachable : exitCodes.gate,
    }
  },
})

function kubeletOf(node: KubeObject | undefined): string | null {
  const info = node?.status?.nodeInfo as { kubeletVersion?: string } | undefined
  return info?.kubeletVersion ?? null
}

function itemOf(
  machine: MachineView,
  image: InstallerImage | undefined,
  kubelet: string | null,
  wantedKubelet: string,
): { [key: string]: Json } {
  const { node, talos, schematic, extensions, bootedAt, problem } = machine
  return {
    name: node.hostname,
    address: node.address,
    talos,
    wantedTalos: image?.version ?? null,
    standing: standingOf(machine, image),
    kubelet,
    wantedKubelet,
    schematic,
    wantedSchematic: image?.schematic ?? null,
    extensions,
    bootedAt: isoOf(bootedAt),
    problem,
  }
}
